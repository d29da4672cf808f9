//! The machine's edges: disks that are full or may not be written, limits that a process is given, files that somebody
//! else changes, clocks that differ, files and programs of another age.
//!
//! What needs a file system, limits or a user of its own happens in a child. Where the system refuses that to us (a
//! sandbox, no root) the child says so and the test ends there: `skipped: ...`.

#[cfg(target_os = "linux")]
mod clocks;
mod creators;
mod files;
mod fixture;
#[cfg(target_os = "linux")]
mod full;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod mounts;
mod types;

use crate::support::child::Child;
#[cfg(target_os = "linux")]
use crate::support::child::{self, End};
use commy::Region;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::{ffi::CString, io};

fn spawn(module: &str, arguments: &[&str]) -> Child {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    Child::spawn(&format!("edges::{module}::entry"), &arguments)
}

/// Runs a child to its end, which must be a good one, unless it says that it was refused what it needs.
#[cfg(target_os = "linux")]
fn run(module: &str, role: &str, path: &Path) {
    let mut child = spawn(module, &[role, path.to_str().unwrap()]);
    while let Some(line) = child.hear() {
        println!("{line}");
    }
    assert_eq!(child.wait(), End::Finished, "{module}: {role}");
}

/// In a child: ends it, because the system refuses it what the test needs.
#[cfg(target_os = "linux")]
fn skip(what: &str, error: &io::Error) -> ! {
    child::tell(&format!("skipped: {what}: {error}"));
    std::process::exit(0)
}

/// In a child: mounts of this thread and its children that nobody else sees, and that go with them.
#[cfg(target_os = "linux")]
fn own_mounts() {
    // SAFETY: takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        skip("no mounts of our own", &io::Error::last_os_error());
    }
    if let Err(error) = mount("none", Path::new("/"), "none", libc::MS_REC | libc::MS_PRIVATE, "") {
        skip("no private mounts", &error);
    }
}

#[cfg(target_os = "linux")]
fn mount(source: &str, target: &Path, kind: &str, flags: libc::c_ulong, options: &str) -> io::Result<()> {
    let [source, target, kind, options] =
        [source, target.to_str().unwrap(), kind, options].map(|text| CString::new(text).unwrap());
    // SAFETY: four strings that end in NUL and outlive the call.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the soft limit of a resource, within the hard one, which it returns.
#[cfg(target_os = "linux")]
fn limit(resource: libc::__rlimit_resource_t, value: Option<u64>) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads and writes one `rlimit`.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &raw mut limits), 0);
        limits.rlim_cur = value.unwrap_or(limits.rlim_max).min(limits.rlim_max);
        assert_eq!(libc::setrlimit(resource, &raw const limits), 0);
    }
    limits.rlim_max
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_clean(region: &Region) {
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}
