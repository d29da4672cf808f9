//! Temporary paths in memory, and regions there.

use commy::{Region, RegionOptions, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long locks are waited for in tests: a wait as long as this is a hang.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longer than any recovery should take on a busy machine; far shorter than the time-out.
pub const QUICK: Duration = Duration::from_secs(2);

/// A directory of its own on tmpfs; removed with everything in it when dropped.
pub struct Temporary {
    directory: PathBuf,
}

impl Temporary {
    pub fn new() -> Temporary {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let directory = base.join(format!("commy-it-{}-{number}", std::process::id()));
            match std::fs::create_dir(&directory) {
                // Of a test that was killed, and whose process number is ours now.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => {
                    made.expect("a new directory in memory");
                    return Temporary { directory };
                }
            }
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of the test's region.
    pub fn region(&self) -> PathBuf {
        self.directory.join("region")
    }

    /// The path of another file beside it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// What lies in the directory beside the region, after an attempt to create that, too: where a file has a name from
    /// its beginning on (Windows), what killed creators left goes with the next creation.
    pub fn names_but_for_the_region(&self) -> Vec<String> {
        if cfg!(windows) {
            let _ = quiet().create(self.region());
        }
        let entries = std::fs::read_dir(&self.directory).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        names.filter(|name| name != "region").collect()
    }
}

impl Default for Temporary {
    fn default() -> Temporary {
        Temporary::new()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Small, and with a background thread that sleeps: whatever is recovered is recovered by somebody who needs it.
pub fn quiet() -> RegionOptions {
    Region::options().capacity(64 << 20).heartbeat(Duration::from_secs(3600)).lock_timeout(LOCK_TIMEOUT)
}

/// Opens a region quietly.
pub fn open(path: &Path) -> Result<Region> {
    quiet().open(path)
}

/// Opens a region as another process would, which waits for no lock: it gets what is free, and recovers nothing.
pub fn open_impatient(path: &Path) -> Result<Region> {
    quiet().own_attachment().lock_timeout(Duration::ZERO).open(path)
}

/// Opens a region as somebody who can neither lock nor recover.
pub fn open_to_read(path: &Path) -> Result<Region> {
    quiet().read_only(true).lock_timeout(QUICK).open(path)
}

/// A quiet region at a temporary path.
pub struct TemporaryRegion {
    region: Region,
    /// Bytes in use while it was empty.
    at_first: u64,
    _temporary: Temporary,
}

impl TemporaryRegion {
    pub fn new() -> TemporaryRegion {
        let temporary = Temporary::new();
        let region = quiet().create(temporary.region()).expect("a new region");
        // The directory of names has its memory from the first name on.
        region.object::<commy::SharedBox<u64>>("first").and_then(|_| region.remove_object("first")).expect("an object");
        let at_first = region.check().expect("a region").allocated_bytes;
        TemporaryRegion { region, at_first, _temporary: temporary }
    }

    /// Removes an object, the last that there is, and asserts that nothing is left of anything.
    #[track_caller]
    pub fn assert_empty_but_for(&self, name: &str) {
        self.region.remove_object(name).expect("an object");
        let report = self.region.check().expect("a region");
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.allocated_bytes, self.at_first, "bytes in use");
    }
}

impl Default for TemporaryRegion {
    fn default() -> TemporaryRegion {
        TemporaryRegion::new()
    }
}

impl std::ops::Deref for TemporaryRegion {
    type Target = Region;

    fn deref(&self) -> &Region {
        &self.region
    }
}
