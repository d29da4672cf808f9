//! What the types promise.

use super::is_clean;
use crate::refused;
use crate::support::temporary::{Temporary, quiet};
use commy::{
    BoxWriteGuard, Error, HashMapReadGuard, HashMapWriteGuard, Plain, Region, SharedBox, SharedHashMap, SharedString,
    SharedVec, StringWriteGuard, VecIter, VecReadGuard, VecWriteGuard,
};
use std::mem::offset_of;

/// Compiles only if the type is neither `Send` nor `Sync`: otherwise `some` would mean two things.
macro_rules! stays_with_its_thread {
    ($($type:ty),* $(,)?) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn some() {}
            }
            struct CanBeSent;
            struct CanBeShared;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + Send> Ambiguous<CanBeSent> for T {}
            impl<T: ?Sized + Sync> Ambiguous<CanBeShared> for T {}
            let _ = <$type as Ambiguous<_>>::some;
        };
    )*};
}

// A guard or an iterator that could be moved would log into a foreign thread's lane.
stays_with_its_thread! {
    VecReadGuard<'static, u64>,
    VecWriteGuard<'static, u64>,
    VecIter<'static, u64>,
    HashMapReadGuard<'static, u64, u64>,
    HashMapWriteGuard<'static, u64, u64>,
    commy::Iter<'static, u64, u64>,
    BoxWriteGuard<'static, u64>,
    StringWriteGuard<'static>,
    commy::StringReadGuard<'static>,
    commy::BoxReadGuard<'static, u64>,
    commy::OccupiedEntry<'static, 'static, u64, u64>,
    commy::Transaction<'static>,
}

#[test]
fn handles_and_regions_go_to_any_thread() {
    fn goes<T: Send + Sync + Clone>() {}
    goes::<Region>();
    goes::<SharedVec<String>>();
    goes::<SharedHashMap<u64, Vec<u8>>>();
    goes::<SharedString>();
    goes::<SharedBox<u64>>();
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Plain)]
#[repr(C)]
struct Padded {
    small: u8,
    large: u64,
    middle: u16,
}

/// The value, with padding full of what should stay in this process.
fn dirty(small: u8, large: u64, middle: u16) -> Padded {
    let mut value = std::mem::MaybeUninit::<Padded>::uninit();
    // SAFETY: all bytes are written, then the fields, whose types have any bytes.
    unsafe {
        std::ptr::write_bytes(value.as_mut_ptr().cast::<u8>(), 0xa5, size_of::<Padded>());
        let place = value.as_mut_ptr();
        (&raw mut (*place).small).write(small);
        (&raw mut (*place).large).write(large);
        (&raw mut (*place).middle).write(middle);
        value.assume_init()
    }
}

#[test]
fn padding_never_reaches_the_file_nor_tells_keys_apart() {
    let temporary = Temporary::new();
    let region = quiet().capacity(1 << 20).create(temporary.region()).unwrap();
    let vector: SharedVec<Padded> = region.object("vector").unwrap();
    let map: SharedHashMap<Padded, Padded> = region.object("map").unwrap();
    let one: SharedBox<Padded> = region.object("one").unwrap();
    for number in 1..50 {
        let value = dirty(number, 1, 2);
        vector.push(value).unwrap();
        vector.set(0, value).unwrap();
        vector.write().unwrap().insert(0, value).unwrap();
        map.insert(value, value).unwrap();
        one.set(value).unwrap();
        let clean = Padded { small: number, large: 1, middle: 2 };
        assert_eq!(map.get(&clean).unwrap(), Some(clean), "found by its fields alone");
    }
    drop((vector, map, one, region));
    let bytes = crate::damaged::content(&temporary.region());
    assert!(!bytes.windows(4).any(|window| window == [0xa5; 4]), "bytes of this process are in the file");
}

#[test]
fn a_tuple_is_described_as_it_lies_in_memory() {
    type Mixed = (u8, u64, u8);
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let one: SharedBox<Mixed> = region.object("one").unwrap();
    one.set((1, u64::MAX, 2)).unwrap();
    // Where the fields of a tuple are is the compiler's choice, and another compiler may choose otherwise.
    let [a, b, c] = [offset_of!(Mixed, 0), offset_of!(Mixed, 1), offset_of!(Mixed, 2)];
    let schema = format!("SharedBox<(u8 @{a}, u64 @{b}, u8 @{c})#{}>", size_of::<Mixed>());
    assert_eq!(region.objects().unwrap()[0].schema, schema);
    assert_eq!(one.get().unwrap(), (1, u64::MAX, 2));
}

#[test]
fn an_object_of_another_type_is_refused_and_the_difference_named() {
    #[derive(Clone, Copy, Default, Plain)]
    #[repr(C)]
    struct Task {
        id: u64,
        weight: f32,
    }
    mod later {
        #[derive(Clone, Copy, Default, commy::Plain)]
        #[repr(C)]
        pub struct Task {
            pub id: u64,
            pub weight: f64,
        }
    }
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    region.object::<SharedVec<Task>>("tasks").unwrap().push(Task { id: 1, weight: 2.0 }).unwrap();
    match region.object::<SharedVec<later::Task>>("tasks") {
        Err(Error::TypeMismatch { difference, expected, found }) => {
            assert!(difference.contains("weight") && difference.contains("f64"), "{difference}");
            assert!(expected.contains("f64") && found.contains("f32"));
        }
        other => panic!("{other:?}"),
    }
    refused!(region.object::<SharedBox<Task>>("tasks"), Error::TypeMismatch { .. });
    refused!(region.object::<SharedVec<u64>>("tasks"), Error::TypeMismatch { .. });
    refused!(region.object::<SharedString>("tasks"), Error::TypeMismatch { .. });
    refused!(region.create_object::<SharedVec<Task>>("tasks"), Error::AlreadyExists);
    let reader = quiet().read_only(true).open(temporary.region()).unwrap();
    refused!(reader.open_object::<SharedVec<u64>>("tasks"), Error::TypeMismatch { .. });
    assert_eq!(region.object::<SharedVec<Task>>("tasks").unwrap().len().unwrap(), 1);
    is_clean(&region);
}
