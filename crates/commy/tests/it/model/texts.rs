//! `SharedString` beside `String`, `SharedBox` beside its value.

use super::harness::{self, Model};
use super::vectors::{answer, any_text};
use commy::{BoxReadGuard, BoxWriteGuard, Plain, Result, SharedBox, SharedString, StringReadGuard, StringWriteGuard};
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
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
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
        }
        answer(())
    }

    fn on_handle(handle: &SharedString, op: &TextOp) -> Result<String> {
        Ok(match op {
            TextOp::Push(character) => answer(handle.push(*character)?),
            TextOp::PushStr(text) => answer(handle.push_str(text)?),
            TextOp::Set(text) => answer(handle.set(text)?),
            TextOp::Clear => answer(handle.clear()?),
            _ => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut StringWriteGuard<'_>, op: &TextOp) -> Result<String> {
        Ok(match op {
            TextOp::Push(character) => answer(guard.push(*character)?),
            TextOp::PushStr(text) => answer(guard.push_str(text)?),
            TextOp::Set(text) => answer(guard.replace_range(0..guard.len(), text)?),
            TextOp::Clear => answer(guard.clear()?),
            TextOp::Pop => answer(guard.pop()?),
            TextOp::Truncate(at) => answer(guard.truncate(boundary(guard, *at))?),
            TextOp::InsertStr(at, text) => answer(guard.insert_str(boundary(guard, *at), text)?),
            TextOp::ReplaceRange(a, b, text) => {
                answer(guard.replace_range(boundary(guard, *a)..boundary(guard, *b), text)?)
            }
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
            settings.prop_map(BoxOp::Replace),
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
        }
        answer(())
    }

    fn on_handle(handle: &SharedBox<Settings>, op: &BoxOp) -> Result<String> {
        Ok(match op {
            BoxOp::Set(new) => answer(handle.set(*new)?),
            BoxOp::Replace(new) => answer(handle.replace(*new)?),
            BoxOp::Update(limit) => answer(handle.update(|settings| change(settings, *limit))?),
            BoxOp::InPlace(_) => return Self::on_guard(&mut handle.write()?, op),
        })
    }

    fn on_guard(guard: &mut BoxWriteGuard<'_, Settings>, op: &BoxOp) -> Result<String> {
        Ok(match op {
            BoxOp::Set(new) => answer(guard.set(*new)?),
            BoxOp::Replace(new) => {
                let old = **guard;
                guard.set(*new)?;
                answer(old)
            }
            BoxOp::Update(limit) | BoxOp::InPlace(limit) => answer(change(&mut *guard, *limit)),
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
