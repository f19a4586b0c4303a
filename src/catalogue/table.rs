//! Items of one kind, by key and by an index that stays.

use std::borrow::Borrow;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use imbl::{OrdMap, Vector};

use super::put::PutOutcome;

/// Rows by key, each with an index that stays.
#[derive(Debug, Clone)]
pub(super) struct Table<K: Ord + Clone, V> {
    index: OrdMap<K, u32>,
    rows: Vector<Arc<V>>,
    /// By index, where a row comes by key; found when it is first asked for.
    ranks: OnceLock<Arc<[u32]>>,
}

impl<K: Ord + Clone, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { index: OrdMap::new(), rows: Vector::new(), ranks: OnceLock::new() }
    }
}

impl<K: Ord + Clone, V: PartialEq> Table<K, V> {
    /// The row of a key, with its index.
    pub(super) fn get<Q>(&self, key: &Q) -> Option<(u32, &V)>
    where
        Q: Ord + ?Sized,
        K: Borrow<Q>,
    {
        let ix = *self.index.get(key)?;
        Some((ix, self.row(ix)))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All rows, by index.
    pub(super) fn iter(&self) -> impl Iterator<Item = &V> {
        self.rows.iter().map(Arc::as_ref)
    }

    /// The row of an index.
    pub(super) fn row(&self, ix: u32) -> &V {
        &self.rows[ix as usize]
    }

    /// Puts a row in the place of the one of its key, or behind all.
    pub(super) fn put(&mut self, key: K, value: V) -> u32 {
        if let Some(&ix) = self.index.get(&key) {
            self.rows.set(ix as usize, Arc::new(value));
            ix
        } else {
            let ix = u32::try_from(self.rows.len()).expect("review bounds the number of items");
            self.index.insert(key, ix);
            self.rows.push_back(Arc::new(value));
            self.ranks = OnceLock::new();
            ix
        }
    }

    /// By index, where each row comes by key.
    pub(super) fn ranks(&self) -> &[u32] {
        self.ranks.get_or_init(|| {
            let mut ranks = vec![0; self.rows.len()];
            self.index.values().zip(0..).for_each(|(ix, rank)| ranks[*ix as usize] = rank);
            ranks.into()
        })
    }

    /// What putting a row would do.
    pub(super) fn outcome(&self, key: &K, value: &V) -> PutOutcome {
        match self.get(key) {
            None => PutOutcome::Created,
            Some((_, known)) if known == value => PutOutcome::Unchanged,
            Some(_) => PutOutcome::Updated,
        }
    }

    /// The rows by key, after one key.
    pub(super) fn after<'a>(&'a self, key: Option<&K>) -> impl Iterator<Item = &'a V> {
        let from = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        self.index.range((from, Bound::Unbounded)).map(|(_, ix)| self.row(*ix))
    }
}
