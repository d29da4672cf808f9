//! Child processes: this binary once more, with a filter for one test that is really an entry point.
//!
//! ```text
//! parent                                     child
//! Child::spawn("module::entry", arguments)   #[test] fn entry() { child::entry(|arguments| ...) }
//! child.hear() == "ready"                    child::tell("ready")
//! child.send("go")                           child::listen() == "go"
//! ```
//! Lines go through stdin and stdout; nobody sleeps to let the other catch up.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
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
    /// What it tells; ends with its output.
    told: Receiver<String>,
}

/// A path as an argument of a child.
pub fn text(path: &Path) -> String {
    path.to_str().expect("a path that is text").to_string()
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By somebody, or by itself as if it were killed.
    Killed,
    /// By itself, successfully.
    Finished,
    /// By a failure; what it was is on stderr.
    Failed(i32),
}

impl Child {
    /// Starts this binary again, to run the test `entry` (a path as libtest prints it) with `arguments`.
    pub fn spawn(entry: &str, arguments: &[String]) -> Child {
        let mut command = Command::new(std::env::current_exe().expect("the path of this binary"));
        command
            .args(["--exact", entry, "--nocapture", "--test-threads=1", "--quiet"])
            .env(ARGUMENTS, arguments.join(SEPARATOR))
            .env(PARENT, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = start(&mut command);
        let input = process.stdin.take();
        let output = process.stdout.take().expect("stdout is a pipe");
        let (tell, told) = channel();
        // A thread, because no system but Linux lets one wait for a pipe with an end.
        thread::spawn(move || pass_on(output, &tell));
        Child { process, input, told }
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
        self.hear_until(Instant::now() + PATIENCE)
    }

    fn hear_until(&mut self, deadline: Instant) -> Option<String> {
        match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("child {} hangs", self.process.id()),
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
        while self.hear_until(deadline).is_some() {}
        end_of(self.process.wait().expect("our own child"))
    }

    /// Has it ended? Does not wait.
    pub fn try_wait(&mut self) -> Option<End> {
        self.process.try_wait().expect("our own child").map(end_of)
    }
}

/// Starts a process; again, where Wine says ERROR_INTERNAL_ERROR, as it does once in some thousand starts.
fn start(command: &mut Command) -> std::process::Child {
    for _ in 0..3 {
        match command.spawn() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(1359) => {}
            started => return started.expect("a new process"),
        }
    }
    command.spawn().expect("a new process")
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only if it has been waited for already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on the lines that are meant for the parent.
fn pass_on(output: ChildStdout, tell: &Sender<String>) {
    for line in BufReader::new(output).lines() {
        let line = line.expect("a pipe from the child");
        if let Some(told) = line.trim_end().strip_prefix(MARK)
            && tell.send(told.to_string()).is_err()
        {
            return;
        }
    }
}

#[cfg(unix)]
fn end_of(status: ExitStatus) -> End {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(libc::SIGKILL), _) => End::Killed,
        (_, Some(0)) => End::Finished,
        (signal, code) => End::Failed(code.or(signal).unwrap_or(-1)),
    }
}

/// The codes with which `std` terminates a child, and a child itself at a crash point.
#[cfg(windows)]
fn end_of(status: ExitStatus) -> End {
    match status.code() {
        Some(1 | 137) => End::Killed,
        Some(0) => End::Finished,
        code => End::Failed(code.unwrap_or(-1)),
    }
}

/// The body of an entry point. Does nothing when the test is run as one of all; in a child it runs `body` and ends the
/// process. A panic in `body` makes the child fail.
pub fn entry(body: impl FnOnce(&[&str])) {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    #[cfg(target_os = "linux")]
    end_with_the_parent();
    body(&arguments.split(SEPARATOR).collect::<Vec<_>>());
    std::process::exit(0);
}

/// Nobody outlives the run of the tests.
#[cfg(target_os = "linux")]
fn end_with_the_parent() {
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let parent = std::env::var(PARENT).expect("the parent says who it is");
    if parent != std::os::unix::process::parent_id().to_string() {
        std::process::exit(1);
    }
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
