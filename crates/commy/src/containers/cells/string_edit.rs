//! More of `SharedString`: changes inside of the text, by handle and by guard. Ranges and places that do not lie on
//! character boundaries are errors.

use std::ops::{Range, RangeBounds};

use super::string::{SharedString, StringReadGuard, StringWriteGuard, splice_in, text};
use crate::containers::rows::row::resolve;
use crate::journal::Context;
use crate::raw::Vector;
use crate::region::layout::{RawHeader, Word};
use crate::{Error, Region, Result};

/// The range in bytes, with both ends on character boundaries.
fn on_boundaries(text: &str, range: &impl RangeBounds<usize>) -> Result<Range<usize>> {
    let range = resolve(range, text.len() as u64)?;
    let range = range.start as usize..range.end as usize;
    if !text.is_char_boundary(range.start) || !text.is_char_boundary(range.end) {
        return Err(Error::InvalidArgument("a range of a text must lie on character boundaries"));
    }
    Ok(range)
}

/// The character at byte `at`.
fn character_at(text: &str, at: usize) -> Result<char> {
    on_boundaries(text, &(at..))?;
    text[at..].chars().next().ok_or(Error::InvalidArgument("no character begins there"))
}

/// What stays of a text, without what is the same at its beginning: from which byte on, and what comes there.
fn kept(text: &str, mut keep: impl FnMut(char) -> bool) -> Option<(usize, String)> {
    let mut characters = text.char_indices();
    let (first, _) = characters.by_ref().find(|(_, character)| !keep(*character))?;
    Some((first, characters.map(|(_, character)| character).filter(|character| keep(*character)).collect()))
}

/// A change of a text under its lock: which bytes go, and what comes there.
type Change = (Range<usize>, String);

/// Makes the change that `plan` finds, if it finds one.
fn change_in<R>(
    context: &mut Context,
    raw: &RawHeader,
    plan: impl FnOnce(&str) -> Result<(Option<Change>, R)>,
) -> Result<R> {
    let (change, result) = plan(text(&Vector::new(context.actor.space, raw, 1)))?;
    if let Some((range, with)) = change {
        splice_in(context, raw, range.start as u64, range.end as u64, &with)?;
    }
    Ok(result)
}

/// What a call plans, by name.
mod plan {
    use super::{Change, character_at, kept, on_boundaries};
    use crate::Result;
    use std::ops::RangeBounds;

    type Plan<R> = Result<(Option<Change>, R)>;

    pub(in crate::containers) fn replace_range(text: &str, range: &impl RangeBounds<usize>, with: &str) -> Plan<()> {
        Ok((Some((on_boundaries(text, range)?, with.into())), ()))
    }

    pub(in crate::containers) fn truncate(text: &str, len: usize) -> Plan<()> {
        if len >= text.len() {
            return Ok((None, ()));
        }
        Ok((Some((on_boundaries(text, &(len..))?, String::new())), ()))
    }

    pub(in crate::containers) fn pop(text: &str) -> Plan<Option<char>> {
        let last = text.chars().next_back();
        let change = last.map(|last| (text.len() - last.len_utf8()..text.len(), String::new()));
        Ok((change, last))
    }

    pub(in crate::containers) fn remove(text: &str, at: usize) -> Plan<char> {
        let character = character_at(text, at)?;
        Ok((Some((at..at + character.len_utf8(), String::new())), character))
    }

    pub(in crate::containers) fn drain(text: &str, range: &impl RangeBounds<usize>) -> Plan<String> {
        let range = on_boundaries(text, range)?;
        let taken = text[range.clone()].into();
        Ok(((!range.is_empty()).then(|| (range, String::new())), taken))
    }

    pub(in crate::containers) fn retain(text: &str, keep: impl FnMut(char) -> bool) -> Plan<()> {
        Ok((kept(text, keep).map(|(from, with)| (from..text.len(), with)), ()))
    }

    pub(in crate::containers) fn replace(text: &str, with: &str) -> Plan<String> {
        Ok((Some((0..text.len(), with.into())), text.into()))
    }

    pub(in crate::containers) fn replace_if(
        text: &str,
        with: &str,
        condition: impl FnOnce(&str) -> bool,
    ) -> Plan<Option<String>> {
        if !condition(text) {
            return Ok((None, None));
        }
        let (change, old) = replace(text, with)?;
        Ok((change, Some(old)))
    }

    pub(in crate::containers) fn update<R>(text: &str, change: impl FnOnce(&mut String) -> R) -> Plan<R> {
        let mut new = String::from(text);
        let result = change(&mut new);
        let same = new == text;
        Ok(((!same).then_some((0..text.len(), new)), result))
    }

    pub(in crate::containers) fn with_case(text: &str, change: impl FnOnce(&mut str)) -> Plan<()> {
        update(text, |new| change(new.as_mut_str()))
    }
}

/// The pieces of an iterator as one text.
fn joined<P>(pieces: impl IntoIterator<Item = P>) -> String
where
    String: Extend<P>,
{
    let mut text = String::new();
    text.extend(pieces);
    text
}

impl SharedString {
    /// Makes a text without a name, with this content. It lives as long as its handles, or as this process.
    ///
    /// # Errors
    /// `ReadOnly`, `OutOfSpace`, `Timeout`.
    ///
    /// # Crash
    /// Whoever notices that this process is dead frees it.
    pub fn from_str_in(region: &Region, text: &str) -> Result<Self> {
        let new = Self::new_in(region)?;
        new.push_str(text)?;
        Ok(new)
    }

    fn change<R>(&self, plan: impl FnOnce(&str) -> Result<(Option<Change>, R)>) -> Result<R> {
        self.object.change(|context, raw| change_in(context, raw, plan))
    }

    /// Appends characters or texts as one change.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// All or none are there.
    pub fn extend<P>(&self, pieces: impl IntoIterator<Item = P>) -> Result<()>
    where
        String: Extend<P>,
    {
        self.push_str(&joined(pieces))
    }

    /// Inserts a character before byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if `at` is no character boundary; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// As [`push_str`](Self::push_str).
    pub fn insert(&self, at: usize, character: char) -> Result<()> {
        self.insert_str(at, character.encode_utf8(&mut [0; 4]))
    }

    /// Inserts a text before byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if `at` is no character boundary; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// As [`push_str`](Self::push_str).
    pub fn insert_str(&self, at: usize, more: &str) -> Result<()> {
        self.replace_range(at..at, more)
    }

    /// Replaces a range of bytes by a text.
    ///
    /// # Errors
    /// `InvalidArgument` if an end is no character boundary; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn replace_range(&self, range: impl RangeBounds<usize>, with: &str) -> Result<()> {
        self.change(|text| plan::replace_range(text, &range, with))
    }

    /// Shortens to `len` bytes; nothing changes if it is not longer.
    ///
    /// # Errors
    /// `InvalidArgument` if `len` is no character boundary; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn truncate(&self, len: usize) -> Result<()> {
        self.change(|text| plan::truncate(text, len))
    }

    /// Takes the last character.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn pop(&self) -> Result<Option<char>> {
        self.change(plan::pop)
    }

    /// Takes the character at byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if no character begins there; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn remove(&self, at: usize) -> Result<char> {
        self.change(|text| plan::remove(text, at))
    }

    /// Takes a range of bytes.
    ///
    /// # Errors
    /// `InvalidArgument` if an end is no character boundary; as [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn drain(&self, range: impl RangeBounds<usize>) -> Result<String> {
        self.change(|text| plan::drain(text, &range))
    }

    /// Takes what is behind byte `at`.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn split_off(&self, at: usize) -> Result<String> {
        self.drain(at..)
    }

    /// Takes the whole text.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn take(&self) -> Result<String> {
        self.drain(..)
    }

    /// Keeps the characters for which `keep` says so. It runs under the lock, before anything changes: it must be short and
    /// must not touch the text itself.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn retain(&self, keep: impl FnMut(char) -> bool) -> Result<()> {
        self.change(|text| plan::retain(text, keep))
    }

    /// Replaces the whole text and returns the old one.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn replace(&self, new: &str) -> Result<String> {
        self.change(|text| plan::replace(text, new))
    }

    /// As [`replace`](Self::replace) if `condition` holds of the old text, under the lock as in [`retain`](Self::retain);
    /// else `None`, and nothing changes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn replace_if(&self, new: &str, condition: impl FnOnce(&str) -> bool) -> Result<Option<String>> {
        self.change(|text| plan::replace_if(text, new, condition))
    }

    /// Changes the text by a function of it, as one atomic step, under the lock as in [`retain`](Self::retain). If it panics
    /// nothing has changed.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn update<R>(&self, change: impl FnOnce(&mut String) -> R) -> Result<R> {
        self.change(|text| plan::update(text, change))
    }

    /// Makes ASCII letters small.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn make_ascii_lowercase(&self) -> Result<()> {
        self.change(|text| plan::with_case(text, str::make_ascii_lowercase))
    }

    /// Makes ASCII letters capital.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    ///
    /// # Crash
    /// The old text or the new one.
    pub fn make_ascii_uppercase(&self) -> Result<()> {
        self.change(|text| plan::with_case(text, str::make_ascii_uppercase))
    }

    /// For how many bytes there is room without another block. Takes no lock.
    ///
    /// # Errors
    /// `Timeout`, `Removed`.
    pub fn capacity(&self) -> Result<usize> {
        self.object.peek(|_, raw| Some(Ok(raw.capacity.peek() as usize)))
    }

    /// Makes room for `more` bytes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn reserve(&self, more: usize) -> Result<()> {
        self.object.change(|context, raw| Vector::new(context.actor.space, raw, 1).reserve(context, more as u64))
    }

    /// Gives back what memory is not needed.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn shrink_to_fit(&self) -> Result<()> {
        self.shrink_to(0)
    }

    /// Gives back what memory is not needed for the text, and for `least` bytes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn shrink_to(&self, least: usize) -> Result<()> {
        self.object.change(|context, raw| Vector::new(context.actor.space, raw, 1).shrink(context, least as u64))
    }
}

impl StringWriteGuard<'_> {
    fn change<R>(&mut self, plan: impl FnOnce(&str) -> Result<(Option<Change>, R)>) -> Result<R> {
        // Code of a user comes first.
        let (change, result) = plan(self)?;
        if let Some((range, with)) = change {
            let raw = self.lock.raw();
            self.lock.with(|context| splice_in(context, raw, range.start as u64, range.end as u64, &with))?;
        }
        Ok(result)
    }

    /// Replaces the whole text.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn set(&mut self, text: &str) -> Result<()> {
        self.replace_range(.., text)
    }

    /// Appends characters or texts.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn extend<P>(&mut self, pieces: impl IntoIterator<Item = P>) -> Result<()>
    where
        String: Extend<P>,
    {
        self.push_str(&joined(pieces))
    }

    /// Inserts a character before byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if `at` is no character boundary; as [`push_str`](Self::push_str).
    pub fn insert(&mut self, at: usize, character: char) -> Result<()> {
        self.insert_str(at, character.encode_utf8(&mut [0; 4]))
    }

    /// Inserts a text before byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if `at` is no character boundary; as [`push_str`](Self::push_str).
    pub fn insert_str(&mut self, at: usize, more: &str) -> Result<()> {
        self.replace_range(at..at, more)
    }

    /// Replaces a range of bytes by a text.
    ///
    /// # Errors
    /// `InvalidArgument` if an end is no character boundary; as [`push_str`](Self::push_str).
    pub fn replace_range(&mut self, range: impl RangeBounds<usize>, with: &str) -> Result<()> {
        self.change(|text| plan::replace_range(text, &range, with))
    }

    /// Shortens to `len` bytes; nothing changes if it is not longer.
    ///
    /// # Errors
    /// `InvalidArgument` if `len` is no character boundary; as [`push_str`](Self::push_str).
    pub fn truncate(&mut self, len: usize) -> Result<()> {
        self.change(|text| plan::truncate(text, len))
    }

    /// Takes the last character.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn pop(&mut self) -> Result<Option<char>> {
        self.change(plan::pop)
    }

    /// Takes the character at byte `at`.
    ///
    /// # Errors
    /// `InvalidArgument` if no character begins there; as [`push_str`](Self::push_str).
    pub fn remove(&mut self, at: usize) -> Result<char> {
        self.change(|text| plan::remove(text, at))
    }

    /// Takes a range of bytes.
    ///
    /// # Errors
    /// `InvalidArgument` if an end is no character boundary; as [`push_str`](Self::push_str).
    pub fn drain(&mut self, range: impl RangeBounds<usize>) -> Result<String> {
        self.change(|text| plan::drain(text, &range))
    }

    /// Takes what is behind byte `at`.
    ///
    /// # Errors
    /// As [`drain`](Self::drain).
    pub fn split_off(&mut self, at: usize) -> Result<String> {
        self.drain(at..)
    }

    /// Takes the whole text.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn take(&mut self) -> Result<String> {
        self.drain(..)
    }

    /// Keeps the characters for which `keep` says so. It is asked about all of them before anything changes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn retain(&mut self, keep: impl FnMut(char) -> bool) -> Result<()> {
        self.change(|text| plan::retain(text, keep))
    }

    /// Replaces the whole text if `condition` holds of the old one, and returns that; else `None`, and nothing changes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn replace_if(&mut self, new: &str, condition: impl FnOnce(&str) -> bool) -> Result<Option<String>> {
        self.change(|text| plan::replace_if(text, new, condition))
    }

    /// Changes the text by a function of it. If it panics nothing has changed.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn update<R>(&mut self, change: impl FnOnce(&mut String) -> R) -> Result<R> {
        self.change(|text| plan::update(text, change))
    }

    /// Makes ASCII letters small.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn make_ascii_lowercase(&mut self) -> Result<()> {
        self.change(|text| plan::with_case(text, str::make_ascii_lowercase))
    }

    /// Makes ASCII letters capital.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn make_ascii_uppercase(&mut self) -> Result<()> {
        self.change(|text| plan::with_case(text, str::make_ascii_uppercase))
    }

    /// Makes room for `more` bytes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn reserve(&mut self, more: usize) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        self.lock.with(|context| Vector::new(space, raw, 1).reserve(context, more as u64))
    }

    /// Gives back what memory is not needed.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn shrink_to_fit(&mut self) -> Result<()> {
        self.shrink_to(0)
    }

    /// Gives back what memory is not needed for the text, and for `least` bytes.
    ///
    /// # Errors
    /// As [`push_str`](Self::push_str).
    pub fn shrink_to(&mut self, least: usize) -> Result<()> {
        let (space, raw) = (self.lock.space(), self.lock.raw());
        self.lock.with(|context| Vector::new(space, raw, 1).shrink(context, least as u64))
    }
}

/// `write!(guard, ..)`. An error says that there is no room, or that the guard is rolled back; pieces that were written
/// before stay.
impl std::fmt::Write for StringWriteGuard<'_> {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        self.push_str(more).map_err(|_| std::fmt::Error)
    }
}

/// What both guards can do beside lending a `str`.
macro_rules! lend_text {
    ($guard:ident) => {
        impl $guard<'_> {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self
            }

            /// For how many bytes there is room without another block.
            #[must_use]
            pub fn capacity(&self) -> usize {
                self.lock.raw().capacity.peek() as usize
            }
        }

        impl std::fmt::Display for $guard<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&**self, f)
            }
        }

        impl AsRef<str> for $guard<'_> {
            fn as_ref(&self) -> &str {
                self
            }
        }

        impl PartialEq for $guard<'_> {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }

        impl Eq for $guard<'_> {}

        impl PartialOrd for $guard<'_> {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $guard<'_> {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                (**self).cmp(&**other)
            }
        }

        lend_text!($guard, str);
        lend_text!($guard, &str);
        lend_text!($guard, String);
    };
    ($guard:ident, $other:ty) => {
        impl PartialEq<$other> for $guard<'_> {
            fn eq(&self, other: &$other) -> bool {
                let other: &str = other.as_ref();
                **self == *other
            }
        }

        impl PartialEq<$guard<'_>> for $other {
            fn eq(&self, guard: &$guard<'_>) -> bool {
                let this: &str = self.as_ref();
                *this == **guard
            }
        }
    };
}
lend_text!(StringReadGuard);
lend_text!(StringWriteGuard);
