//! What tells this run of the machine from others. The system names none that is documented, so this user has one in the
//! registry, in a key that is volatile: it is in memory only and gone after a reboot.
//!
//! It is also gone when the user's part of the registry is unloaded, at the latest some time after logging off, and
//! users have different ones. Then a region that nobody has open counts as one from before: it is checked once more.

use std::ffi::OsStr;
use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, WIN32_ERROR};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_CURRENT_USER, KEY_READ, KEY_WRITE, REG_BINARY, REG_OPTION_NON_VOLATILE, REG_OPTION_VOLATILE,
    RegCloseKey, RegCreateKeyExW, RegQueryValueExW, RegSetValueExW,
};
use windows_sys::Win32::System::Threading::{CreateMutexW, ReleaseMutex, WaitForSingleObject};

use super::super::common::random_id;
use super::handle::{owned, wide};
use super::security::Descriptor;

/// Drawn by the first process of this user since the machine started. If the registry refuses, a number of this process
/// alone: then a region that nobody has open always counts as one from before.
pub(crate) fn boot_id() -> [u8; 16] {
    static FOUND: OnceLock<[u8; 16]> = OnceLock::new();
    *FOUND.get_or_init(|| find_or_draw().unwrap_or_else(|_| random_id()))
}

fn find_or_draw() -> io::Result<[u8; 16]> {
    let key = Key::open()?;
    if let Some(found) = key.read()? {
        return Ok(found);
    }
    let (name, descriptor) = (wide(OsStr::new(r"Local\commy-boot"))?, Descriptor::for_objects()?);
    // SAFETY: name and descriptor live across the call; the result is owned by nobody else.
    let mutex = unsafe { owned(CreateMutexW(&descriptor.attributes(), 0, name.as_ptr())) }?;
    // Whoever holds it for so long is stopped, or no process of Commy: two numbers then cost a needless check.
    // SAFETY: an open handle.
    unsafe { WaitForSingleObject(mutex.as_raw_handle(), 100) };
    let outcome = key.read().and_then(|found| match found {
        Some(found) => Ok(found),
        None => key.draw(),
    });
    // SAFETY: an open handle; an error if this thread does not hold it.
    unsafe { ReleaseMutex(mutex.as_raw_handle()) };
    outcome
}

/// The open volatile key.
struct Key(HKEY);

impl Key {
    fn open() -> io::Result<Key> {
        let software = Key::create(HKEY_CURRENT_USER, r"Software\Commy", REG_OPTION_NON_VOLATILE)?;
        Key::create(software.0, "Boot", REG_OPTION_VOLATILE)
    }

    fn create(parent: HKEY, name: &str, options: u32) -> io::Result<Key> {
        let (name, mut key) = (wide(OsStr::new(name))?, ptr::null_mut());
        // SAFETY: the name ends in zero; the call writes one key.
        told(unsafe {
            let (no_class, usual, no_disposition) = (ptr::null(), ptr::null(), ptr::null_mut());
            let access = KEY_READ | KEY_WRITE;
            RegCreateKeyExW(parent, name.as_ptr(), 0, no_class, options, access, usual, &mut key, no_disposition)
        })?;
        Ok(Key(key))
    }

    fn read(&self) -> io::Result<Option<[u8; 16]>> {
        let (name, mut id, mut size, mut kind) = (wide(OsStr::new("Id"))?, [0; 16], 16, 0);
        // SAFETY: the name ends in zero; writes at most `size` bytes into room for them.
        let result =
            unsafe { RegQueryValueExW(self.0, name.as_ptr(), ptr::null(), &mut kind, id.as_mut_ptr(), &mut size) };
        Ok((result == ERROR_SUCCESS && kind == REG_BINARY && size == 16 && id != [0; 16]).then_some(id))
    }

    fn draw(&self) -> io::Result<[u8; 16]> {
        let id = random_id();
        let name = wide(OsStr::new("Id"))?;
        // SAFETY: the name ends in zero; reads the 16 bytes of `id`.
        told(unsafe { RegSetValueExW(self.0, name.as_ptr(), 0, REG_BINARY, id.as_ptr(), 16) })?;
        Ok(id)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { RegCloseKey(self.0) };
    }
}

fn told(result: WIN32_ERROR) -> io::Result<()> {
    if result == ERROR_SUCCESS { Ok(()) } else { Err(io::Error::from_raw_os_error(result.cast_signed())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_known_and_stays() {
        assert_ne!(boot_id(), [0; 16]);
        assert_eq!(find_or_draw().unwrap(), boot_id());
    }
}
