//! `cargo bench -p bench`; see `cargo bench -p bench -- --help`.

fn main() -> std::process::ExitCode {
    bench::run()
}
