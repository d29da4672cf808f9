//! What the benches ask of the operating system: each module has the same functions, and Linux some for what is measured
//! there alone.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    available_memory, caches, describe, keep_freed_memory, processors, stay_on, system, thread_time,
};
#[cfg(windows)]
pub(crate) use windows::{available_memory, caches, describe, keep_freed_memory, system, thread_time};

/// What the figures were made with: Commy, the system, the compiler.
pub(crate) fn versions() -> Vec<(&'static str, String)> {
    let manifest = include_str!("../../../Cargo.toml");
    let commy = manifest.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    let rust = std::process::Command::new("rustc").arg("--version").output();
    let rust =
        rust.map_or_else(|_| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    vec![
        ("caches of a core", caches()),
        ("Commy", commy.unwrap_or("unknown").into()),
        ("system", system()),
        ("Rust", rust),
    ]
}
