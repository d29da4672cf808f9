//! Threads that end: with guards, in destructors, after leaking.

use super::spawn;
use crate::refused;
use crate::support::child;
use crate::support::stop::{go_on, until_stopped};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, Region, SharedVec, VecReadGuard, VecWriteGuard, crash};
use std::cell::RefCell;
use std::sync::mpsc;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        match *role {
            "leak" => leak(path),
            "end in the middle" => end_in_the_middle(path),
            other => panic!("{other}"),
        }
    });
}

/// Ends while another thread stands in the middle of taking a lane. Windows ends that one first, where it is, and then runs
/// the destructors of the last thread, to which a lane belongs, too.
fn end_in_the_middle(path: &str) {
    // Outlives its users, as what stands in a static does.
    let region: &'static Region = Box::leak(Box::new(quiet().open(path).unwrap()));
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    numbers.push(1).unwrap();
    crash::stop_at("lane: claimed", 1);
    std::thread::spawn(move || numbers.push(2));
    child::listen();
    std::process::exit(0);
}

#[test]
fn a_process_that_ends_with_a_thread_in_the_middle_comes_to_its_end() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let mut child = spawn("threads", &["end in the middle", temporary.region().to_str().unwrap()]);
    until_stopped(&child);
    if cfg!(target_os = "linux") {
        // There all of the process has stopped.
        go_on(&child);
    }
    assert!(child.send("end"));
    assert_eq!(child.wait(), child::End::Finished);
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    assert_eq!(numbers.get(0).unwrap(), Some(1));
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

/// Leaks a write and a read guard in threads that end; what they lend stays as it is.
fn leak(path: &str) {
    let region = quiet().lock_timeout(SHORT).open(path).unwrap();
    let handle = |name: &str| -> &'static SharedVec<u64> { Box::leak(Box::new(region.object(name).unwrap())) };
    let (read, written) = (handle("read"), handle("written"));
    let writer = std::thread::spawn(|| {
        let guard: &'static mut VecWriteGuard<'static, u64> = Box::leak(Box::new(written.write().unwrap()));
        guard.push(2).unwrap();
    });
    writer.join().unwrap();
    // Last, and in a thread of its own: nothing but the guard keeps its lane from whoever needs one next.
    let reader = std::thread::spawn(|| {
        let lent: &'static VecReadGuard<'static, u64> = Box::leak(Box::new(read.read().unwrap()));
        let lent: &'static [u64] = lent;
        lent
    });
    let lent: &'static [u64] = reader.join().unwrap();
    // The thread and its locals are gone; nobody may change what is lent.
    refused!(read.push(9), Error::Timeout { .. });
    match written.push(9) {
        Err(Error::Timeout { holder, .. }) => assert_eq!(holder.pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    assert_eq!(lent, [1]);
    drop(region);
    refused!(read.push(9), Error::Timeout { .. });
    assert_eq!(lent, [1]);
    child::tell("leaked");
    child::listen();
}

#[test]
fn what_a_leaked_guard_lends_outlives_its_thread_and_ends_with_the_process() {
    let temporary = Temporary::new();
    let region = quiet().lock_timeout(SHORT).create(temporary.region()).unwrap();
    let [read, written] = ["read", "written"].map(|name| region.object::<SharedVec<u64>>(name).unwrap());
    read.push(1).unwrap();
    let mut child = spawn("threads", &["leak", temporary.region().to_str().unwrap()]);
    assert_eq!(child.hear().as_deref(), Some("leaked"));
    refused!(read.push(3), Error::Timeout { .. });
    refused!(written.push(3), Error::Timeout { .. });
    child.kill();
    let region = quiet().own_attachment().open(temporary.region()).unwrap();
    let [read, written] = ["read", "written"].map(|name| region.object::<SharedVec<u64>>(name).unwrap());
    read.push(3).unwrap();
    written.push(3).unwrap();
    assert_eq!((read.to_vec().unwrap(), written.to_vec().unwrap()), (vec![1, 3], vec![3]));
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

thread_local! {
    static KEPT: RefCell<Vec<VecWriteGuard<'static, u64>>> = const { RefCell::new(Vec::new()) };
    static READ: RefCell<Vec<VecReadGuard<'static, u64>>> = const { RefCell::new(Vec::new()) };
}

/// Touches the thread-locals before or after the library has its own, so that they are dropped after or before those.
fn in_thread_with_locals(touch_first: bool, body: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if touch_first {
                KEPT.with_borrow(|_| ());
                READ.with_borrow(|_| ());
                LAST.with_borrow(|_| ());
            }
            body();
        });
        // A scope waits for the closure only, not for what thread-locals do afterwards.
        thread.join().unwrap();
    });
}

#[test]
fn a_guard_in_a_thread_local_ends_with_the_thread() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let handle = |name: &str| -> &'static SharedVec<u64> { Box::leak(Box::new(region.object(name).unwrap())) };
    let (numbers, others) = (handle("numbers"), handle("others"));
    let lanes = region.stats().unwrap().lanes;
    let mut expected = Vec::new();
    for round in 0..20 {
        in_thread_with_locals(round % 2 == 0, || {
            let mut guard = numbers.write().unwrap();
            guard.push(round).unwrap();
            KEPT.with_borrow_mut(|kept| kept.push(guard));
            READ.with_borrow_mut(|kept| kept.push(others.read().unwrap()));
        });
        expected.push(round);
        // Released, and committed: nothing went wrong in that thread.
        assert_eq!(numbers.read().unwrap().to_vec().unwrap(), expected);
        others.push(round).unwrap();
    }
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
    // The last thread's lane may wait for the next thread that needs one.
    assert!(region.stats().unwrap().lanes <= lanes + 2, "{:?}", region.stats());
}

/// Pushes when its thread ends.
struct Last(SharedVec<u64>, Option<mpsc::Sender<()>>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.push(1).unwrap();
        assert_eq!(self.0.get(0).unwrap(), Some(1));
        drop(self.1.take());
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn a_destructor_of_a_thread_may_push() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    for round in 0..20 {
        in_thread_with_locals(round % 2 == 0, || {
            // The first use of the library in this thread; in half of the rounds after the local was touched.
            assert_eq!(numbers.read().unwrap().len() as u64, round);
            LAST.set(Some(Last(numbers.clone(), None)));
        });
        assert_eq!(numbers.len().unwrap() as u64, round + 1);
    }
    // Threads whose first and only use of the library is in their destructors.
    for round in 20..30 {
        in_thread_with_locals(true, || LAST.set(Some(Last(numbers.clone(), None))));
        assert_eq!(numbers.len().unwrap() as u64, round + 1);
    }
    let report = region.check().unwrap();
    assert!(report.is_clean(), "{report}");
}

/// More threads one after another than there are lanes, each using the library in a destructor that runs after the
/// library's own.
#[test]
fn destructors_of_many_threads_do_not_use_up_the_lanes() {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let numbers: SharedVec<u64> = region.object("numbers").unwrap();
    for round in 0..2100 {
        in_thread_with_locals(true, || {
            assert_eq!(numbers.read().unwrap().len(), round);
            LAST.set(Some(Last(numbers.clone(), None)));
        });
    }
    assert_eq!(numbers.len().unwrap(), 2100);
    assert!(region.stats().unwrap().lanes < 20, "{:?}", region.stats());
}

#[test]
fn a_guard_cannot_leave_its_thread_and_a_handle_can() {
    fn sends<T: Send + Sync>() {}
    sends::<Region>();
    sends::<SharedVec<u64>>();
    // That guards are not `Send` is a `compile_fail` test of the documentation.
}
