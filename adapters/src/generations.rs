//! A map that holds so much and no more: two generations. The younger one is filled; then it is the older one, and the
//! one that was goes.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Two generations.
pub struct Generations<K, V> {
    most: usize,
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// Of so many each.
    pub fn of(most: usize) -> Self {
        Self { most, younger: HashMap::new(), older: HashMap::new() }
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.younger.get(key).or_else(|| self.older.get(key))
    }

    pub fn keep(&mut self, key: K, value: V) {
        if self.younger.len() >= self.most && !self.younger.contains_key(&key) {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, value);
    }

    /// How many there are of the younger and of the older.
    #[cfg(test)]
    pub fn sizes(&self) -> [usize; 2] {
        [self.younger.len(), self.older.len()]
    }

    /// Lets go of the others.
    pub fn retain(&mut self, mut wanted: impl FnMut(&V) -> bool) {
        self.younger.retain(|_, value| wanted(value));
        self.older.retain(|_, value| wanted(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_there_and_the_number_is_bounded() {
        let mut numbers = Generations::of(100);
        for n in 0..1000 {
            numbers.keep(n, n);
            numbers.keep(n, n + 1);
            assert!((0..=n).rev().take(100).all(|kept| numbers.get(&kept) == Some(&(kept + 1))), "{n}");
            assert!((0..=n).filter(|kept| numbers.get(kept).is_some()).count() <= 200);
        }
        numbers.retain(|value| *value == 1000);
        assert_eq!((numbers.get(&999), numbers.get(&998)), (Some(&1000), None));
    }
}
