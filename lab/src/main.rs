//! The laboratory's command line; `cargo xtask crash` builds and runs it.

#[cfg(target_os = "linux")]
mod parts;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    parts::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("the laboratory's programs run on Linux; elsewhere the tests of the library kill and damage");
    ExitCode::FAILURE
}
