//! Whether a process is past its last instruction, although its locks are not free yet.
//!
//! The kernel frees file locks after it has taken the memory down: 300 ms for 4 GiB. That every task of a process is on
//! its way out shows much earlier. A listing of tasks is no snapshot, so the order of looking carries the proof (L3):
//!
//! 1. each listed task is exiting, and exiting is for ever;
//! 2. then the process has exactly as many tasks as were listed, all different;
//! 3. then each of them is still there, so it was there at step 2: at that moment the process had these tasks and no
//!    other, and none of them could make another any more.
//!
//! All this is of whatever process has the number now. If that is another one than the process in question, this one is over
//! all the more: a number is given away only when it is. So nobody needs to know when the process started. (Where that was
//! said, by a library before this one, a process that started at another time is spared: it does no harm.)
//!
//! None of this is asked while some task is known to have memory: that takes one look, and the others could take part in
//! taking the memory down.
//!
//! Absence proves nothing (another namespace, `hidepid`, no `/proc`): the answer then is `false` and the byte decides.
//! Not seen: a child made by `vfork` or `CLONE_VM` outside of the thread group, which goes on using the memory; another
//! `/proc` mounted in our place between the looks.

use super::super::common::ProcessIdentity;
use super::fork;
use super::identity::current_pid_namespace;
use super::proc_fs::{TaskDirectory, TaskStat, has_memory, process_stat};

/// How often tasks may change while they are looked at before the answer is "not known".
const TRIES: u32 = 8;

/// Whether `identity` was found to be a process of our namespace that is over, or none of whose tasks executes any further
/// instruction of its program. `false` means "not known". For a living process: three system calls, no allocation.
pub(crate) fn all_tasks_exiting(identity: &ProcessIdentity) -> bool {
    let _window = fork::descriptor_window();
    // On x86-64 who sees the flag sees all stores before it. Elsewhere a second look gives them time to arrive.
    let looks = if cfg!(target_arch = "x86_64") { 1 } else { 2 };
    // A task that is gone between two looks leaves the answer open; there is one less of them at the next.
    let known = || (0..TRIES).find_map(|_| every_task_exits(identity));
    (0..looks).all(|_| known().unwrap_or(false))
}

fn every_task_exits(identity: &ProcessIdentity) -> Option<bool> {
    // Where that cannot be told, the looks below tell.
    if has_memory(identity.pid) == Some(true) {
        return Some(false); // the usual answer: somebody is alive
    }
    let exits = match first_task_is_all(|| process_stat(identity.pid), identity)? {
        Some(exits) => exits,
        None => judge(&TaskDirectory::open(identity.pid)?, identity)?,
    };
    // The namespace matters only to who would be condemned.
    Some(exits && current_pid_namespace()? == identity.pid_namespace)
}

/// The three steps where one task is left, which is then the first: it exits, and after that it is the only one and still
/// there. `Some(None)`: there are others.
fn first_task_is_all(mut stat: impl FnMut() -> Option<TaskStat>, identity: &ProcessIdentity) -> Option<Option<bool>> {
    let Some(leader) = stat().filter(|leader| leader.exiting && may_lead(leader, identity)) else {
        return Some(Some(false));
    };
    let again = stat().filter(|again| again.exiting && again.start_time == leader.start_time)?;
    Some((again.thread_count == 1).then_some(true))
}

/// Is this the first task of that process, as far as is known?
fn may_lead(leader: &TaskStat, identity: &ProcessIdentity) -> bool {
    identity.start_time == 0 || leader.start_time == identity.start_time
}

/// What can be asked about the tasks of one process; the answers are of different moments.
trait Tasks {
    /// See [`TaskDirectory::stat`].
    fn stat(&self, thread_id: u32) -> Option<TaskStat>;
    /// See [`TaskDirectory::each_task`].
    fn each_task(&self, visit: impl FnMut(u32) -> bool) -> Option<()>;
}

impl Tasks for TaskDirectory {
    fn stat(&self, thread_id: u32) -> Option<TaskStat> {
        self.stat(thread_id)
    }

    fn each_task(&self, visit: impl FnMut(u32) -> bool) -> Option<()> {
        self.each_task(visit)
    }
}

/// The three steps. `Some(false)`: some task does not exit, or it is another process; `None`: the tasks have changed meanwhile.
fn judge(tasks: &impl Tasks, identity: &ProcessIdentity) -> Option<bool> {
    let leader = tasks.stat(identity.pid)?;
    if !leader.exiting || !may_lead(&leader, identity) {
        return Some(false);
    }

    // 1. Each listed task is exiting; of the first one that is known already.
    let mut listed: Vec<(u32, u64)> = Vec::new();
    let mut all_exit = Some(true);
    tasks.each_task(|thread_id| {
        let stat = if thread_id == identity.pid { Some(leader) } else { tasks.stat(thread_id) };
        match stat {
            Some(task) if task.exiting => listed.push((thread_id, task.start_time)),
            stat => all_exit = stat.map(|_| false),
        }
        all_exit == Some(true)
    })?;
    if all_exit != Some(true) {
        return all_exit;
    }
    listed.sort_unstable();
    if listed.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    // 2. There are as many as that, the first one among them.
    let counted = tasks.stat(identity.pid)?;
    if counted.thread_count != listed.len() as u64 || counted.start_time != leader.start_time {
        return None;
    }
    // 3. Each of the others is still there.
    let same = |&(thread_id, start_time): &(u32, u64)| {
        thread_id == identity.pid || tasks.stat(thread_id).is_some_and(|task| task.start_time == start_time)
    };
    listed.iter().all(same).then_some(true)
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
