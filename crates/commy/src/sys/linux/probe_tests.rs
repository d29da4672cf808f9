//! Promises of the probe: it never condemns the living, and sees the dying before their locks are free.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;
use std::time::{Duration, Instant};

use super::super::testing::{Child, Directory, sleep_for_ever};
use super::super::{ByteLock, File, byte_is_held};
use super::*;

fn identity_of(child: &Child) -> ProcessIdentity {
    let tasks = TaskDirectory::open(child.pid).unwrap();
    let start_time = tasks.stat(child.pid).unwrap().start_time;
    ProcessIdentity { pid: child.pid, start_time, pid_namespace: current_pid_namespace().unwrap() }
}

/// A thread that starts its successor and ends: its process always has one that lives, never the same for long.
extern "C" fn hand_over(_: *mut c_void) -> *mut c_void {
    start_detached();
    ptr::null_mut()
}

fn start_detached() {
    // SAFETY: the attributes are initialised before use; a detached thread needs no join; the failing call (threads that
    // ended are not cleared away yet) is repeated.
    unsafe {
        let mut attributes = std::mem::zeroed::<libc::pthread_attr_t>();
        let mut thread = 0;
        libc::pthread_attr_init(&mut attributes);
        libc::pthread_attr_setdetachstate(&mut attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(&mut attributes, 64 * 1024);
        while libc::pthread_create(&mut thread, &attributes, hand_over, ptr::null_mut()) != 0 {}
    }
}

#[test]
fn the_living_are_never_condemned_however_their_threads_churn() {
    // Its first thread is a zombie, two chains of threads hand over to each other.
    let child = Child::fork(|line| {
        start_detached();
        start_detached();
        line.send(1);
        // SAFETY: ends this thread alone and runs nothing of the harness on the way.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        unreachable!()
    });
    assert_eq!(child.line.receive(), Some(1));
    let identity = identity_of(&child);
    let start = Instant::now();
    let mut probes = 0;
    while probes < 10_000 && start.elapsed() < Duration::from_secs(2) {
        assert!(!all_tasks_exiting(&identity), "condemned by probe {probes}");
        probes += 1;
    }
    assert!(probes >= 100, "only {probes} probes in two seconds");
    // The same probe believes in death when it comes.
    child.kill();
    let start = Instant::now();
    while !all_tasks_exiting(&identity) {
        assert!(start.elapsed() < Duration::from_secs(30), "death was not seen");
    }
    child.wait();
    assert!(!all_tasks_exiting(&identity), "absence proves nothing");
}

#[test]
fn the_dying_are_seen_before_their_byte_is_free() {
    let directory = Directory::new();
    let file = directory.page();
    // The memory takes some 20 ms to free, but nothing forces us to be scheduled meanwhile.
    assert!((0..10).any(|_| dying_child_is_seen_in_time(&file)), "the exiting flag was never ahead of the byte");
}

/// Kills a child with much memory and returns whether its byte was still held when its death was seen.
fn dying_child_is_seen_in_time(file: &File) -> bool {
    const MEMORY: usize = 256 << 20;
    const BYTE: u64 = 1 << 62;
    let child = Child::fork(|line| {
        let lock = ByteLock::try_hold(file, BYTE);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new range of memory, all touched by the call itself.
        let memory = unsafe { libc::mmap(ptr::null_mut(), MEMORY, protection, flags, -1, 0) };
        line.send(u64::from(memory != libc::MAP_FAILED && matches!(lock, Ok(Some(_)))));
        sleep_for_ever()
    });
    assert_eq!(child.line.receive(), Some(1));
    let identity = identity_of(&child);
    let other_start = ProcessIdentity { start_time: identity.start_time + 1, ..identity };
    let other_namespace = ProcessIdentity { pid_namespace: identity.pid_namespace + 1, ..identity };
    let unknown_namespace = ProcessIdentity { pid_namespace: 0, ..identity };
    let unknown_start = ProcessIdentity { start_time: 0, ..identity };
    assert!(!all_tasks_exiting(&identity) && !all_tasks_exiting(&unknown_start));
    child.kill();
    let killed = Instant::now();
    while !all_tasks_exiting(&identity) {
        assert!(killed.elapsed() < Duration::from_secs(30), "death was not seen");
    }
    let in_time = byte_is_held(file, BYTE).unwrap();
    assert!(all_tasks_exiting(&unknown_start), "whose number it is needs no second name");
    for stranger in [other_start, other_namespace, unknown_namespace] {
        assert!(!all_tasks_exiting(&stranger), "another process of that number, or one we cannot know");
    }
    assert_eq!(child.wait(), -libc::SIGKILL);
    assert!(!byte_is_held(file, BYTE).unwrap(), "reaped, so the byte is free");
    in_time
}

#[test]
fn a_process_does_not_condemn_itself() {
    assert!(!all_tasks_exiting(&ProcessIdentity::current()));
}

/// A task of a made-up process, with the moments at which it is born, begins to exit, and is gone.
#[derive(Clone, Copy)]
struct MadeUpTask {
    thread_id: u32,
    born: u64,
    exits: u64,
    gone: u64,
}

/// A made-up process in which time passes before each look, as the digits of a schedule say.
struct MadeUpProcess<'a> {
    tasks: &'a [MadeUpTask],
    now: Cell<u64>,
    schedule: Cell<u64>,
}

impl MadeUpProcess<'_> {
    const PAUSES: [u64; 3] = [0, 1, 4];
    const SCHEDULES: u64 = 3_u64.pow(10);

    fn let_time_pass(&self) -> u64 {
        let digit = self.schedule.get() % 3;
        self.schedule.set(self.schedule.get() / 3);
        self.now.set(self.now.get() + Self::PAUSES[digit as usize]);
        self.now.get()
    }

    fn present(&self) -> impl Iterator<Item = &MadeUpTask> {
        self.tasks.iter().filter(|task| (task.born..task.gone).contains(&self.now.get()))
    }
}

impl Tasks for MadeUpProcess<'_> {
    fn stat(&self, thread_id: u32) -> Option<TaskStat> {
        let now = self.let_time_pass();
        let task = self.present().find(|task| task.thread_id == thread_id)?;
        let thread_count = self.present().count() as u64;
        Some(TaskStat { exiting: now >= task.exits, thread_count, start_time: task.born + 1 })
    }

    fn each_task(&self, mut visit: impl FnMut(u32) -> bool) -> Option<()> {
        let mut listed = Vec::new();
        for task in self.tasks {
            if self.present().any(|present| present.born == task.born && present.thread_id == task.thread_id) {
                listed.push(task.thread_id);
                self.let_time_pass();
            }
        }
        listed.into_iter().all(&mut visit);
        Some(())
    }
}

#[test]
fn no_interleaving_of_looks_and_threads_condemns_the_living() {
    for start_time in [0, 1] {
        no_interleaving_condemns_the_living(&ProcessIdentity { pid: 1, start_time, pid_namespace: 1 });
    }
}

fn no_interleaving_condemns_the_living(identity: &ProcessIdentity) {
    let (mut condemned, mut condemned_alone, mut spared) = (0, 0, 0);
    for (linger, end) in [(1, 8), (1, u64::MAX), (2, 8), (2, u64::MAX), (3, u64::MAX), (5, u64::MAX)] {
        // A zombie leads; thread 2 makes 3 and ends, 3 makes one that takes the number 2 if it is free by then, that
        // makes 4, which may live for ever.
        let (third, born) = if linger < 3 { (2, 2 + linger) } else { (5, 4) };
        let task =
            |thread_id, born, exits: u64| MadeUpTask { thread_id, born, exits, gone: exits.saturating_add(linger) };
        let leader = MadeUpTask { thread_id: 1, born: 0, exits: 0, gone: u64::MAX };
        let tasks = [leader, task(2, 0, 2), task(3, 1, 5), task(third, born, 8), task(4, 7, end)];
        for schedule in 0..MadeUpProcess::SCHEDULES {
            let process = MadeUpProcess { tasks: &tasks, now: Cell::new(0), schedule: Cell::new(schedule) };
            if judge(&process, identity) == Some(true) {
                let now = process.now.get();
                let dead = tasks.iter().all(|task| now >= task.exits);
                assert!(dead, "condemned at {now}: linger {linger}, end {end}, schedule {schedule}");
                condemned += 1;
            } else {
                spared += 1;
            }
            let process = MadeUpProcess { tasks: &tasks, now: Cell::new(7), schedule: Cell::new(schedule) };
            if first_task_is_all(|| process.stat(1), identity) == Some(Some(true)) {
                let now = process.now.get();
                assert!(tasks.iter().all(|task| now >= task.exits), "condemned alone at {now}: schedule {schedule}");
                condemned_alone += 1;
            }
        }
    }
    assert!(condemned > 0 && condemned_alone > 0 && spared > 0, "{condemned}, {condemned_alone}, {spared} spared");
}
