//! What is offered for download to people on Windows: a zip of the program, and manifests that lead winget and Scoop to it.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use zip::write::SimpleFileOptions;

/// The files of `packaging/` with their `@WORDS@`, which are filled in.
const MANIFESTS: &[&str] = &[
    "scoop/commy.json",
    "winget/Commy.Commy.yaml",
    "winget/Commy.Commy.installer.yaml",
    "winget/Commy.Commy.locale.en-US.yaml",
];

/// Where everything goes; cleared first.
const TARGET: &str = "target/package";

/// Packs `program`, a `commy.exe`, for a download from the folder `url`; `homepage` is where people read about it.
pub fn run(program: &str, url: &str, homepage: &str) -> Result<(), String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let target = root.join(TARGET);
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    if target.exists() {
        fs::remove_dir_all(&target).map_err(|error| said(&target, error))?;
    }
    fs::create_dir_all(&target).map_err(|error| said(&target, error))?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("commy-{version}-x86_64-pc-windows.zip");
    let packed = target.join(&name);
    zip(
        &packed,
        &[
            ("commy.exe", read(Path::new(program))?),
            ("commy.ps1", completions(root)?),
            ("README.md", read(&root.join("README.md"))?),
            ("LICENSE-MIT", read(&root.join("LICENSE-MIT"))?),
            ("LICENSE-APACHE", read(&root.join("LICENSE-APACHE"))?),
        ],
    )
    .map_err(|error| said(&packed, error))?;
    let sum: String = Sha256::digest(read(&packed)?).iter().map(|byte| format!("{byte:02x}")).collect();
    for manifest in MANIFESTS {
        let text =
            String::from_utf8(read(&root.join("packaging").join(manifest))?).map_err(|error| error.to_string())?;
        let words = [("@VERSION@", version), ("@URL@", &format!("{url}/{name}")), ("@HOMEPAGE@", homepage)];
        let filled = words.iter().fold(text.replace("@SHA256@", &sum), |text, (word, value)| text.replace(word, value));
        let path: PathBuf = target.join(manifest);
        fs::create_dir_all(path.parent().expect("a file in a folder")).map_err(|error| said(&path, error))?;
        fs::write(&path, filled).map_err(|error| said(&path, error))?;
    }
    println!("{}\n{sum}", packed.display());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The completions for PowerShell, as this system's build of the program prints them.
fn completions(root: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "-q", "-p", "commy-cli", "--", "completions", "powershell"]).current_dir(root);
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn zip(path: &Path, files: &[(&str, Vec<u8>)]) -> std::io::Result<()> {
    let mut zip = zip::ZipWriter::new(File::create(path)?);
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(content)?;
    }
    zip.finish()?.sync_all()
}
