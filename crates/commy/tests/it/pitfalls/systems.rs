//! File systems that cannot carry a region, played by a filter in front of the kernel.

use crate::refused;
use crate::support::child::{self, Child, End, text};
use crate::support::temporary::{Temporary, quiet};
use commy::{Error, SharedVec};

#[test]
fn entry() {
    child::entry(|arguments| {
        let [role, path] = arguments else { panic!("{arguments:?}") };
        let new = format!("{path} new");
        match *role {
            // What a file lies on is not said: as good as a network, where neither mappings nor locks can be relied on.
            "unknown" => {
                refuse(libc::SYS_fstatfs, libc::EPERM);
                refused!(quiet().open(path), Error::Unsupported { .. });
                refused!(quiet().read_only(true).open(path), Error::Unsupported { .. });
                refused!(quiet().create(&new), Error::Unsupported { .. });
            }
            "no storage ahead" => {
                let region = quiet().open(path).unwrap();
                let texts: SharedVec<String> = region.open_object("texts").unwrap();
                refuse(libc::SYS_fallocate, libc::EOPNOTSUPP);
                refused!(quiet().create(&new), Error::Unsupported { .. });
                refused!(texts.push("x".repeat(8 << 20)), Error::Io { .. } | Error::Unsupported { .. });
                // What needs no growth still works.
                texts.push("short").unwrap();
            }
            other => panic!("{other}"),
        }
        assert!(!std::path::Path::new(&new).exists());
    });
}

/// From now on the kernel refuses a system call of this process with `error`.
fn refuse(call: libc::c_long, error: i32) {
    let step = |code, jump_if_not, k| libc::sock_filter { code, jt: 0, jf: jump_if_not, k };
    let mut steps = [
        // The number of the call is the first word of what a filter sees.
        step((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0, 0),
        step((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 1, call as u32),
        step((libc::BPF_RET | libc::BPF_K) as u16, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        step((libc::BPF_RET | libc::BPF_K) as u16, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program outlives the calls, which copy it; it holds for this process alone.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let installed = libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0);
        assert_eq!(installed, 0, "{}", std::io::Error::last_os_error());
    }
}

fn ends_well(role: &str) {
    let temporary = Temporary::new();
    let region = quiet().create(temporary.region()).unwrap();
    let texts: SharedVec<String> = region.object("texts").unwrap();
    texts.push("there").unwrap();
    let child = Child::spawn("pitfalls::systems::entry", &[role.into(), text(&temporary.region())]);
    assert_eq!(child.wait(), End::Finished);
    assert_eq!(texts.get(0).unwrap().as_deref(), Some("there"));
    super::is_clean(&region);
}

#[test]
fn file_systems_that_are_not_known_to_be_local_are_refused() {
    ends_well("unknown");
}

#[test]
fn a_file_system_that_cannot_reserve_storage_says_so() {
    ends_well("no storage ahead");
}
