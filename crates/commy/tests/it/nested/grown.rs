//! Random values of any depth, and the same random change of a lent value and of its twin.

use super::derived::{Event, EventMut, EventRef, Job, JobMut, JobRef};
use crate::seeded::Random;
use commy::{
    BTreeMapWriteGuard, BTreeSetWriteGuard, BytesMut, HashMapWriteGuard, HashSetWriteGuard, Key, Lookup, OptionMut,
    OrderedKey, Result, Store, StoreKey, StringMut, Value, VecDequeWriteGuard, VecWriteGuard,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// A value that can be made, changed in place and compared at random.
pub trait Grown: Value + Store<Self> + Clone + PartialEq + Debug + Default {
    fn random(random: &mut Random) -> Self;
    /// Does something to a lent value, and the same to its twin.
    fn change(lent: &mut Self::Mut<'_>, twin: &mut Self, random: &mut Random) -> Result<()>;
    fn is_lent(lent: Self::Ref<'_>, twin: &Self) -> bool;
}

/// A key of any collection.
pub trait GrownKey: Grown + Key + StoreKey<Self> + Lookup<Self> + OrderedKey + Eq + Hash {}
impl<K: Grown + Key + StoreKey<K> + Lookup<K> + OrderedKey + Eq + Hash> GrownKey for K {}

macro_rules! plain {
    ($($type:ty, $random:expr;)*) => {$(
        impl Grown for $type {
            fn random(random: &mut Random) -> $type {
                let make: fn(&mut Random) -> $type = $random;
                make(random)
            }

            fn change(lent: &mut &mut $type, twin: &mut $type, random: &mut Random) -> Result<()> {
                *twin = Self::random(random);
                **lent = *twin;
                Ok(())
            }

            fn is_lent(lent: &$type, twin: &$type) -> bool {
                lent == twin
            }
        }
    )*};
}
plain! {
    u64, |random| random.below(40);
    i64, |random| random.below(40) as i64 - 20;
    (u32, u64), |random| (random.below(3) as u32, random.below(12));
}

impl Grown for String {
    /// Short ones often, so that keys meet; some that own a block, some a large one.
    fn random(random: &mut Random) -> String {
        let len = [1, 2, 15, 16, 40, 3000][random.below(12).min(5) as usize % 6];
        let letter = char::from(b'a' + random.below(3) as u8);
        String::from(letter).repeat(len)
    }

    fn change(lent: &mut StringMut<'_>, twin: &mut String, random: &mut Random) -> Result<()> {
        match random.below(4) {
            0 => {
                twin.push_str("more");
                lent.push_str("more")?;
            }
            1 => {
                twin.clear();
                lent.clear()?;
            }
            2 => {
                twin.insert(0, 'ä');
                lent.update(|text| text.insert(0, 'ä'))?;
            }
            _ => {
                *twin = String::random(random);
                lent.set(&*twin)?;
            }
        }
        assert_eq!(&**lent, twin);
        Ok(())
    }

    fn is_lent(lent: &str, twin: &String) -> bool {
        lent == twin
    }
}

impl Grown for Vec<u8> {
    fn random(random: &mut Random) -> Vec<u8> {
        vec![random.number() as u8; [0, 3, 15, 16, 500][random.below(5) as usize]]
    }

    fn change(lent: &mut BytesMut<'_>, twin: &mut Vec<u8>, random: &mut Random) -> Result<()> {
        match random.below(2) {
            0 => {
                twin.extend_from_slice(b"more");
                lent.extend_from_slice(b"more")
            }
            _ => {
                *twin = Vec::random(random);
                lent.set(&*twin)
            }
        }
    }

    fn is_lent(lent: &[u8], twin: &Vec<u8>) -> bool {
        lent == twin
    }
}

impl<V: Grown> Grown for Option<V> {
    fn random(random: &mut Random) -> Option<V> {
        (random.below(3) > 0).then(|| V::random(random))
    }

    fn change(lent: &mut OptionMut<'_, V>, twin: &mut Option<V>, random: &mut Random) -> Result<()> {
        match random.below(3) {
            0 => assert_eq!(lent.take()?, twin.take()),
            1 if twin.is_some() => {
                let (twin, mut lent) = (twin.as_mut().expect("some"), lent.as_mut().expect("some"));
                V::change(&mut lent, twin, random)?;
            }
            _ => {
                *twin = Option::random(random);
                lent.set(twin.clone())?;
            }
        }
        Ok(())
    }

    fn is_lent(lent: Option<V::Ref<'_>>, twin: &Option<V>) -> bool {
        match (lent, twin) {
            (Some(lent), Some(twin)) => V::is_lent(lent, twin),
            (None, None) => true,
            _ => false,
        }
    }
}

/// A few random ones.
fn some<T, C: FromIterator<T>>(random: &mut Random, make: impl Fn(&mut Random) -> T) -> C {
    (0..random.below(5)).map(|_| make(random)).collect()
}

/// What a `Vec` that is a collection holds: `Vec<u8>` is a string.
pub trait Element: Grown {}
macro_rules! element {
    ($([$($parameter:ident: $bound:path),*] $type:ty;)*) => {$(
        impl<$($parameter: $bound),*> Element for $type {}
        impl<$($parameter: $bound),*> Grown for Vec<$type> {
            fn random(random: &mut Random) -> Self {
                some(random, <$type>::random)
            }

            fn change(
                lent: &mut VecWriteGuard<'_, $type>,
                twin: &mut Self,
                random: &mut Random,
            ) -> Result<()> {
                change_vec(lent, twin, random)
            }

            fn is_lent(lent: <Self as Value>::Ref<'_>, twin: &Self) -> bool {
                lent.len() == twin.len() && lent.iter().zip(twin).all(|(lent, twin)| <$type>::is_lent(lent, twin))
            }
        }
    )*};
}
element! {
    [] u64;
    [] String;
    [] Job;
    [] Event;
    [] Vec<u64>;
    [] Vec<String>;
    [T: Element] VecDeque<T>;
    [K: GrownKey, V: Grown] HashMap<K, V>;
    [K: GrownKey, V: Grown] BTreeMap<K, V>;
}

fn change_vec<T: Grown>(lent: &mut VecWriteGuard<'_, T>, twin: &mut Vec<T>, random: &mut Random) -> Result<()> {
    assert_eq!(lent.len(), twin.len());
    let (len, place) = (twin.len(), random.below(twin.len() as u64 + 1) as usize);
    match random.below(12) {
        0..3 => {
            twin.push(T::random(random));
            lent.push(twin[len].clone())?;
        }
        3 => assert_eq!(lent.pop()?, twin.pop()),
        4 => {
            twin.insert(place, T::random(random));
            lent.insert(place, twin[place].clone())?;
        }
        5 if place < len => assert_eq!(lent.remove(place)?, Some(twin.remove(place))),
        6 if place < len => assert_eq!(lent.swap_remove(place)?, Some(twin.swap_remove(place))),
        7 if place < len => {
            twin[place] = T::random(random);
            assert!(lent.set(place, twin[place].clone())?);
        }
        8 => {
            twin.truncate(place);
            lent.truncate(place)?;
        }
        9 => {
            let more: Vec<T> = some(random, T::random);
            twin.extend(more.iter().cloned());
            lent.extend(more)?;
        }
        _ if place < len => {
            let mut inner = lent.get_mut(place)?.expect("a value");
            T::change(&mut inner, &mut twin[place], random)?;
        }
        _ => assert!(lent.get_mut(len)?.is_none()),
    }
    Ok(())
}

impl<T: Element> Grown for VecDeque<T> {
    fn random(random: &mut Random) -> Self {
        some(random, T::random)
    }

    fn change(lent: &mut VecDequeWriteGuard<'_, T>, twin: &mut Self, random: &mut Random) -> Result<()> {
        assert_eq!(lent.len(), twin.len());
        let (len, place) = (twin.len(), random.below(twin.len() as u64 + 1) as usize);
        match random.below(12) {
            0..2 => {
                twin.push_back(T::random(random));
                lent.push_back(twin[len].clone())?;
            }
            2..4 => {
                twin.push_front(T::random(random));
                lent.push_front(twin[0].clone())?;
            }
            4 => assert_eq!(lent.pop_front()?, twin.pop_front()),
            5 => assert_eq!(lent.pop_back()?, twin.pop_back()),
            6 => {
                twin.insert(place, T::random(random));
                lent.insert(place, twin[place].clone())?;
            }
            7 if place < len => assert_eq!(lent.remove(place)?, twin.remove(place)),
            8 => {
                twin.truncate(place);
                lent.truncate(place)?;
            }
            9 => {
                twin.rotate_left(place);
                lent.rotate_left(place)?;
            }
            _ if place < len => {
                let mut inner = lent.get_mut(place)?.expect("a value");
                T::change(&mut inner, &mut twin[place], random)?;
            }
            _ => assert!(lent.get_mut(len)?.is_none()),
        }
        Ok(())
    }

    fn is_lent(lent: <Self as Value>::Ref<'_>, twin: &Self) -> bool {
        lent.len() == twin.len() && lent.iter().zip(twin).all(|(lent, twin)| T::is_lent(lent, twin))
    }
}

impl<K: GrownKey, V: Grown> Grown for HashMap<K, V> {
    fn random(random: &mut Random) -> Self {
        some(random, |random| (K::random(random), V::random(random)))
    }

    fn change(lent: &mut HashMapWriteGuard<'_, K, V>, twin: &mut Self, random: &mut Random) -> Result<()> {
        assert_eq!(lent.len(), twin.len());
        let key = K::random(random);
        match random.below(16) {
            0..5 => {
                let value = V::random(random);
                assert_eq!(lent.insert(key.clone(), value.clone())?, twin.insert(key, value));
            }
            5..8 => assert_eq!(lent.remove(&key)?, twin.remove(&key)),
            8 => {
                let few = |key: &K| format!("{key:?}").len() % 2 == 0;
                let gone: Vec<K> = twin.keys().filter(|key| few(key)).cloned().collect();
                for key in gone {
                    assert_eq!(lent.remove(&key)?, twin.remove(&key));
                }
            }
            9 if random.below(4) == 0 => {
                twin.clear();
                lent.clear()?;
            }
            10 => {
                let more: Vec<(K, V)> = some(random, |random| (K::random(random), V::random(random)));
                twin.extend(more.iter().cloned());
                lent.extend(more)?;
            }
            11..14 => {
                let mut inner = lent.entry(key.clone()).or_default()?;
                V::change(&mut inner, twin.entry(key).or_default(), random)?;
            }
            _ => match (lent.get_mut(&key), twin.get_mut(&key)) {
                (Some(mut lent), Some(twin)) => V::change(&mut lent, twin, random)?,
                (lent, twin) => assert_eq!(lent.is_some(), twin.is_some()),
            },
        }
        Ok(())
    }

    fn is_lent(lent: <Self as Value>::Ref<'_>, twin: &Self) -> bool {
        let same = |(key, value): (&K, &V)| lent.get(key).is_some_and(|lent| V::is_lent(lent, value));
        lent.len() == twin.len() && twin.iter().all(same) && lent.iter().count() == twin.len()
    }
}

impl<K: GrownKey, V: Grown> Grown for BTreeMap<K, V> {
    fn random(random: &mut Random) -> Self {
        some(random, |random| (K::random(random), V::random(random)))
    }

    fn change(lent: &mut BTreeMapWriteGuard<'_, K, V>, twin: &mut Self, random: &mut Random) -> Result<()> {
        assert_eq!(lent.len(), twin.len());
        let key = K::random(random);
        match random.below(16) {
            0..5 => {
                let value = V::random(random);
                assert_eq!(lent.insert(key.clone(), value.clone())?, twin.insert(key, value));
            }
            5..7 => assert_eq!(lent.remove(&key)?, twin.remove(&key)),
            7 => assert_eq!(lent.pop_first()?, twin.pop_first()),
            8 => assert_eq!(lent.pop_last()?, twin.pop_last()),
            9 if random.below(4) == 0 => {
                twin.clear();
                lent.clear()?;
            }
            10 => {
                let more: Vec<(K, V)> = some(random, |random| (K::random(random), V::random(random)));
                twin.extend(more.iter().cloned());
                lent.extend(more)?;
            }
            11..14 => {
                let mut inner = lent.entry(key.clone()).or_default()?;
                V::change(&mut inner, twin.entry(key).or_default(), random)?;
            }
            _ => match (lent.get_mut(&key), twin.get_mut(&key)) {
                (Some(mut lent), Some(twin)) => V::change(&mut lent, twin, random)?,
                (lent, twin) => assert_eq!(lent.is_some(), twin.is_some()),
            },
        }
        Ok(())
    }

    fn is_lent(lent: <Self as Value>::Ref<'_>, twin: &Self) -> bool {
        let mut pairs = lent.iter().zip(twin);
        lent.len() == twin.len() && pairs.all(|((key, value), (a, b))| K::is_lent(key, a) && V::is_lent(value, b))
    }
}

macro_rules! set {
    ($set:ident, $guard:ident) => {
        impl<K: GrownKey> Grown for $set<K> {
            fn random(random: &mut Random) -> Self {
                some(random, K::random)
            }

            fn change(lent: &mut $guard<'_, K>, twin: &mut Self, random: &mut Random) -> Result<()> {
                let key = K::random(random);
                match random.below(3) {
                    0 => assert_eq!(lent.remove(&key)?, twin.remove(&key)),
                    _ => assert_eq!(lent.insert(key.clone())?, twin.insert(key)),
                }
                Ok(())
            }

            fn is_lent(lent: <Self as Value>::Ref<'_>, twin: &Self) -> bool {
                lent.len() == twin.len() && twin.iter().all(|key| lent.contains(key))
            }
        }
    };
}
set!(HashSet, HashSetWriteGuard);
set!(BTreeSet, BTreeSetWriteGuard);

impl Grown for Job {
    fn random(random: &mut Random) -> Job {
        Job {
            id: u64::random(random),
            name: String::random(random),
            payload: Vec::random(random),
            tags: Vec::random(random),
        }
    }

    fn change(lent: &mut JobMut<'_>, twin: &mut Job, random: &mut Random) -> Result<()> {
        match random.below(4) {
            0 => u64::change(&mut lent.id, &mut twin.id, random),
            1 => String::change(&mut lent.name, &mut twin.name, random),
            2 => Vec::<u8>::change(&mut lent.payload, &mut twin.payload, random),
            _ => Vec::change(&mut lent.tags, &mut twin.tags, random),
        }
    }

    fn is_lent(lent: JobRef<'_>, twin: &Job) -> bool {
        *lent.id == twin.id
            && lent.name == twin.name
            && lent.payload == twin.payload
            && Vec::is_lent(lent.tags, &twin.tags)
    }
}

impl Grown for Event {
    fn random(random: &mut Random) -> Event {
        match random.below(5) {
            0 => Event::Idle,
            1 => Event::Moved { x: random.below(9) as f64, y: 0.5 },
            2 => Event::Said(String::random(random)),
            3 => Event::Queued(some(random, Job::random), Option::random(random)),
            _ => Event::Counted { by: HashMap::random(random) },
        }
    }

    fn change(lent: &mut EventMut<'_>, twin: &mut Event, random: &mut Random) -> Result<()> {
        match (lent, twin) {
            (EventMut::Moved { x, .. }, Event::Moved { x: twin, .. }) => {
                *twin += 1.0;
                **x += 1.0;
            }
            (EventMut::Said(text), Event::Said(twin)) => String::change(text, twin, random)?,
            (EventMut::Queued(jobs, _), Event::Queued(twin, _)) if random.below(2) == 0 => {
                Vec::change(jobs, twin, random)?;
            }
            (EventMut::Queued(_, why), Event::Queued(_, twin)) => Option::change(why, twin, random)?,
            (EventMut::Counted { by }, Event::Counted { by: twin }) => HashMap::change(by, twin, random)?,
            (EventMut::Idle, Event::Idle) => {}
            (_, twin) => panic!("another variant is lent than {twin:?}"),
        }
        Ok(())
    }

    fn is_lent(lent: EventRef<'_>, twin: &Event) -> bool {
        match (lent, twin) {
            (EventRef::Idle, Event::Idle) => true,
            (EventRef::Moved { x, y }, Event::Moved { x: a, y: b }) => (x, y) == (a, b),
            (EventRef::Said(lent), Event::Said(twin)) => lent == twin,
            (EventRef::Queued(jobs, why), Event::Queued(a, b)) => Vec::is_lent(jobs, a) && Option::is_lent(why, b),
            (EventRef::Counted { by }, Event::Counted { by: twin }) => HashMap::is_lent(by, twin),
            _ => false,
        }
    }
}

impl Grown for u32 {
    fn random(random: &mut Random) -> u32 {
        random.below(20) as u32
    }

    fn change(lent: &mut &mut u32, twin: &mut u32, random: &mut Random) -> Result<()> {
        *twin = u32::random(random);
        **lent = *twin;
        Ok(())
    }

    fn is_lent(lent: &u32, twin: &u32) -> bool {
        lent == twin
    }
}
