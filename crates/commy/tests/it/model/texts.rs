//! `SharedString` beside `String`, `SharedBox` beside its value.

use super::harness::{self, Model};
use super::vectors::{answer, any_text, every};
use commy::{
    BoxReadGuard, BoxWriteGuard, Error, Plain, Result, SharedBox, SharedString, StringReadGuard, StringWriteGuard,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum TextOp {
    Push(char),
    PushStr(String),
    Set(String),
    Clear,
    Pop,
    /// At the character boundary at or before this byte.
    Truncate(usize),
    InsertStr(usize, String),
    ReplaceRange(usize, usize, String),
    Insert(usize, char),
    Remove(usize),
    Drain(usize, usize),
    SplitOff(usize),
    Take,
    /// Leaves out one of so many characters.
    Retain(usize),
    Extend(Vec<char>),
    ReplaceIf(String, bool),
    Update(String),
    Case(bool),
    Room(usize),
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// What handles and guards can do alike.
macro_rules! on_text {
    ($text:expr, $now:expr, $op:expr) => {{
        let now: &str = $now;
        let (text, at) = ($text, |at: &usize| boundary(now, *at));
        Ok(match $op {
            TextOp::Pop => answer(text.pop()?),
            TextOp::Truncate(end) => answer(text.truncate(at(end))?),
            TextOp::InsertStr(place, more) => answer(text.insert_str(at(place), more)?),
            TextOp::ReplaceRange(a, b, with) => answer(text.replace_range(at(a)..at(b), with)?),
            TextOp::Insert(place, character) => answer(text.insert(at(place), *character)?),
            TextOp::Remove(place) => match text.remove(at(place)) {
                Err(Error::InvalidArgument(_)) => answer(None::<char>),
                other => answer(Some(other?)),
            },
            TextOp::Drain(a, b) => answer(text.drain(at(a)..at(b))?),
            TextOp::SplitOff(place) => answer(text.split_off(at(place))?),
            TextOp::Take => answer(text.take()?),
            TextOp::Retain(of) => {
                let mut number = 0;
                answer(text.retain(|_| !every(&mut number, *of))?)
            }
            TextOp::Extend(characters) => answer(text.extend(characters)?),
            TextOp::ReplaceIf(new, yes) => answer(text.replace_if(new, |old| old == now && *yes)?),
            TextOp::Update(more) => answer(text.update(|text| appended(text, more))?),
            TextOp::Case(true) => answer(text.make_ascii_uppercase()?),
            TextOp::Case(false) => answer(text.make_ascii_lowercase()?),
            TextOp::Room(room) if room % 2 == 0 => answer(text.reserve(*room)?),
            TextOp::Room(room) => answer(text.shrink_to(*room)?),
            _ => unreachable!("each has its own"),
        })
    }};
}

/// Puts a text at both ends and says how long it was.
fn appended(text: &mut String, more: &str) -> usize {
    let len = text.len();
    text.insert_str(0, more);
    text.push_str(more);
    text.truncate(boundary(text, 9000));
    len
}

struct Texts;

impl Model for Texts {
    type Handle = SharedString;
    type Twin = String;
    type Op = TextOp;

    fn ops() -> BoxedStrategy<TextOp> {
        let at = || prop_oneof![3 => 0..100usize, 1 => 0..6000usize];
        prop_oneof![
            4 => any::<char>().prop_map(TextOp::Push),
            4 => any_text().prop_map(TextOp::PushStr),
            3 => any_text().prop_map(TextOp::Set),
            1 => Just(TextOp::Clear),
            2 => Just(TextOp::Pop),
            4 => at().prop_map(TextOp::Truncate),
            4 => (at(), any_text()).prop_map(|(at, text)| TextOp::InsertStr(at, text)),
            4 => (at(), at(), any_text()).prop_map(|(a, b, text)| TextOp::ReplaceRange(a.min(b), a.max(b), text)),
            2 => (at(), any::<char>()).prop_map(|(at, character)| TextOp::Insert(at, character)),
            3 => at().prop_map(TextOp::Remove),
            3 => (at(), at()).prop_map(|(a, b)| TextOp::Drain(a.min(b), a.max(b))),
            2 => at().prop_map(TextOp::SplitOff),
            1 => Just(TextOp::Take),
            2 => (2..9usize).prop_map(TextOp::Retain),
            2 => prop::collection::vec(any::<char>(), 0..30).prop_map(TextOp::Extend),
            2 => (any_text(), any::<bool>()).prop_map(|(text, yes)| TextOp::ReplaceIf(text, yes)),
            2 => any_text().prop_map(TextOp::Update),
            1 => any::<bool>().prop_map(TextOp::Case),
            1 => (0..5000usize).prop_map(TextOp::Room),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut String, op: &TextOp) -> String {
        match op {
            TextOp::Push(character) => twin.push(*character),
            TextOp::PushStr(text) => twin.push_str(text),
            TextOp::Set(text) => twin.clone_from(text),
            TextOp::Clear => twin.clear(),
            TextOp::Pop => return answer(twin.pop()),
            TextOp::Truncate(at) => twin.truncate(boundary(twin, *at)),
            TextOp::InsertStr(at, text) => twin.insert_str(boundary(twin, *at), text),
            TextOp::ReplaceRange(a, b, text) => twin.replace_range(boundary(twin, *a)..boundary(twin, *b), text),
            TextOp::Insert(at, character) => twin.insert(boundary(twin, *at), *character),
            TextOp::Remove(at) => {
                let at = boundary(twin, *at);
                return answer((at < twin.len()).then(|| twin.remove(at)));
            }
            TextOp::Drain(a, b) => {
                return answer(twin.drain(boundary(twin, *a)..boundary(twin, *b)).collect::<String>());
            }
            TextOp::SplitOff(at) => return answer(twin.split_off(boundary(twin, *at))),
            TextOp::Take => return answer(std::mem::take(twin)),
            TextOp::Retain(of) => {
                let mut number = 0;
                twin.retain(|_| !every(&mut number, *of));
            }
            TextOp::Extend(characters) => twin.extend(characters),
            TextOp::ReplaceIf(text, yes) => {
                return answer(yes.then(|| std::mem::replace(twin, text.clone())));
            }
            TextOp::Update(text) => return answer(appended(twin, text)),
            TextOp::Case(true) => twin.make_ascii_uppercase(),
            TextOp::Case(false) => twin.make_ascii_lowercase(),
            TextOp::Room(_) => {}
        }
        answer(())
    }

    fn on_handle(handle: &SharedString, op: &TextOp) -> Result<String> {
        Ok(match op {
            TextOp::Push(character) => answer(handle.push(*character)?),
            TextOp::PushStr(text) => answer(handle.push_str(text)?),
            TextOp::Set(text) => answer(handle.set(text)?),
            TextOp::Clear => answer(handle.clear()?),
            op => return on_text!(handle, &handle.get()?, op),
        })
    }

    fn on_guard(guard: &mut StringWriteGuard<'_>, op: &TextOp) -> Result<String> {
        Ok(match op {
            TextOp::Push(character) => answer(guard.push(*character)?),
            TextOp::PushStr(text) => answer(guard.push_str(text)?),
            TextOp::Set(text) => answer(guard.set(text)?),
            TextOp::Clear => answer(guard.clear()?),
            op => return on_text!(guard, &String::from(guard.as_str()), op),
        })
    }

    fn roll_back(guard: StringWriteGuard<'_>) {
        guard.rollback();
    }

    fn write(handle: &SharedString) -> Result<StringWriteGuard<'_>> {
        handle.write()
    }

    fn see_write_guard(guard: &StringWriteGuard<'_>, twin: &String) {
        assert_eq!(&**guard, twin.as_str());
    }

    fn see_read_guard(guard: &StringReadGuard<'_>, twin: &String) {
        assert_eq!(&**guard, twin.as_str());
    }

    fn see(handle: &SharedString, twin: &String) {
        assert_eq!((handle.len().unwrap(), handle.is_empty().unwrap()), (twin.len(), twin.is_empty()));
        assert_eq!(&handle.get().unwrap(), twin);
    }

    fn see_by_guard(handle: &SharedString, twin: &String) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
#[repr(u8)]
enum Color {
    #[default]
    Red = 1,
    Green = 2,
}

/// With padding in the middle and at the end, and with bytes that are no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Plain)]
#[repr(C)]
struct Settings {
    on: bool,
    limit: u64,
    color: Color,
    weights: [f32; 3],
    letter: (char, u8),
}

#[derive(Clone, Debug)]
enum BoxOp {
    Set(Settings),
    Replace(Settings),
    Update(u64),
    /// Through `DerefMut`.
    InPlace(u64),
    Take,
    Swap(Settings),
    ReplaceIf(Settings, bool),
    CompareExchange(Settings, bool),
    FetchUpdate(u64, bool),
}

struct Boxes;

impl Model for Boxes {
    type Handle = SharedBox<Settings>;
    type Twin = Settings;
    type Op = BoxOp;

    fn ops() -> BoxedStrategy<BoxOp> {
        let color = prop_oneof![Just(Color::Red), Just(Color::Green)];
        let fields = (any::<bool>(), any::<u64>(), color, any::<[i16; 3]>(), (any::<char>(), any::<u8>()));
        let settings = fields.prop_map(|(on, limit, color, weights, letter)| Settings {
            on,
            limit,
            color,
            weights: weights.map(f32::from),
            letter,
        });
        prop_oneof![
            settings.clone().prop_map(BoxOp::Set),
            settings.clone().prop_map(BoxOp::Replace),
            Just(BoxOp::Take),
            settings.clone().prop_map(BoxOp::Swap),
            (settings.clone(), any::<bool>()).prop_map(|(new, yes)| BoxOp::ReplaceIf(new, yes)),
            (settings, any::<bool>()).prop_map(|(new, yes)| BoxOp::CompareExchange(new, yes)),
            (any::<u64>(), any::<bool>()).prop_map(|(limit, yes)| BoxOp::FetchUpdate(limit, yes)),
            any::<u64>().prop_map(BoxOp::Update),
            any::<u64>().prop_map(BoxOp::InPlace),
        ]
        .boxed()
    }

    fn on_twin(twin: &mut Settings, op: &BoxOp) -> String {
        match op {
            BoxOp::Set(new) => *twin = *new,
            BoxOp::Replace(new) => return answer(std::mem::replace(twin, *new)),
            BoxOp::Update(limit) | BoxOp::InPlace(limit) => return answer(change(twin, *limit)),
            BoxOp::Take => return answer(std::mem::take(twin)),
            BoxOp::Swap(new) => return answer(std::mem::replace(twin, *new)),
            BoxOp::ReplaceIf(new, yes) => return answer(yes.then(|| std::mem::replace(twin, *new))),
            BoxOp::CompareExchange(new, yes) => {
                let old = *twin;
                let same = *yes;
                if same {
                    *twin = *new;
                }
                return answer(if same { Ok(old) } else { Err(old) });
            }
            BoxOp::FetchUpdate(limit, yes) => {
                let old = *twin;
                if *yes {
                    change(twin, *limit);
                }
                return answer(if *yes { Ok(old) } else { Err(old) });
            }
        }
        answer(())
    }

    fn on_handle(handle: &SharedBox<Settings>, op: &BoxOp) -> Result<String> {
        Ok(match op {
            BoxOp::Set(new) => answer(handle.set(*new)?),
            BoxOp::Replace(new) => answer(handle.replace(*new)?),
            BoxOp::Update(limit) => answer(handle.update(|settings| change(settings, *limit))?),
            BoxOp::InPlace(_) => return Self::on_guard(&mut handle.write()?, op),
            BoxOp::Take => answer(handle.take()?),
            BoxOp::Swap(new) => {
                let mut value = *new;
                handle.swap(&mut value)?;
                answer(value)
            }
            BoxOp::ReplaceIf(new, yes) => answer(handle.replace_if(*new, |_| *yes)?),
            BoxOp::CompareExchange(new, yes) => {
                let mut current = handle.get()?;
                current.limit ^= u64::from(!yes);
                answer(handle.compare_exchange(&current, *new)?)
            }
            BoxOp::FetchUpdate(limit, yes) => answer(handle.fetch_update(|old| {
                let mut new = *old;
                change(&mut new, *limit);
                yes.then_some(new)
            })?),
        })
    }

    fn on_guard(guard: &mut BoxWriteGuard<'_, Settings>, op: &BoxOp) -> Result<String> {
        Ok(match op {
            BoxOp::Set(new) => answer(guard.set(*new)?),
            BoxOp::Replace(new) => answer(guard.replace(*new)?),
            BoxOp::Update(limit) => answer(guard.update(|settings| change(settings, *limit))?),
            BoxOp::InPlace(limit) => answer(change(&mut *guard, *limit)),
            BoxOp::Take => answer(guard.take()?),
            BoxOp::Swap(new) => {
                let mut value = *new;
                guard.swap(&mut value)?;
                answer(value)
            }
            BoxOp::ReplaceIf(new, yes) => answer(guard.replace_if(*new, |_| *yes)?),
            BoxOp::CompareExchange(new, yes) => match guard.replace_if(*new, |_| *yes)? {
                Some(old) => answer(Ok::<Settings, Settings>(old)),
                None => answer(Err::<Settings, Settings>(guard.to_owned()?)),
            },
            BoxOp::FetchUpdate(limit, yes) => {
                let old = guard.to_owned()?;
                if *yes {
                    change(guard.try_as_mut()?, *limit);
                }
                answer(if *yes { Ok(old) } else { Err(old) })
            }
        })
    }

    fn roll_back(guard: BoxWriteGuard<'_, Settings>) {
        guard.rollback();
    }

    fn write(handle: &SharedBox<Settings>) -> Result<BoxWriteGuard<'_, Settings>> {
        handle.write()
    }

    fn see_write_guard(guard: &BoxWriteGuard<'_, Settings>, twin: &Settings) {
        assert_eq!((guard.get().unwrap(), &**guard), (twin, twin));
    }

    fn see_read_guard(guard: &BoxReadGuard<'_, Settings>, twin: &Settings) {
        assert_eq!((guard.get().unwrap(), &**guard), (twin, twin));
    }

    fn see(handle: &SharedBox<Settings>, twin: &Settings) {
        assert_eq!(&handle.get().unwrap(), twin);
    }

    fn see_by_guard(handle: &SharedBox<Settings>, twin: &Settings) {
        Self::see_read_guard(&handle.read().unwrap(), twin);
    }
}

/// A change by several fields; answers with something of both values.
fn change(settings: &mut Settings, limit: u64) -> (u64, bool) {
    let before = settings.limit;
    settings.limit = limit;
    settings.on = !settings.on;
    settings.letter.1 = settings.letter.1.wrapping_add(1);
    (before, settings.on)
}

#[test]
fn a_text_is_a_string() {
    harness::run::<Texts>(64);
}

#[test]
fn a_box_is_its_value() {
    harness::run::<Boxes>(32);
}
