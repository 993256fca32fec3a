//! `/dashboard`: one page that asks `/debug/status` each second (SPEC 11.7). It comes whole from
//! here, loads nothing, and sets what others wrote as text.

use crate::base::chance;

/// The page, and what a browser lets it do.
#[derive(Debug)]
pub struct Page {
    /// The page.
    pub html: String,
    /// The value of `content-security-policy`.
    pub policy: String,
}

/// A page whose script and style are named by a number of their own, so that no other runs. It asks
/// for a client key first where one is needed.
pub fn page(needs_key: bool) -> Page {
    let nonce = chance::hex::<16>();
    Page {
        html: include_str!("dashboard.html")
            .replace("NONCE", &nonce)
            .replace("WANTED", &needs_key.to_string()),
        policy: format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    }
}
