//! Containers as their write guards show them.

use super::guards::Guarded;
use crate::support::world::{Record, Sample};
use commy::{
    Key, Lookup, Result, SharedBox, SharedCounter, SharedGauge, SharedHashMap, SharedHashSet, SharedString, SharedVec,
    SharedVecDeque, Store, StoreKey, Value,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::Hash;

impl<T: Value + Store<T> + Sample> Guarded for SharedVec<T> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<Vec<T>> {
        guard.to_vec()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop()?;
        guard.push(T::sample(101))?;
        guard.set(0, T::sample(103)).map(drop)
    }

    fn stir_twin(twin: &mut Vec<T>) {
        twin.pop();
        twin.push(T::sample(101));
        twin[0] = T::sample(103);
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.set(0, T::sample(107)).map(drop)
    }

    fn add_twin(twin: &mut Vec<T>) {
        twin.iter_mut().take(1).for_each(|value| *value = T::sample(107));
    }
}

impl<T: Value + Store<T> + Sample> Guarded for SharedVecDeque<T> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<VecDeque<T>> {
        guard.to_vec().map(VecDeque::from)
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop_front()?;
        guard.push_back(T::sample(101))?;
        guard.pop_back()?;
        guard.push_front(T::sample(103))?;
        guard.set(0, T::sample(105)).map(drop)
    }

    fn stir_twin(twin: &mut VecDeque<T>) {
        twin.pop_front();
        twin.push_front(T::sample(105));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.set(0, T::sample(107)).map(drop)
    }

    fn add_twin(twin: &mut VecDeque<T>) {
        twin.iter_mut().take(1).for_each(|value| *value = T::sample(107));
    }
}

/// A box lends its value in a form that depends on the type.
macro_rules! boxes {
    ($($type:ty, $guard:ident => $own:expr;)*) => {$(
        impl Guarded for SharedBox<$type> {
            fn lock(&self) -> Result<Self::WriteGuard<'_>> {
                self.write()
            }

            fn look_into($guard: &Self::WriteGuard<'_>) -> Result<$type> {
                Ok($own)
            }

            fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
                guard.set(<$type>::sample(101))?;
                guard.set(<$type>::sample(103))
            }

            fn stir_twin(twin: &mut $type) {
                *twin = <$type>::sample(103);
            }

            fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
                let mut value = Self::look_into(guard)?;
                value.mark();
                guard.set(value)
            }

            fn add_twin(twin: &mut $type) {
                twin.mark();
            }
        }
    )*};
}
boxes! {
    u64, guard => *guard.get()?;
    Record, guard => *guard.get()?;
    String, guard => guard.get()?.to_string();
    Option<String>, guard => guard.get()?.map(str::to_string);
}

impl Guarded for SharedString {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<String> {
        Ok(guard.to_string())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.pop()?;
        guard.push_str("#")?;
        guard.replace_range(0..1, "S")
    }

    fn stir_twin(twin: &mut String) {
        twin.pop();
        twin.push('#');
        twin.replace_range(0..1, "S");
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.replace_range(0..1, "A")
    }

    fn add_twin(twin: &mut String) {
        twin.replace_range(0..1, "A");
    }
}

impl<K, V> Guarded for SharedHashMap<K, V>
where
    K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash,
    V: Value + Store<V> + Sample,
{
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeMap<K, V>> {
        Ok(guard.to_map()?.into_iter().collect())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101), V::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0), V::sample(103)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(0), V::sample(103));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0)).map(drop)
    }

    fn add_twin(twin: &mut BTreeMap<K, V>) {
        twin.remove(&K::sample(0));
    }
}

impl<K: Key + StoreKey<K> + Lookup<K> + Sample + Ord + Hash> Guarded for SharedHashSet<K> {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<BTreeSet<K>> {
        Ok(guard.to_set()?.into_iter().collect())
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0))?;
        guard.insert(K::sample(101))?;
        guard.remove(&K::sample(101))?;
        guard.insert(K::sample(0)).map(drop)
    }

    fn stir_twin(twin: &mut BTreeSet<K>) {
        twin.insert(K::sample(0));
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.remove(&K::sample(0)).map(drop)
    }

    fn add_twin(twin: &mut BTreeSet<K>) {
        twin.remove(&K::sample(0));
    }
}

impl Guarded for SharedCounter {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<u64> {
        guard.get()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.reset().map(drop)
    }

    fn stir_twin(twin: &mut u64) {
        *twin = 0;
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.reset().map(drop)
    }

    fn add_twin(twin: &mut u64) {
        *twin = 0;
    }
}

impl Guarded for SharedGauge {
    fn lock(&self) -> Result<Self::WriteGuard<'_>> {
        self.write()
    }

    /// No other process contributes here.
    fn look_into(guard: &Self::WriteGuard<'_>) -> Result<i64> {
        guard.get()
    }

    fn stir(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.add(5).map(drop)
    }

    fn stir_twin(twin: &mut i64) {
        *twin += 5;
    }

    fn add(guard: &mut Self::WriteGuard<'_>) -> Result<()> {
        guard.add(7).map(drop)
    }

    fn add_twin(twin: &mut i64) {
        *twin += 7;
    }
}
