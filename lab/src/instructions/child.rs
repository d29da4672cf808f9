//! Children of this process that need no tracer: each a fork, so that opening a region is all that it has to do.

use crate::Verdict;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

/// After this many seconds a child that has not ended hangs.
const PATIENCE: u32 = 30;

/// In a new child: performs `body`, and ends the process.
pub fn run(body: impl FnOnce() -> Verdict) -> ! {
    let code = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        Ok(Ok(_)) => 0,
        Ok(Err(failure)) => {
            eprintln!("{failure}");
            1
        }
        Err(_) => 101,
    };
    // SAFETY: ends the process without the destructors of the one it was forked from.
    unsafe { libc::_exit(code) }
}

/// A child at work; killed if it is dropped before it is done.
pub struct Child {
    pid: Pid,
    channel: BufReader<UnixStream>,
    done: bool,
}

/// The child's end of the line to its parent.
pub struct Parent(BufReader<UnixStream>);

impl Parent {
    pub fn tell(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").expect("a parent");
    }

    /// Waits until the parent says something; ends the process if it is gone.
    pub fn listen(&mut self) {
        let mut line = String::new();
        if self.0.read_line(&mut line).unwrap_or(0) == 0 {
            // SAFETY: as in `run`.
            unsafe { libc::_exit(0) };
        }
    }
}

impl Child {
    /// Starts a child that performs `body` and answers with its outcome.
    pub fn start(body: impl FnOnce(&mut Parent) -> Verdict) -> Child {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        // SAFETY: this process has one thread, so the child may do everything.
        match unsafe { fork() }.expect("a new process") {
            ForkResult::Child => {
                drop(ours);
                let mut parent = Parent(BufReader::new(theirs));
                run(|| {
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&mut parent)));
                    let line = match outcome {
                        Ok(Ok(answer)) => format!("+{answer}"),
                        Ok(Err(failure)) => format!("-{failure}"),
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().map(String::as_str);
                            let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("");
                            format!("-panic: {text}")
                        }
                    };
                    parent.tell(&line.replace('\n', "\u{1f}"));
                    Ok(String::new())
                })
            }
            ForkResult::Parent { child } => Child { pid: child, channel: BufReader::new(ours), done: false },
        }
    }

    /// Waits for a line that is not the outcome.
    pub fn hear(&mut self) -> Verdict {
        self.line()
    }

    /// Says that it may go on.
    pub fn send(&mut self) {
        let _ = writeln!(self.channel.get_mut(), "go on");
    }

    fn line(&mut self) -> Verdict {
        let patience = std::time::Duration::from_secs(PATIENCE.into());
        self.channel.get_ref().set_read_timeout(Some(patience)).expect("a socket");
        let mut line = String::new();
        match self.channel.read_line(&mut line) {
            Ok(0) => Err(format!("a survivor ended without a word: {:?}", waitpid(self.pid, None))),
            Ok(_) => Ok(line.trim_end_matches('\n').replace('\u{1f}', "\n")),
            Err(_) => Err(format!("a survivor hangs for {PATIENCE} s")),
        }
    }

    /// Waits for the outcome.
    pub fn outcome(mut self) -> Verdict {
        let line = self.line()?;
        // It is gone for the region when it is gone.
        let _ = self.channel.read(&mut [0; 1]);
        let _ = waitpid(self.pid, None);
        self.done = true;
        match line.split_at_checked(1) {
            Some(("+", answer)) => Ok(answer.into()),
            Some((_, failure)) => Err(failure.into()),
            None => Err("a survivor said nothing".into()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Somebody who waits for all children may have been told of its end already.
        if !self.done && waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive) {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Performs `body` in a child and waits for its outcome.
pub fn in_a_child(body: impl FnOnce() -> Verdict) -> Verdict {
    Child::start(|_| body()).outcome()
}
