//! Helpers of the unit tests: children, which are this test program once more, in one of the roles below.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(super) use crate::sys::testing::Directory;
use crate::sys::{self, ByteLock, File, Mapping, ProcessIdentity};

/// Names role and file for a child.
const ROLE: &str = "COMMY_SYS_ROLE";
const FILE: &str = "COMMY_SYS_FILE";
/// The byte that the role `hold` takes.
pub(super) const BYTE: u64 = 1 << 62;

/// A process in a role, killed on drop.
pub(super) struct Role {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Role {
    pub(super) fn start(role: &str, file: &Path) -> Role {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "sys::windows::testing::a_child_plays_its_role", "--nocapture"]);
        let mut child =
            command.env(ROLE, role).env(FILE, file).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Role { child, output }
    }

    /// The next thing it says; what the harness says is left out.
    pub(super) fn says(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the child has ended");
            if let Some((_, said)) = line.trim_end().split_once("role: ") {
                return said.to_owned();
            }
        }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(super) fn wait(&mut self) {
        self.child.wait().unwrap();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(text: &str) {
    let mut output = std::io::stdout();
    writeln!(output, "role: {text}").unwrap();
    output.flush().unwrap();
}

/// Does nothing in a run of the tests; in a child it is all that runs.
#[test]
fn a_child_plays_its_role() {
    let (Ok(role), Some(path)) = (std::env::var(ROLE), std::env::var_os(FILE)) else { return };
    let path = Path::new(&path);
    match role.as_str() {
        "hold" => {
            let file = File::open(path, true).unwrap();
            let _lock = ByteLock::try_hold(&file, BYTE).unwrap().unwrap();
            say("held");
            std::thread::sleep(Duration::from_secs(60));
        }
        "identity" => {
            let identity = ProcessIdentity::current();
            say(&format!("{} {}", identity.pid, identity.start_time));
            std::thread::sleep(Duration::from_secs(60));
        }
        "park" => {
            let file = File::open(path, true).unwrap();
            let mapping = Mapping::new(&file, 4096, true).unwrap();
            // SAFETY: aligned, inside of the file, and only ever accessed as an atomic.
            let word = unsafe { mapping.base().cast::<sys::atomic::AtomicU32>().as_ref() };
            say("parking");
            while word.load(Ordering::SeqCst) == 0 {
                sys::futex_wait(word, 0, 1, Some(Duration::from_secs(10)));
            }
            say("woken");
        }
        other => panic!("no such role: {other}"),
    }
}
