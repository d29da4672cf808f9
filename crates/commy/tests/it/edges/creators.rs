//! Sixteen who create and open one path, killed at any moment, round after round; also on a file system that knows no files
//! without a name. (`liveness::crowds` has one generation, most of which live.)

use super::{is_clean, names, spawn};
use crate::seeded::{Random, seed, thorough};
use crate::support::child::{self, Child, End};
use crate::support::temporary::{Temporary, quiet};
use commy::{Region, SharedHashMap, crash};
use std::path::Path;

const CROWD: u64 = 16;

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        #[cfg(target_os = "linux")]
        if role.starts_with("named") {
            refuse_unnamed_files();
        }
        if role.ends_with("and die") {
            crash::arm_at("create: complete, without a name", 1, Path::new("/dev/null"));
        }
        child::tell("ready");
        child::listen();
        // Leaving, too, is something to be killed in.
        for _ in 0..20 {
            let region = quiet().own_attachment().open_or_create(path).unwrap();
            let map: SharedHashMap<u64, u64> = region.object("map").unwrap();
            map.insert(u64::from(std::process::id()), 1).unwrap();
        }
        child::tell("there");
        child::listen();
    });
}

/// From now on the kernel knows no O_TMPFILE.
#[cfg(target_os = "linux")]
fn refuse_unnamed_files() {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let mut steps = [
        step(load, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, libc::SYS_openat as u32),
        // The lower half of the third argument: the flags, whose bit 22 it is that O_TMPFILE has beside O_DIRECTORY.
        step(load, 0, 0, 32),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, 1 << 22),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program outlives the calls, which copy it; it holds for this thread and its children.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let installed = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0);
        assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
    }
}

fn crowd(role: &str, path: &Path) -> Vec<Child> {
    let mut children: Vec<_> = (0..CROWD).map(|_| spawn("creators", &[role, path.to_str().unwrap()])).collect();
    children.iter_mut().for_each(|child| assert_eq!(child.hear().as_deref(), Some("ready")));
    children
}

/// A crowd comes, a part of it is killed on the way, the rest is unharmed.
fn round(role: &str, temporary: &Temporary, random: &mut Random, kills: u64) {
    let path = temporary.region();
    let mut children = crowd(role, &path);
    assert!(children.iter_mut().all(|child| child.send("go")));
    let mut killed = Vec::new();
    for _ in 0..kills {
        for _ in 0..random.below(200_000) {
            std::hint::spin_loop();
        }
        let victim = random.below(CROWD) as usize;
        children[victim].kill();
        killed.push(victim);
    }
    for (number, child) in children.iter_mut().enumerate() {
        let came = child.hear().as_deref() == Some("there");
        assert!(came || killed.contains(&number), "{number} was harmed");
    }
    // One region: all who came are in it.
    let region = Region::open(&path).unwrap();
    let map = region.object::<SharedHashMap<u64, u64>>("map").unwrap().to_map().unwrap();
    for (number, child) in children.iter().enumerate() {
        assert!(killed.contains(&number) || map.contains_key(&u64::from(child.pid())), "{number} is elsewhere");
    }
    drop(children);
    is_clean(&region);
}

fn rounds(role: &str, mut after: impl FnMut(&Temporary)) {
    let seed = seed();
    println!("COMMY_SEED={seed}");
    let mut random = Random::new(seed);
    for number in 0..u64::from(thorough(6)) {
        let temporary = Temporary::new();
        // In the first one nobody is killed, in the last nearly everybody.
        round(role, &temporary, &mut random, number * 5);
        round(role, &temporary, &mut random, 5);
        after(&temporary);
    }
}

#[test]
fn creators_and_openers_are_killed_round_after_round_and_nobody_is_harmed() {
    rounds("unnamed", |temporary| assert_eq!(temporary.names_but_for_the_region(), [""; 0]));
}

#[test]
fn where_files_must_have_names_what_killed_creators_left_goes_with_the_next_creation() {
    rounds("named", |temporary| {
        let all = names(temporary.directory());
        assert!(all.iter().all(|name| name == "region" || name.starts_with(".region.commy-")), "{all:?}");
        Region::remove(temporary.region()).unwrap();
        let create = |role: &str| spawn("creators", &[role, temporary.region().to_str().unwrap()]);
        let mut victim = create("named and die");
        assert_eq!(victim.hear().as_deref(), Some("ready"));
        victim.send("go");
        assert_eq!((victim.hear(), victim.wait()), (None, End::Killed));
        assert!(names(temporary.directory()).iter().any(|name| name.starts_with(".region.commy-")), "it left its file");
        let mut next = create("named");
        assert_eq!(next.hear().as_deref(), Some("ready"));
        next.send("go");
        assert_eq!(next.hear().as_deref(), Some("there"));
        assert_eq!(names(temporary.directory()), ["region"], "the next one sweeps");
    });
}
