//! The codec on real data.
