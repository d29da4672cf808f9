//! Processor time by the clock that a thread has, and what `/proc` tells.

use std::fs;
use std::io;
use std::time::Duration;

/// Processor time of the calling thread.
#[inline(always)]
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is room for one timespec; every Linux knows the clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The processors that this thread may use.
pub(crate) fn processors() -> io::Result<Vec<usize>> {
    // SAFETY: a set is a row of bits, all 0; the call writes one, the macro reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        match libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) {
            0 => Ok((0..libc::CPU_SETSIZE as usize).filter(|processor| libc::CPU_ISSET(*processor, &set)).collect()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Keeps the calling thread on a processor.
pub(crate) fn stay_on(processor: usize) -> io::Result<()> {
    // SAFETY: a set is a row of bits, all 0; the macro writes it, the call reads it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        match libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// From here on what is freed stays with the process, as pages stay with a region: both sides then find their memory
/// warm. (Left alone, glibc maps each large table anew and gives it back.)
pub(crate) fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: sets a number; one thread runs.
        unsafe { libc::mallopt(parameter, 1 << 30) };
    }
}

/// Processor, cores, load and huge pages: what a reader of the figures wants to know.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let information = read("/proc/cpuinfo");
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_string();
    let huge = |file: &str| {
        let modes = read(&format!("/sys/kernel/mm/transparent_hugepage/{file}"));
        modes.split(['[', ']']).nth(1).unwrap_or("?").to_string()
    };
    let (private, shared) = (huge("enabled"), huge("shmem_enabled"));
    let model = model.unwrap_or("unknown processor");
    format!("{cores} x {model}, load {load}; huge pages: private {private}, shared {shared}")
}

/// Bytes of memory that may be taken before something has to go.
pub(crate) fn available_memory() -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB"));
    line.and_then(|number| number.parse::<usize>().ok()).map_or(0, |kib| kib << 10)
}

/// The caches of a core, by which knees can be told.
pub(crate) fn caches() -> String {
    let read = |index: u32, file: &str| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}");
        fs::read_to_string(path).map(|text| text.trim_end().to_string())
    };
    let caches = (0..8)
        .map_while(|index| Some((read(index, "level").ok()?, read(index, "type").ok()?, read(index, "size").ok()?)));
    let data = caches.filter(|(_, kind, _)| kind != "Instruction");
    let text = data.map(|(level, _, size)| format!("L{level} {size}")).collect::<Vec<_>>().join(", ");
    if text.is_empty() { "not told by the system".into() } else { text }
}

/// The kernel and the C library.
pub(crate) fn system() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}{}", kernel.trim_end(), c_library())
}

#[cfg(target_env = "gnu")]
fn c_library() -> String {
    // SAFETY: it returns a constant text.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!(", glibc {}", version.to_string_lossy())
}

#[cfg(not(target_env = "gnu"))]
fn c_library() -> String {
    String::new()
}
