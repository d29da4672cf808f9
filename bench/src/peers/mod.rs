//! What Commy stands beside: other ways to share data between processes, and other ways to keep it in one.
//!
//! A peer is measured if its probe finds it; else the report says how to install it. Each is set up as its own
//! documentation recommends for speed, and says so.

#[cfg(feature = "peers")]
pub(crate) mod blackboard;
#[cfg(target_os = "linux")]
pub(crate) mod boost;
#[cfg(target_os = "linux")]
mod channel;
mod commy;
#[cfg(target_os = "linux")]
pub(crate) mod crew;
#[cfg(feature = "peers")]
mod dashmap;
#[cfg(feature = "peers")]
mod iceoryx;
#[cfg(target_os = "linux")]
pub(crate) mod line;
#[cfg(feature = "peers")]
pub(crate) mod lmdb;
mod map;
pub(crate) mod memory;
#[cfg(feature = "peers")]
mod mmap_sync;
#[cfg(target_os = "linux")]
pub(crate) mod pair;
#[cfg(feature = "peers")]
mod parking_lot;
#[cfg(target_os = "linux")]
pub(crate) mod python;
#[cfg(feature = "peers")]
mod redb;
#[cfg(target_os = "linux")]
mod redis;
#[cfg(target_os = "linux")]
mod ring;
#[cfg(feature = "peers")]
mod shared_hashmap;
mod std;
#[cfg(feature = "peers")]
mod store;
#[cfg(target_os = "linux")]
pub(crate) mod talker;
mod text;

pub(crate) use map::{Act, Contestant, maps, trees, verified};
#[cfg(feature = "peers")]
pub(crate) use store::Stores;
pub(crate) use text::{Reader, text_of, texts};

/// Something that Commy is measured beside.
#[derive(Debug)]
pub(crate) struct Peer {
    /// On the command line.
    pub(crate) name: &'static str,
    /// In the report, and how the names of its figures begin.
    pub(crate) title: &'static str,
    /// Whether processes can use it together.
    pub(crate) shared: bool,
    /// How it is set up.
    pub(crate) setup: &'static str,
    pub(crate) probe: fn() -> Presence,
}

/// Whether a peer can be measured here.
pub(crate) enum Presence {
    /// Its version.
    Here(String),
    /// What to do about it.
    Missing(String),
}

/// Whether a figure's name is that of something that processes can use together.
pub(crate) fn is_shared(name: &str) -> bool {
    PEERS.iter().any(|peer| peer.shared && name.starts_with(peer.title))
}

/// All of them. The standard library and the C library's allocator are always there and need no name.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "parking_lot",
        title: "parking_lot",
        shared: false,
        setup: "its Mutex around HashMap",
        probe: || of_crate("parking_lot"),
    },
    Peer {
        name: "dashmap",
        title: "DashMap",
        shared: false,
        setup: "foldhash, as many shards as it chooses",
        probe: || of_crate("dashmap"),
    },
    Peer {
        name: "mimalloc",
        title: "mimalloc",
        shared: false,
        setup: "mi_malloc and mi_free, not its secure mode",
        probe: || of_crate("libmimalloc-sys"),
    },
    Peer {
        name: "boost",
        title: "Boost",
        shared: true,
        setup: "g++ -O3, managed_mapped_file in memory, unordered_map, map with cached_node_allocator, \
                interprocess_mutex around each operation; Lockfree's spsc_queue there, of 1,024 messages, spinning",
        #[cfg(target_os = "linux")]
        probe: boost::probe,
        #[cfg(not(target_os = "linux"))]
        probe: on_linux,
    },
    Peer {
        name: "lmdb",
        title: "LMDB",
        shared: true,
        setup: "through heed; WRITEMAP, NOSYNC, NOMETASYNC, NORDAHEAD, integer keys; all operations of a batch in one \
                transaction, except in `shared-map`, where each has its own",
        probe: || of_crate("heed"),
    },
    Peer {
        name: "redb",
        title: "redb",
        shared: false,
        setup: "a file in memory, durability None, all operations of a batch in one transaction",
        probe: || of_crate("redb"),
    },
    Peer {
        name: "redis",
        title: "Redis",
        shared: true,
        setup: "over its Unix socket, nothing saved, pipelines of 500 commands",
        #[cfg(target_os = "linux")]
        probe: redis::probe,
        #[cfg(not(target_os = "linux"))]
        probe: on_linux,
    },
    Peer {
        name: "iceoryx2",
        title: "iceoryx2",
        shared: true,
        setup: "publish-subscribe with loaned samples, nothing overwritten, spinning; blackboard of 2,000 entries, because it \
                finds a key by walking through all of them",
        probe: || of_crate("iceoryx2"),
    },
    Peer {
        name: "subetha-cxc",
        title: "subetha-cxc",
        shared: true,
        setup: "not measured",
        probe: || Presence::Missing("no version of it builds with Rust 1.95 (0.4 to 0.6 ask for 1.96)".into()),
    },
    Peer {
        name: "shared_hashmap",
        title: "shared_hashmap",
        shared: true,
        setup: "2,000 entries, because each look-up walks through all of them",
        probe: || of_crate("shared_hashmap"),
    },
    Peer {
        name: "mmap-sync",
        title: "mmap-sync",
        shared: true,
        setup: "the whole map in one archived value, read without a copy; one writer writes it anew",
        probe: || of_crate("mmap-sync"),
    },
    Peer {
        name: "python",
        title: "Python",
        shared: true,
        setup: "a dict of a Manager in its own process, 2,000 entries; Queue",
        #[cfg(target_os = "linux")]
        probe: python::probe,
        #[cfg(not(target_os = "linux"))]
        probe: on_linux,
    },
];

#[cfg(not(target_os = "linux"))]
fn on_linux() -> Presence {
    Presence::Missing("measured on Linux".into())
}

/// A crate is there if this program was built with it; the lock file says which version that is.
#[cfg(feature = "peers")]
fn of_crate(name: &str) -> Presence {
    let lock = include_str!("../../peers/Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).and_then(|(_, rest)| rest.split_once('"'));
    Presence::Here(format!("{name} {}", entry.map_or("of an unknown version", |(version, _)| version)))
}

#[cfg(not(feature = "peers"))]
fn of_crate(_: &str) -> Presence {
    Presence::Missing("not part of this build; `cargo xtask bench` builds it".into())
}
