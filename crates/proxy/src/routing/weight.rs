//! Priority and weight by RFC 2782, for SRV records and for configured hosts.

/// Items in the order in which they are to be tried: by priority, lower first, then drawn by weight. `rank` gives an
/// item's priority and weight; `draw` gives numbers in `[0, 1)`. If all weights are zero, all items are equal;
/// otherwise items of weight zero come last, which is the outcome of "a very small chance".
pub(super) fn ordered<T>(
    mut items: Vec<T>,
    rank: impl Fn(&T) -> (u16, u16),
    draw: &mut impl FnMut() -> f64,
) -> Vec<T> {
    items.sort_by_key(|item| rank(item).0);
    let mut ordered = Vec::with_capacity(items.len());
    while let Some(first) = items.first() {
        let priority = rank(first).0;
        let group: Vec<f64> = items
            .iter()
            .map(&rank)
            .take_while(|(this, _)| *this == priority)
            .map(|(_, weight)| f64::from(weight))
            .collect();
        let total: f64 = group.iter().sum();
        let equal = total == 0.0;
        let mut ticket = draw() * if equal { group.len() as f64 } else { total };
        let mut chosen = 0;
        for (index, weight) in group.iter().enumerate() {
            chosen = index;
            ticket -= if equal { 1.0 } else { *weight };
            if ticket < 0.0 {
                break;
            }
        }
        ordered.push(items.remove(chosen));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    type Item = (char, u16, u16);

    fn first_of(items: &[Item]) -> HashMap<char, usize> {
        let mut first = HashMap::new();
        for n in 0..1_000 {
            let mut draw = || f64::from(n) / 1_000.0;
            let ordered = ordered(items.to_vec(), |&(_, priority, weight)| (priority, weight), &mut draw);
            assert_eq!(ordered.len(), items.len());
            assert!(ordered.is_sorted_by_key(|&(_, priority, _)| priority));
            *first.entry(ordered[0].0).or_insert(0) += 1;
        }
        first
    }

    #[test]
    fn priority_orders_and_weight_shares() {
        let first = first_of(&[('c', 2, 100), ('a', 1, 30), ('b', 1, 10)]);
        assert_eq!(first, HashMap::from([('a', 750), ('b', 250)]));
    }

    #[test]
    fn without_weights_all_are_equal() {
        let first = first_of(&[('a', 1, 0), ('b', 1, 0), ('c', 1, 0), ('d', 1, 0)]);
        assert_eq!(first, HashMap::from([('a', 250), ('b', 250), ('c', 250), ('d', 250)]));
    }

    #[test]
    fn a_weight_of_zero_waits_for_the_others() {
        let first = first_of(&[('a', 1, 0), ('b', 1, 1)]);
        assert_eq!(first, HashMap::from([('b', 1_000)]));
    }
}
