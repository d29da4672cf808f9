//! A thread whose start keeps its starter as short as possible.
//!
//! A new thread often begins on the processor of whoever made it, and in its place (measured: Linux 6.18, another
//! processor idle). Then all that it does before its first sleep is waited for: what the standard library prepares (an
//! alternate stack, by way of the C library's allocator an arena) takes 40 us, a first sleep with a timer 20.

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// As the standard library has it.
const STACK: usize = 2 << 20;

type Body = Box<dyn FnOnce() + Send>;

struct Start {
    name: &'static CStr,
    body: Body,
}

/// Starts a thread that nobody waits for. A panic ends it alone.
///
/// # Errors
/// Those of `pthread_create`; `body` was not called then.
pub(crate) fn start_thread(name: &'static CStr, body: Body) -> io::Result<()> {
    let start = Box::into_raw(Box::new(Start { name, body }));
    let result = create(start.cast());
    if result == 0 {
        return Ok(());
    }
    // SAFETY: made above, and no thread has it.
    drop(unsafe { Box::from_raw(start) });
    Err(io::Error::from_raw_os_error(result))
}

fn create(start: *mut c_void) -> i32 {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread: libc::pthread_t = 0;
    // SAFETY: the attributes are made before they are used and destroyed after that; `run` is of the type asked for, and
    // gets what `start_thread` has boxed for it.
    unsafe {
        let result = libc::pthread_attr_init(attributes.as_mut_ptr());
        if result != 0 {
            return result;
        }
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        let result = libc::pthread_create(&mut thread, attributes.as_ptr(), run, start);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        result
    }
}

extern "C" fn run(start: *mut c_void) -> *mut c_void {
    // SAFETY: takes nothing. The starter goes on first.
    unsafe { libc::sched_yield() };
    // SAFETY: boxed by `start_thread` for this thread alone.
    let Start { name, body } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    // SAFETY: a string that ends in NUL; a longer name than the kernel keeps is cut.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    // What it has to say was said by the panic hook.
    let _ = catch_unwind(AssertUnwindSafe(body));
    std::ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn it_runs_under_its_name_and_its_panic_is_its_own() {
        let (send, receive) = channel();
        start_thread(
            c"commy test",
            Box::new(move || send.send(std::fs::read_to_string("/proc/thread-self/comm")).unwrap()),
        )
        .unwrap();
        assert_eq!(receive.recv().unwrap().unwrap().trim_end(), "commy test");
        let (send, receive) = channel::<()>();
        let body = move || {
            let _held = send;
            std::panic::resume_unwind(Box::new("it ends by this"));
        };
        start_thread(c"commy test", Box::new(body)).unwrap();
        assert!(receive.recv().is_err(), "unwound, what it held was dropped");
    }
}
