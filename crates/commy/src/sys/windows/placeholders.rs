//! Placeholders: reserved addresses that can be split and turned into a view in one step, so that nobody can take them
//! in between. They came with Windows 10 version 1803; the calls are looked up because the programs of this library
//! would not start on a system that has them not.

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::transmute;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{FARPROC, HANDLE};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Memory::{
    MEM_PRESERVE_PLACEHOLDER, MEM_RELEASE, MEM_REPLACE_PLACEHOLDER, MEM_RESERVE, MEM_RESERVE_PLACEHOLDER,
    PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, VirtualFree,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;
use windows_sys::w;

use super::handle::check;

const MEM_COALESCE_PLACEHOLDERS: u32 = 1;

type VirtualAlloc2 = unsafe extern "system" fn(HANDLE, *const c_void, usize, u32, u32, *mut c_void, u32) -> *mut c_void;
type MapViewOfFile3 =
    unsafe extern "system" fn(HANDLE, HANDLE, *const c_void, u64, usize, u32, u32, *mut c_void, u32) -> *mut c_void;

/// The two calls of a system that has placeholders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placeholders {
    alloc: VirtualAlloc2,
    map: MapViewOfFile3,
}

impl Placeholders {
    /// `None` on a system without them.
    pub(super) fn find() -> Option<Placeholders> {
        static FOUND: OnceLock<Option<Placeholders>> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let (alloc, map) = (look_up(c"VirtualAlloc2")?, look_up(c"MapViewOfFile3")?);
            // SAFETY: functions of these names have these types, as documented.
            Some(unsafe {
                Placeholders {
                    alloc: transmute::<unsafe extern "system" fn() -> isize, VirtualAlloc2>(alloc),
                    map: transmute::<unsafe extern "system" fn() -> isize, MapViewOfFile3>(map),
                }
            })
        })
    }

    /// Reserves `len` bytes as one placeholder. Refused by systems that have the call and not the idea.
    pub(super) fn reserve(&self, len: usize) -> io::Result<*mut u8> {
        let kind = MEM_RESERVE | MEM_RESERVE_PLACEHOLDER;
        // SAFETY: the system chooses a free range, so nobody's memory is replaced; there are no further parameters.
        let base =
            unsafe { (self.alloc)(GetCurrentProcess(), ptr::null(), len, kind, PAGE_NOACCESS, ptr::null_mut(), 0) };
        if base.is_null() { Err(io::Error::last_os_error()) } else { Ok(base.cast()) }
    }

    /// Turns the first `len` of the `rest` bytes of the placeholder at `place` into a view of a section.
    ///
    /// # Safety
    /// At `place` begins a placeholder of exactly `rest` bytes, of which the caller disposes.
    pub(super) unsafe fn map(
        &self,
        section: HANDLE,
        place: *mut u8,
        offset: u64,
        len: usize,
        rest: usize,
        writable: bool,
    ) -> io::Result<()> {
        let place = place.cast::<c_void>();
        if len < rest {
            // SAFETY: splits the caller's placeholder; nothing is mapped there.
            check(unsafe { VirtualFree(place, len, MEM_RELEASE | MEM_PRESERVE_PLACEHOLDER) })?;
        }
        let protection = if writable { PAGE_READWRITE } else { PAGE_READONLY };
        // SAFETY: replaces exactly the placeholder that was split off, by a view of an open section.
        let view = unsafe {
            let (process, kind) = (GetCurrentProcess(), MEM_REPLACE_PLACEHOLDER);
            (self.map)(section, process, place, offset, len, kind, protection, ptr::null_mut(), 0)
        };
        if !view.is_null() {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if len < rest {
            // SAFETY: joins the two placeholders made above.
            unsafe { VirtualFree(place, rest, MEM_RELEASE | MEM_COALESCE_PLACEHOLDERS) };
        }
        Err(error)
    }
}

fn look_up(name: &CStr) -> Option<unsafe extern "system" fn() -> isize> {
    // SAFETY: both strings end in zero; the module is in every process and never unloaded.
    let found: FARPROC = unsafe { GetProcAddress(GetModuleHandleW(w!("kernelbase.dll")), name.as_ptr().cast()) };
    found
}
