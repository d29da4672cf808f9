//! Objects together with their std twins: how to fill them, look at them, and let a survivor leave a mark in them.

use commy::{
    Error, Key, OrderedKey, Plain, Region, Result, SharedBTreeMap, SharedBTreeSet, SharedBox, SharedChannel,
    SharedCounter, SharedGauge, SharedHashMap, SharedHashSet, SharedString, SharedVec, SharedVecDeque, Store, StoreKey,
    Value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// A write to one object.
pub type Mark<'w> = Box<dyn Fn() -> Result<()> + 'w>;

/// What an operation works on.
pub trait World: Sized + 'static {
    /// The same in std types: the oracle.
    type Twin: Clone + PartialEq + Debug + Send + Sync + 'static;

    fn open(region: &Region, name: &str) -> Result<Self>;
    /// Makes the content equal to `twin` and the memory that of a fresh object with this content.
    fn fill(&self, twin: &Self::Twin) -> Result<()>;
    fn look(&self) -> Result<Self::Twin>;
    /// Takes every lock once and changes nothing.
    fn touch(&self) -> Result<()>;
    /// A survivor's writes, one for each object, which hide nothing of what was there.
    fn marks(&self) -> Vec<Mark<'_>>;
    fn mark_twin(twin: &mut Self::Twin);
}

/// Values to fill containers with. Odd ones own blocks where the type can.
pub trait Sample: Clone + PartialEq + Debug + Send + Sync + 'static {
    fn sample(number: u64) -> Self;
    /// Changes it so that the former value can still be told.
    fn mark(&mut self);
}

impl Sample for u64 {
    fn sample(number: u64) -> u64 {
        number
    }

    fn mark(&mut self) {
        *self += 1_000_000;
    }
}

impl Sample for String {
    fn sample(number: u64) -> String {
        if number.is_multiple_of(2) {
            format!("short {number}")
        } else {
            format!("a text that needs a block, {number}")
        }
    }

    fn mark(&mut self) {
        self.push_str(", marked by a survivor");
    }
}

impl Sample for u32 {
    fn sample(number: u64) -> u32 {
        number as u32
    }

    fn mark(&mut self) {
        *self += 1_000_000;
    }
}

impl Sample for Vec<u8> {
    fn sample(number: u64) -> Vec<u8> {
        let len = if number.is_multiple_of(2) { 8 } else { 3000 };
        (0..len).map(|index| (index + number) as u8).collect()
    }

    fn mark(&mut self) {
        self.push(255);
    }
}

impl Sample for Option<String> {
    fn sample(number: u64) -> Option<String> {
        (!number.is_multiple_of(3)).then(|| String::sample(number))
    }

    fn mark(&mut self) {
        self.get_or_insert_default().mark();
    }
}

impl Sample for Vec<String> {
    fn sample(number: u64) -> Vec<String> {
        (0..number % 5).map(|index| String::sample(number + index)).collect()
    }

    fn mark(&mut self) {
        self.push(String::sample(MARK));
    }
}

impl<K: Sample + Eq + Hash, V: Sample> Sample for HashMap<K, V> {
    fn sample(number: u64) -> HashMap<K, V> {
        (0..number % 3 + 1).map(|index| (K::sample(index), V::sample(number + index))).collect()
    }

    fn mark(&mut self) {
        self.insert(K::sample(MARK), V::sample(MARK));
    }
}

impl<K: Sample + Ord, V: Sample> Sample for BTreeMap<K, V> {
    fn sample(number: u64) -> BTreeMap<K, V> {
        (0..number % 4).map(|index| (K::sample(index), V::sample(number + index))).collect()
    }

    fn mark(&mut self) {
        self.insert(K::sample(MARK), V::sample(MARK));
    }
}

/// A value of several fields, most of which own blocks.
#[derive(Debug, Clone, PartialEq, Default, Value)]
pub struct Job {
    pub id: u64,
    pub name: String,
    pub payload: Vec<u8>,
    pub tags: Vec<String>,
}

impl Sample for Job {
    fn sample(number: u64) -> Job {
        Job { id: number, name: String::sample(number), payload: Sample::sample(number), tags: Sample::sample(number) }
    }

    fn mark(&mut self) {
        self.id += 1_000_000;
    }
}

/// A plain value with padding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Plain)]
#[repr(C)]
pub struct Record {
    pub id: u64,
    pub kind: u8,
    pub weight: u32,
}

impl Sample for Record {
    fn sample(number: u64) -> Record {
        Record { id: number, kind: number as u8 ^ 0x55, weight: number as u32 * 3 }
    }

    fn mark(&mut self) {
        self.weight += 1_000_000;
    }
}

/// A plain value of half a kilobyte, so that few of them fill a log.
pub type Wide = [u64; 64];

impl Sample for Wide {
    fn sample(number: u64) -> Wide {
        [number; 64]
    }

    fn mark(&mut self) {
        self[0] += 1_000_000;
    }
}

/// `sample(0) .. sample(count)`.
pub fn samples<T: Sample>(count: u64) -> Vec<T> {
    (0..count).map(T::sample).collect()
}

/// Entries with keys and values `0 .. count`.
pub fn entries<K: Sample + Ord, V: Sample>(count: u64) -> BTreeMap<K, V> {
    (0..count).map(|number| (K::sample(number), V::sample(number))).collect()
}

/// The set of `sample(0) .. sample(count)`.
pub fn members<K: Sample + Ord>(count: u64) -> BTreeSet<K> {
    (0..count).map(K::sample).collect()
}

const MARK: u64 = 999;

impl<T: Value + Store<T> + Sample> World for SharedVec<T> {
    type Twin = Vec<T>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &Vec<T>) -> Result<()> {
        self.clear()?;
        self.extend(twin.iter().cloned())
    }

    fn look(&self) -> Result<Vec<T>> {
        let values = self.to_vec()?;
        assert_eq!(self.len()?, values.len());
        Ok(values)
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.push(T::sample(MARK)))]
    }

    fn mark_twin(twin: &mut Vec<T>) {
        twin.push(T::sample(MARK));
    }
}

impl<T: Value + Store<T> + Sample> World for SharedVecDeque<T> {
    type Twin = VecDeque<T>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    /// The first half stands at the end of the ring, the second at its beginning.
    fn fill(&self, twin: &VecDeque<T>) -> Result<()> {
        self.clear()?;
        self.reserve(twin.len())?;
        let half = twin.len() / 2;
        self.extend(twin.iter().skip(half).cloned())?;
        twin.iter().take(half).rev().try_for_each(|value| self.push_front(value.clone()))
    }

    fn look(&self) -> Result<VecDeque<T>> {
        let values = self.to_vec()?;
        assert_eq!(self.len()?, values.len());
        Ok(values.into())
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.push_back(T::sample(MARK)))]
    }

    fn mark_twin(twin: &mut VecDeque<T>) {
        twin.push_back(T::sample(MARK));
    }
}

impl<T: Value + Store<T> + Default + Sample> World for SharedBox<T> {
    type Twin = T;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &T) -> Result<()> {
        self.set(twin.clone())
    }

    fn look(&self) -> Result<T> {
        self.get()
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.update(T::mark))]
    }

    fn mark_twin(twin: &mut T) {
        twin.mark();
    }
}

impl<T: Plain + Sample> World for SharedChannel<T> {
    type Twin = VecDeque<T>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &VecDeque<T>) -> Result<()> {
        self.receiver()?.drain()?;
        twin.iter().try_for_each(|value| self.send(*value))
    }

    fn look(&self) -> Result<VecDeque<T>> {
        let values = self.to_vec()?;
        assert_eq!(self.len()?, values.len());
        Ok(values.into())
    }

    fn touch(&self) -> Result<()> {
        self.sender().map(drop)?;
        self.receiver().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.send(T::sample(MARK)))]
    }

    fn mark_twin(twin: &mut VecDeque<T>) {
        twin.push_back(T::sample(MARK));
    }
}

impl World for SharedString {
    type Twin = String;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &String) -> Result<()> {
        self.clear()?;
        self.set(twin)
    }

    fn look(&self) -> Result<String> {
        let text = self.get()?;
        assert_eq!(self.len()?, text.len());
        Ok(text)
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.push_str("; marked"))]
    }

    fn mark_twin(twin: &mut String) {
        twin.push_str("; marked");
    }
}

impl<K, V> World for SharedHashMap<K, V>
where
    K: Key + StoreKey<K> + Sample + Ord + std::hash::Hash,
    V: Value + Store<V> + Sample,
{
    type Twin = BTreeMap<K, V>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &BTreeMap<K, V>) -> Result<()> {
        self.clear()?;
        self.extend(twin.clone())
    }

    fn look(&self) -> Result<BTreeMap<K, V>> {
        let map = self.to_map()?;
        assert_eq!(self.len()?, map.len());
        Ok(map.into_iter().collect())
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.insert(K::sample(MARK), V::sample(MARK)).map(drop))]
    }

    fn mark_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(MARK), V::sample(MARK));
    }
}

impl<K: OrderedKey + StoreKey<K> + Sample, V: Value + Store<V> + Sample> World for SharedBTreeMap<K, V> {
    type Twin = BTreeMap<K, V>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &BTreeMap<K, V>) -> Result<()> {
        self.clear()?;
        self.extend(twin.clone())
    }

    fn look(&self) -> Result<BTreeMap<K, V>> {
        let map = self.to_map()?;
        assert_eq!(self.len()?, map.len());
        Ok(map)
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.insert(K::sample(MARK), V::sample(MARK)).map(drop))]
    }

    fn mark_twin(twin: &mut BTreeMap<K, V>) {
        twin.insert(K::sample(MARK), V::sample(MARK));
    }
}

impl<K: OrderedKey + StoreKey<K> + Sample> World for SharedBTreeSet<K> {
    type Twin = BTreeSet<K>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &BTreeSet<K>) -> Result<()> {
        self.clear()?;
        self.extend(twin.clone())
    }

    fn look(&self) -> Result<BTreeSet<K>> {
        let set = self.to_set()?;
        assert_eq!(self.len()?, set.len());
        Ok(set)
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.insert(K::sample(MARK)).map(drop))]
    }

    fn mark_twin(twin: &mut BTreeSet<K>) {
        twin.insert(K::sample(MARK));
    }
}

impl<K: Key + StoreKey<K> + Sample + Ord + std::hash::Hash> World for SharedHashSet<K> {
    type Twin = BTreeSet<K>;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &BTreeSet<K>) -> Result<()> {
        self.clear()?;
        self.extend(twin.clone())
    }

    fn look(&self) -> Result<BTreeSet<K>> {
        let set = self.to_set()?;
        assert_eq!(self.len()?, set.len());
        Ok(set.into_iter().collect())
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.insert(K::sample(MARK)).map(drop))]
    }

    fn mark_twin(twin: &mut BTreeSet<K>) {
        twin.insert(K::sample(MARK));
    }
}

/// A counter; its twin is what it has counted, and how many segments of cells it has.
pub struct Counted {
    region: Region,
    pub name: String,
    pub counter: SharedCounter,
}

/// The object of that name, new.
fn renewed<C: commy::Container>(region: &Region, name: &str) -> Result<C> {
    region.remove_object(name)?;
    region.object(name)
}

impl World for Counted {
    type Twin = (u64, u64);

    fn open(region: &Region, name: &str) -> Result<Self> {
        Ok(Counted { region: region.clone(), name: name.into(), counter: region.object(name)? })
    }

    fn fill(&self, twin: &(u64, u64)) -> Result<()> {
        let counter: SharedCounter = renewed(&self.region, &self.name)?;
        if twin.1 > 0 { counter.add(twin.0) } else { Ok(()) }
    }

    fn look(&self) -> Result<(u64, u64)> {
        let objects = self.region.objects()?;
        let segments = objects.iter().find(|object| object.name == self.name).map_or(0, |object| object.len);
        Ok((self.counter.get()?, segments))
    }

    fn touch(&self) -> Result<()> {
        self.counter.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.counter.add(1_000_000))]
    }

    fn mark_twin(twin: &mut (u64, u64)) {
        *twin = (twin.0 + 1_000_000, 1);
    }
}

/// A gauge; its twin is the total.
pub struct Gauged {
    region: Region,
    pub name: String,
    pub gauge: SharedGauge,
}

impl World for Gauged {
    type Twin = i64;

    fn open(region: &Region, name: &str) -> Result<Self> {
        Ok(Gauged { region: region.clone(), name: name.into(), gauge: region.object(name)? })
    }

    fn fill(&self, twin: &i64) -> Result<()> {
        renewed::<SharedGauge>(&self.region, &self.name)?.add(*twin).map(drop)
    }

    fn look(&self) -> Result<i64> {
        self.gauge.get()
    }

    fn touch(&self) -> Result<()> {
        self.gauge.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.gauge.add(1_000_000).map(drop))]
    }

    fn mark_twin(twin: &mut i64) {
        *twin += 1_000_000;
    }
}

impl<A: World, B: World> World for (A, B) {
    type Twin = (A::Twin, B::Twin);

    fn open(region: &Region, name: &str) -> Result<Self> {
        Ok((A::open(region, &format!("{name}a"))?, B::open(region, &format!("{name}b"))?))
    }

    fn fill(&self, twin: &Self::Twin) -> Result<()> {
        self.0.fill(&twin.0)?;
        self.1.fill(&twin.1)
    }

    fn look(&self) -> Result<Self::Twin> {
        Ok((self.0.look()?, self.1.look()?))
    }

    fn touch(&self) -> Result<()> {
        self.0.touch()?;
        self.1.touch()
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        self.0.marks().into_iter().chain(self.1.marks()).collect()
    }

    fn mark_twin(twin: &mut Self::Twin) {
        A::mark_twin(&mut twin.0);
        B::mark_twin(&mut twin.1);
    }
}

/// The objects of a region by name, with their lengths.
pub struct Names(pub Region);

/// The name of the object that `Names` makes to leave a mark.
const MARK_NAME: &str = "the mark of a survivor";

impl Names {
    /// Brings one object to `len`, or makes or removes it.
    fn set(&self, name: &str, len: Option<u64>) -> Result<()> {
        let Some(len) = len else { return self.0.remove_object(name) };
        World::fill(&self.0.object::<SharedVec<String>>(name)?, &samples(len))
    }
}

impl World for Names {
    type Twin = BTreeMap<String, u64>;

    fn open(region: &Region, _name: &str) -> Result<Self> {
        Ok(Names(region.clone()))
    }

    fn fill(&self, twin: &BTreeMap<String, u64>) -> Result<()> {
        for name in self.look()?.keys().filter(|name| !twin.contains_key(*name)) {
            self.set(name, None)?;
        }
        // The directory keeps what it has once taken.
        self.0.create_object::<SharedString>("first")?;
        self.0.remove_object("first")?;
        twin.iter().try_for_each(|(name, len)| self.set(name, Some(*len)))
    }

    fn look(&self) -> Result<BTreeMap<String, u64>> {
        Ok(self.0.objects()?.into_iter().map(|object| (object.name, object.len)).collect())
    }

    fn touch(&self) -> Result<()> {
        match self.0.rename_object("no object", "a name") {
            Err(Error::NotFound) => Ok(()),
            other => other,
        }
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.0.create_object::<SharedVec<String>>(MARK_NAME).map(drop))]
    }

    fn mark_twin(twin: &mut BTreeMap<String, u64>) {
        twin.insert(MARK_NAME.into(), 0);
    }
}

impl World for SharedCounter {
    type Twin = u64;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &u64) -> Result<()> {
        self.reset()?;
        self.add(*twin)
    }

    fn look(&self) -> Result<u64> {
        self.get()
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.increment())]
    }

    fn mark_twin(twin: &mut u64) {
        *twin += 1;
    }
}

impl World for SharedGauge {
    type Twin = i64;

    fn open(region: &Region, name: &str) -> Result<Self> {
        region.object(name)
    }

    fn fill(&self, twin: &i64) -> Result<()> {
        self.set(*twin).map(drop)
    }

    fn look(&self) -> Result<i64> {
        self.get()
    }

    fn touch(&self) -> Result<()> {
        self.write().map(drop)
    }

    fn marks(&self) -> Vec<Mark<'_>> {
        vec![Box::new(|| self.add(1).map(drop))]
    }

    fn mark_twin(twin: &mut i64) {
        *twin += 1;
    }
}
