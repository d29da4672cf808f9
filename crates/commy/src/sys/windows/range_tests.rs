//! Promises of [`Range`] where there are no placeholders: what happens when its addresses are lost.

use super::super::super::testing::Directory;
use super::super::File;
use super::super::mapping::Section;
use super::*;

const LEN: usize = 8 << 30;

/// Takes the addresses of the piece that `target` lies in away, as an allocation in the gap between release and mapping
/// does, and returns where the thief sits.
fn steal(range: &mut Range, target: usize) -> usize {
    let base = range.base;
    let Rest::Pieces(pieces) = &mut range.rest else { panic!("made in pieces") };
    let at = pieces.iter().position(|&(start, end)| start <= target && target < end).unwrap();
    let (start, end) = pieces.remove(at);
    release(base, start);
    assert!(reserve_at(base, start, end));
    start
}

#[test]
fn lost_addresses_are_an_error_of_their_own_until_they_are_free_again() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    let mut range = Range::reserve_in_pieces(LEN).unwrap();
    let reach = |range: &mut Range, target: usize| {
        let section = Section::new(&file, true, Some(target as u64)).unwrap();
        range.extend(section.handle(), target, true)
    };
    let first = range.ahead_of(1);
    reach(&mut range, first).unwrap();
    // SAFETY: mapped.
    unsafe { range.base().write(7) };
    for beyond in [0, 1, 2] {
        // The stolen piece is the first one of those that are needed, one in the middle, the last one.
        let mapped = range.mapped();
        let thief = steal(&mut range, mapped + beyond * PIECE);
        let target = mapped + 3 * PIECE;
        for _ in 0..3 {
            let refused = reach(&mut range, target).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy, "{refused}");
            assert_eq!(range.mapped(), mapped);
        }
        // What lies before it can be had, and all of it once the thief is gone.
        release(range.base(), thief);
        reach(&mut range, target).unwrap();
        // SAFETY: mapped.
        unsafe { range.base().add(target - 1).write(beyond as u8) };
    }
    // SAFETY: mapped.
    assert_eq!(unsafe { range.base().read() }, 7);
}

#[test]
fn a_refusal_of_the_system_is_told_as_it_is() {
    let directory = Directory::new();
    let path = directory.path().join("region");
    let file = File::create_unnamed(&path, 0o600).unwrap();
    let mut range = Range::reserve_in_pieces(LEN).unwrap();
    // The section ends earlier than the view would.
    let section = Section::new(&file, true, Some(PIECE as u64)).unwrap();
    let refused = range.extend(section.handle(), 2 * PIECE, true).unwrap_err();
    assert_ne!(refused.kind(), io::ErrorKind::ResourceBusy, "{refused}");
    range.extend(section.handle(), PIECE, true).unwrap();
}
