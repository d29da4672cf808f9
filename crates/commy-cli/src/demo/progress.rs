//! One line that tells how far the demo is: rewritten in place on a terminal, now and then elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

pub(super) struct Progress {
    terminal: bool,
    interval: Duration,
    last: Instant,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let terminal = io::stdout().is_terminal();
        let interval = if terminal { Duration::from_millis(100) } else { Duration::from_secs(2) };
        Progress { terminal, interval, last: Instant::now() }
    }

    /// Shows the line if it is time to.
    pub(super) fn show(&mut self, line: impl FnOnce() -> String) -> io::Result<()> {
        if self.last.elapsed() < self.interval {
            return Ok(());
        }
        self.last = Instant::now();
        let mut out = io::stdout().lock();
        if self.terminal {
            write!(out, "\r\x1b[K{}", line())?
        } else {
            writeln!(out, "{}", line())?
        }
        out.flush()
    }

    /// Takes the line off the terminal.
    pub(super) fn clear(&self) -> io::Result<()> {
        if self.terminal { write!(io::stdout(), "\r\x1b[K") } else { Ok(()) }
    }
}
