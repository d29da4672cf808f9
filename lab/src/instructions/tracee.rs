//! A child that performs an operation one machine instruction at a time.
//!
//! ```text
//! child   TRACEME, stops itself ..... body: set up | int3 BEGIN | operation | int3 END | the rest, exit
//! tracer  options, continue ......... continue     | step, step, step ...  | continue
//! ```
//! The number of the breakpoint is in rax. Only the thread that began is stepped; others run.

use crate::Verdict;
use crate::scenario::Watch;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// What the breakpoints say.
const BEGIN: u64 = 0xC0DE_0001;
pub const END: u64 = 0xC0DE_0002;
const HELD: u64 = 0xC0DE_0003;

/// In the child: breakpoints for the tracer.
pub struct Breakpoints;

impl Watch for Breakpoints {
    fn begin(&self) {
        breakpoint(BEGIN);
    }

    fn end(&self) {
        breakpoint(END);
    }

    fn held(&self) {
        breakpoint(HELD);
    }
}

fn breakpoint(number: u64) {
    // SAFETY: stops the process until its tracer lets it go on; touches nothing.
    unsafe { std::arch::asm!("int3", in("rax") number, options(nomem, nostack)) };
}

/// A failed call to the operating system is a fault of the laboratory, not of what it examines.
fn system<T>(result: nix::Result<T>) -> T {
    result.expect("the operating system traces children of ours")
}

fn set_debug_register(thread: Pid, number: usize, value: u64) {
    let place = std::mem::offset_of!(libc::user, u_debugreg) + 8 * number;
    system(ptrace::write_user(thread, place as ptrace::AddressType, value as libc::c_long));
}

/// What came of letting the child run.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The operation begins; from here on it is stepped.
    Begin,
    /// It has the lock that somebody is to wait for.
    Held,
    /// The operation has ended; the child has not.
    End,
    /// The child is gone, with this exit code, or a signal's number negative.
    Gone(i32),
}

/// See the module.
pub struct Tracee {
    pid: Pid,
    others: Vec<Pid>,
    /// Threads that stopped before we were told who made them.
    early: Vec<Pid>,
    /// The thread that stands at a breakpoint, and is stepped.
    stopped: Pid,
    gone: bool,
}

impl Tracee {
    /// Starts a child that performs `body` and exits.
    pub fn start(body: impl FnOnce() -> Verdict) -> Tracee {
        // SAFETY: this process has one thread, so the child may do everything.
        match unsafe { fork() }.expect("a new process") {
            ForkResult::Child => super::child::run(|| {
                system(ptrace::traceme());
                system(raise(Signal::SIGSTOP));
                body()
            }),
            ForkResult::Parent { child } => {
                assert_eq!(system(waitpid(child, None)), WaitStatus::Stopped(child, Signal::SIGSTOP));
                system(ptrace::setoptions(child, Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL));
                Tracee { pid: child, others: Vec::new(), early: Vec::new(), stopped: child, gone: false }
            }
        }
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The thread that stands at a breakpoint, and is stepped.
    pub fn thread(&self) -> Pid {
        self.stopped
    }

    /// Lets the thread that is stopped run on, and all others, until something is to be told.
    pub fn run(&mut self) -> Event {
        if !self.gone {
            system(ptrace::cont(self.stopped, None));
        }
        self.wait()
    }

    /// Waits for the others after the stepped thread has ended.
    pub fn wait(&mut self) -> Event {
        loop {
            let status = system(waitpid(None, Some(WaitPidFlag::__WALL)));
            let thread = status.pid().expect("a status of somebody");
            let ours = thread == self.pid || self.others.contains(&thread);
            match status {
                WaitStatus::Stopped(..) if !ours => self.early.push(thread),
                // Another child of this process has ended.
                _ if !ours => {}
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    self.stopped = thread;
                    match system(ptrace::getregs(thread)).rax {
                        BEGIN => return Event::Begin,
                        END => return Event::End,
                        HELD => return Event::Held,
                        other => panic!("a trap of no meaning: {other:#x}"),
                    }
                }
                WaitStatus::Stopped(_, signal) => system(ptrace::cont(thread, signal)),
                WaitStatus::PtraceEvent(..) => {
                    self.adopt(thread);
                    system(ptrace::cont(thread, None));
                }
                ended => {
                    if let Some(code) = self.ended(ended) {
                        return Event::Gone(code);
                    }
                }
            }
        }
    }

    /// A thread has ended. The code of the process, if it was its first one.
    fn ended(&mut self, status: WaitStatus) -> Option<i32> {
        let (thread, code) = match status {
            WaitStatus::Exited(thread, code) => (thread, code),
            WaitStatus::Signaled(thread, signal, _) => (thread, -(signal as i32)),
            other => panic!("an unexpected report: {other:?}"),
        };
        self.others.retain(|other| *other != thread);
        self.gone |= thread == self.pid;
        (thread == self.pid).then_some(code)
    }

    /// A thread has made another one, which is stopped before its first instruction.
    fn adopt(&mut self, parent: Pid) {
        let new = Pid::from_raw(system(ptrace::getevent(parent)) as i32);
        match self.early.iter().position(|early| *early == new) {
            Some(place) => drop(self.early.swap_remove(place)),
            None => drop(system(waitpid(new, Some(WaitPidFlag::__WALL)))),
        }
        system(ptrace::cont(new, None));
        self.others.push(new);
    }

    /// Executes one instruction of the stopped thread. `false`: that was its last.
    pub fn step(&mut self) -> bool {
        self.resume(ptrace::step)
    }

    /// Lets the stopped thread run until it is about to execute the instruction at `address` for the `nth` time, by a
    /// breakpoint of the processor's. `false`: it never came there.
    pub fn run_to(&mut self, address: u64, nth: u64) -> bool {
        // The first of the processor's breakpoints, on execution; enabled by bit 0 of its control word.
        let thread = self.stopped;
        set_debug_register(thread, 0, address);
        set_debug_register(thread, 7, 1);
        let there = (0..nth).all(|_| self.resume(ptrace::cont) && self.address() == address);
        if there {
            set_debug_register(thread, 7, 0);
        }
        there
    }

    /// Lets the stopped thread go on, by `how`, until it is trapped. `false`: it has ended.
    fn resume(&mut self, how: fn(Pid, Option<Signal>) -> nix::Result<()>) -> bool {
        let thread = self.stopped;
        system(how(thread, None));
        loop {
            match system(waitpid(thread, Some(WaitPidFlag::__WALL))) {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => return true,
                WaitStatus::Stopped(_, signal) => system(how(thread, Some(signal))),
                WaitStatus::PtraceEvent(..) => {
                    self.adopt(thread);
                    system(how(thread, None));
                }
                ended => {
                    self.ended(ended);
                    return false;
                }
            }
        }
    }

    /// The instruction that the stopped thread executes next.
    pub fn address(&self) -> u64 {
        system(ptrace::getregs(self.stopped)).rip
    }

    /// Kills the child where it stands.
    pub fn kill(self) {}
}

impl Drop for Tracee {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        system(nix::sys::signal::kill(self.pid, Signal::SIGKILL));
        let others = std::mem::take(&mut self.others);
        for thread in others.into_iter().chain([self.pid]) {
            // Stops that were reported before the death come first.
            while let Ok(status) = waitpid(thread, Some(WaitPidFlag::__WALL)) {
                if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                    break;
                }
            }
        }
    }
}
