//! One sort for all types: the standard one is made anew for each type and each order, 6 kB a time.

use std::cmp::Ordering;

/// Sorts by a key. What is equal stays in its order.
pub fn by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    by(list, |a, b| key(a).cmp(&key(b)));
}

/// Sorts. What is equal stays in its order.
pub fn by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let swaps = swaps(list.len(), &|a, b| match (list.get(a), list.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        (Some(_) | None, Some(_) | None) => Ordering::Equal,
    });
    for (place, from) in swaps.into_iter().enumerate() {
        list.swap(place, from);
    }
}

/// The places of a list in the order of what stands there. What is equal stays in its order.
pub fn order(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

/// What each place, one after the other, is swapped with, so that a list is in order.
fn swaps(length: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    if length < 2 {
        return Vec::new();
    }
    let mut order = order(length, compare);
    for place in 0..length {
        let at = |index: usize| order.get(index).copied().unwrap_or(index);
        let mut from = at(place);
        // What stood there was swapped away already.
        while from < place {
            from = at(from);
        }
        if let Some(slot) = order.get_mut(place) {
            *slot = from;
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_like_the_standard_one() {
        let mut seed = 7_u64;
        let mut draw = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % most
        };
        for length in (0..40).chain([500]) {
            let list: Vec<(u64, u64)> = (0..length).map(|place| (draw(1 + length / 2), place)).collect();
            let (mut ours, mut theirs) = (list.clone(), list);
            by_key(&mut ours, |(key, _)| std::cmp::Reverse(*key));
            theirs.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            assert_eq!(ours, theirs);
        }
    }
}
