//! Who may do what with files and named objects: said explicitly, because what the system grants by itself is too much.
//!
//! Everything is for this user, protected from what a folder would hand down. A file's `mode` may grant more: the bits of
//! the others go to everyone. Those of the group grant nothing: the primary group of a process is one that all accounts of
//! the machine or the domain are in. The user is named by its own number, not as "owner": files of an administrator belong
//! to all of these.

use std::ffi::{OsStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::handle::{check, owned, wide};

/// A security descriptor, freed on drop.
pub(super) struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// For a new file with the rights that `mode` grants on other systems.
    pub(super) fn for_file(mode: u32) -> io::Result<Descriptor> {
        let rights = if mode & 0o200 != 0 { "FA" } else { "FRSD" };
        let others = match mode & 0o6 {
            0 => "",
            0o4 => "(A;;FR;;;WD)",
            0o2 => "(A;;FW;;;WD)",
            _ => "(A;;FRFW;;;WD)",
        };
        Descriptor::parse(&format!("D:P(A;;{rights};;;{}){others}", user()))
    }

    /// For sections, events and mutexes: this user alone.
    pub(super) fn for_objects() -> io::Result<Descriptor> {
        Descriptor::parse(&format!("D:P(A;;GA;;;{})", user()))
    }

    fn parse(text: &str) -> io::Result<Descriptor> {
        let text = wide(OsStr::new(text))?;
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends in zero; the call writes one pointer.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Descriptor(descriptor))
    }

    /// What a call that creates something takes; to be used while `self` lives.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: allocated by the conversion, freed once.
        unsafe { LocalFree(self.0) };
    }
}

/// The number of the user that this process runs as, as a text.
pub(super) fn user() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    // Owner rights say nearly the same.
    FOUND.get_or_init(|| find_user().unwrap_or_else(|_| "OW".into()))
}

fn find_user() -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo handle needs no closing; the call writes one handle.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) })?;
    // SAFETY: just opened.
    let token = unsafe { owned(token) }?;
    // Pointers, so that the structures that begin with one are aligned.
    let mut room = [MaybeUninit::<*mut c_void>::zeroed(); 64];
    let (size, mut used) = (size_of_val(&room) as u32, 0);
    // SAFETY: writes at most `size` bytes.
    check(unsafe { GetTokenInformation(token.as_raw_handle(), TokenUser, room.as_mut_ptr().cast(), size, &mut used) })?;
    // SAFETY: zeroed at first; TOKEN_USER begins with the pointer to a SID.
    let sid: PSID = unsafe { room[0].assume_init() };
    let mut text = ptr::null_mut();
    // SAFETY: the SID lies in `room`; the call writes one pointer.
    check(unsafe { ConvertSidToStringSidW(sid, &mut text) })?;
    // SAFETY: a string that ends in zero, allocated by the call and freed once.
    unsafe {
        let len = (0..).take_while(|&at| *text.add(at) != 0).count();
        let result = String::from_utf16_lossy(std::slice::from_raw_parts(text, len));
        LocalFree(text.cast());
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_a_descriptor() {
        assert!(user().starts_with("S-1-"));
        for mode in [0o600, 0o400, 0o640, 0o660, 0o644, 0o666] {
            Descriptor::for_file(mode).unwrap();
        }
        Descriptor::for_objects().unwrap();
    }
}
