//! Child processes: this binary once more, with a filter for one test that is really an entry point.
//!
//! ```text
//! parent                                     child
//! Child::spawn("module::entry", arguments)   #[test] fn entry() { child::entry(|arguments| ...) }
//! child.hear() == "ready"                    child::tell("ready")
//! child.send("go")                           child::listen() == "go"
//! ```
//! Lines go through stdin and stdout; nobody sleeps to let the other catch up.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const ARGUMENTS: &str = "COMMY_TEST_CHILD";
const PARENT: &str = "COMMY_TEST_PARENT";
const SEPARATOR: &str = "\u{1f}";
/// Marks the lines that are meant for the parent among those that libtest prints.
const MARK: char = '@';
/// Longer than any lock time-out of the tests: a child that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child; killed and waited for when dropped.
pub struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// A path as an argument of a child.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_string()
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By SIGKILL.
    Killed,
    /// By itself, successfully.
    Finished,
    /// By a failure; what it was is on stderr.
    Failed(i32),
}

impl Child {
    /// Starts this binary again, to run the test `entry` (a path as libtest prints it) with `arguments`.
    pub fn spawn(entry: &str, arguments: &[String]) -> Child {
        let mut process = Command::new(std::env::current_exe().expect("the path of this binary"))
            .args(["--exact", entry, "--nocapture", "--test-threads=1", "--quiet"])
            .env(ARGUMENTS, arguments.join(SEPARATOR))
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a new process");
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().expect("stdout is a pipe"));
        Child { process, input, output }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a line to the child; false if it is gone.
    pub fn send(&mut self, line: &str) -> bool {
        self.input.as_mut().is_some_and(|input| writeln!(input, "{line}").is_ok())
    }

    /// The next line that the child tells; `None` if it ends first.
    pub fn hear(&mut self) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.wait_for_output(deadline);
            let mut line = String::new();
            if self.output.read_line(&mut line).expect("a pipe from the child") == 0 {
                return None;
            }
            if let Some(told) = line.trim_end().strip_prefix(MARK) {
                return Some(told.to_string());
            }
        }
    }

    /// Kills the child as the operating system does it: at any instruction.
    pub fn kill(&mut self) {
        self.process.kill().expect("our own child");
    }

    /// Waits until the child has ended.
    pub fn wait(mut self) -> End {
        self.input = None;
        let deadline = Instant::now() + PATIENCE;
        let mut rest = [0; 4096];
        loop {
            self.wait_for_output(deadline);
            if self.output.read(&mut rest).expect("a pipe from the child") == 0 {
                break;
            }
        }
        end_of(self.process.wait().expect("our own child"))
    }

    /// Has it ended? Does not wait.
    pub fn try_wait(&mut self) -> Option<End> {
        self.process.try_wait().expect("our own child").map(end_of)
    }

    /// Waits until there is something to read, be it the end.
    fn wait_for_output(&mut self, deadline: Instant) {
        if !self.output.buffer().is_empty() {
            return;
        }
        let mut poll = libc::pollfd { fd: self.output.get_ref().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() as i32;
        // SAFETY: one valid pollfd.
        let ready = unsafe { libc::poll(&raw mut poll, 1, left) };
        assert!(ready != 0, "child {} hangs", self.process.id());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only if it has been waited for already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn end_of(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(libc::SIGKILL), _) => End::Killed,
        (_, Some(0)) => End::Finished,
        (signal, code) => End::Failed(code.or(signal).unwrap_or(-1)),
    }
}

/// The body of an entry point. Does nothing when the test is run as one of all; in a child it runs `body` and ends the
/// process. A panic in `body` makes the child fail.
pub fn entry(body: impl FnOnce(&[&str])) {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    // Nobody outlives the run of the tests.
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let parent = std::env::var(PARENT).expect("the parent says who it is");
    if parent != std::os::unix::process::parent_id().to_string() {
        std::process::exit(1);
    }
    body(&arguments.split(SEPARATOR).collect::<Vec<_>>());
    std::process::exit(0);
}

/// In a child: tells the parent a line.
pub fn tell(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "\n{MARK}{line}").and_then(|()| output.flush()).expect("a pipe to the parent");
}

/// In a child: the next line from the parent; ends the child if the parent is gone.
pub fn listen() -> String {
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).expect("a pipe from the parent") == 0 {
        std::process::exit(1);
    }
    line.trim_end().to_string()
}
