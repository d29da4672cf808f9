//! `fork`: a child's copies of ends are its parent's ends, and do nothing.

use super::{is_clean, numbers, region, spawn};
use crate::refused;
use crate::support::child::End;
use commy::{Error, Region};

/// In a child: forks with ends in its hands.
pub fn fork_with_ends(region: &Region) {
    let numbers = numbers(region);
    numbers.send(1).unwrap();
    numbers.send(2).unwrap();
    let mut sender = numbers.sender().unwrap();
    let mut receiver = numbers.receiver().unwrap();
    let lent = receiver.recv_ref().unwrap();
    let reserved = sender.reserve().unwrap();
    // SAFETY: the child ends inside of the block below. The library promises that it works after a fork.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: takes no pointers; ends the child should it hang.
        unsafe { libc::alarm(30) };
        // A failure ends the child with another status.
        refused!(reserved.commit(), Error::RolledBack);
        drop(lent);
        refused!(sender.send(9), Error::RolledBack);
        refused!(receiver.recv(), Error::RolledBack);
        drop((sender, receiver));
        // The parent has them still, and lives.
        refused!(numbers.try_send(9), Error::Timeout { .. });
        refused!(numbers.try_recv(), Error::Timeout { .. });
        let other = region.object::<commy::SharedChannel<u64>>("other").unwrap();
        other.send(1).unwrap();
        assert_eq!(other.receiver().unwrap().recv().unwrap(), 1);
        // SAFETY: ends the child without the destructors of its parent.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: writes one status word.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child ended with {status:#x}");
    assert_eq!(*lent, 1);
    drop(lent);
    sender.send(3).unwrap();
    assert_eq!(receiver.drain().unwrap(), [2, 3]);
}

#[test]
fn a_forked_child_has_no_end_of_its_parents() {
    let (temporary, region) = region();
    assert_eq!(spawn(&temporary, &["fork"]).wait(), End::Finished);
    assert_eq!(numbers(&region).len().unwrap(), 0);
    is_clean(&region);
}
