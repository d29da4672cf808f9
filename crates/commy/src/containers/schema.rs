//! The readable form of a type: what a region stores beside an object, and what an error message quotes.
//!
//! A [`Schema`] is built in `const` from `size_of` and `offset_of!`, so it tells the real layout. Its `Display` is
//! the text persisted in the descriptor block; two programs agree on a type exactly if their texts are equal.
//! ```text
//! type      = primitive | array | tuple | struct | enum
//! primitive = "bool" | "char" | integer | "f32" | "f64" | "NonZeroU8" .. "NonZeroU128" | "NonZeroI8" .. "NonZeroI128"
//! integer   = "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128"
//! array     = "[" type "; " count "]"                                [u64; 4]
//! tuple     = "(" [ element { ", " element } ] ")#" size             (u32 @0, u64 @8)#16
//! element   = type " @" offset
//! struct    = name " {" [ " " field { ", " field } " " ] "} #" size  Task { id: u64 @0, kind: u32 @8 } #16
//! field     = name ": " type " @" offset                             fields of a tuple struct are named 0, 1, ..
//! enum      = name ": " integer " { " variant { ", " variant } " }"  Color: u8 { Red = 0, Green = 1 }
//! variant   = name " = " [ "-" ] number
//! name      = a Rust identifier without "r#", or a number            count, size, offset: decimal, in bytes
//! ```
//! Names carry no path and no generic arguments (the fields show those). Elements of tuples and fields stand in the
//! order of declaration, whatever their offsets. Alignment is not told: a slot of equal size is aligned as well.
//!
//! Invariant: [`difference`] takes any text, since one side comes from a file: no panic, no recursion, bounded output.

use std::fmt;

/// How a [`Plain`](super::plain::Plain) type lies in memory; `Display` gives the text that a region stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The type's name without its path; empty for arrays and tuples.
    pub name: &'static str,
    /// `size_of` the type, in bytes.
    pub size: usize,
    /// `align_of` the type, in bytes.
    pub align: usize,
    /// What it is made of.
    pub kind: SchemaKind,
}

/// What a type is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// A number, `bool` or `char`.
    Primitive,
    /// Named fields in the order of declaration.
    Struct(&'static [Field]),
    /// The integer that a value is stored as, and the values that are valid.
    Enum(&'static Schema, &'static [Variant]),
    /// The element and how many of them.
    Array(&'static Schema, usize),
    /// Elements in the order of declaration, named `0`, `1`, ..
    Tuple(&'static [Field]),
}

/// One field of a struct or tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, without `r#`.
    pub name: &'static str,
    /// `offset_of!` the field, in bytes.
    pub offset: usize,
    /// Its type.
    pub schema: &'static Schema,
}

/// One variant of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The name, without `r#`.
    pub name: &'static str,
    /// The discriminant.
    pub value: i128,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SchemaKind::Primitive => f.write_str(self.name),
            SchemaKind::Array(element, count) => write!(f, "[{element}; {count}]"),
            SchemaKind::Tuple(elements) => {
                f.write_str("(")?;
                list(f, elements, |f, element| write!(f, "{} @{}", element.schema, element.offset))?;
                write!(f, ")#{}", self.size)
            }
            SchemaKind::Struct([]) => write!(f, "{} {{}} #{}", self.name, self.size),
            SchemaKind::Struct(fields) => {
                write!(f, "{} {{ ", self.name)?;
                list(f, fields, |f, field| write!(f, "{}: {} @{}", field.name, field.schema, field.offset))?;
                write!(f, " }} #{}", self.size)
            }
            SchemaKind::Enum(integer, variants) => {
                write!(f, "{}: {integer} {{ ", self.name)?;
                list(f, variants, |f, variant| write!(f, "{} = {}", variant.name, variant.value))?;
                f.write_str(" }")
            }
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    Ok(())
}

/// Says where two schema texts first differ, naming the innermost field: "field `priority`: expected `f32 @12`, found
/// `f64 @16`". Spacing does not count. The answer has at most a few hundred characters and none that a terminal obeys.
pub(crate) fn difference(expected: &str, found: &str) -> String {
    let mut place = Place { levels: Vec::new() };
    let (mut e, mut f) = (Token::next(expected, 0), Token::next(found, 0));
    while e.text == f.text {
        if e.text.is_empty() {
            return "no difference".to_owned();
        }
        place.pass(e.text, (e.end, f.end));
        (e, f) = (Token::next(expected, e.end), Token::next(found, f.end));
    }
    let expected = Side { text: expected, token: e };
    let found = Side { text: found, token: f };
    place.describe(&expected, &found)
}

/// A word (identifier or number), a word behind `@` or `#`, one other character, or at the text's end nothing.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Token<'a> {
    /// The first token at or behind byte `from`, which is the end of a token or the text's begin.
    fn next(text: &'a str, from: usize) -> Self {
        let rest = text[from..].trim_start();
        let first = rest.chars().next();
        let head = first.filter(|c| !is_word(*c)).map_or(0, char::len_utf8);
        let size = if head == 0 || matches!(first, Some('@' | '#')) {
            let tail = rest[head..].find(|c| !is_word(c));
            tail.map_or(rest.len(), |tail| head + tail)
        } else {
            head
        };
        let start = text.len() - rest.len();
        Token { text: &rest[..size], start, end: start + size }
    }

    fn is_name(&self) -> bool {
        self.text.starts_with(is_word)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// One of the two texts, and its token at the difference.
struct Side<'a> {
    text: &'a str,
    token: Token<'a>,
}

impl Side<'_> {
    fn closes(&self) -> bool {
        matches!(self.token.text, "}" | ")")
    }

    /// What the entry or value that begins at byte `from` reads; if that is long, the part from the difference on.
    fn quote(&self, from: usize) -> String {
        let end = end_of_value(self.text, from, self.token.start);
        let whole = self.text[from..end].trim();
        let rest = self.text.get(self.token.start..end).unwrap_or("").trim();
        if whole.is_empty() {
            "nothing".to_owned()
        } else if rest == whole || whole.chars().nth(QUOTE_LIMIT).is_none() {
            format!("`{}`", printable(whole))
        } else if rest.is_empty() {
            "nothing more".to_owned()
        } else {
            format!("`… {}`", printable(rest))
        }
    }

    /// The entry at byte `from`, which is number `index` of `level`.
    fn entry(&self, from: usize, level: &Level<'_>, index: usize) -> Entry {
        let name = Token::next(self.text, from);
        let separator = Token::next(self.text, name.end);
        let is_named = level.bracket == "{";
        let value = if is_named { separator.end } else { from };
        let side = Side { text: self.text, token: Token::next(self.text, value) };
        Entry {
            noun: if is_named && separator.text == "=" { "variant" } else { "field" },
            name: if is_named { name.text.to_owned() } else { index.to_string() },
            value: side.quote(value),
        }
    }
}

/// A field, element or variant that only one side has.
struct Entry {
    noun: &'static str,
    name: String,
    value: String,
}

/// Where the comparison stands: the brackets open around it, and which entry of each.
struct Place<'a> {
    levels: Vec<Level<'a>>,
}

/// One open bracket. Pairs are byte offsets into the expected and the found text.
struct Level<'a> {
    bracket: &'a str,
    index: usize,
    /// Where the current entry begins.
    entry: (usize, usize),
    name: Option<&'a str>,
    /// Where the entry's value begins, once its name and separator are behind.
    value: Option<(usize, usize)>,
    is_variant: bool,
}

impl<'a> Level<'a> {
    fn new(bracket: &'a str, index: usize, entry: (usize, usize)) -> Self {
        let value = (bracket == "(").then_some(entry);
        Level { bracket, index, entry, name: None, value, is_variant: false }
    }

    fn awaits_name(&self) -> bool {
        self.bracket == "{" && self.name.is_none()
    }

    /// The entry that `side` has here, or next, if `other` has none any more; `entry` is where this one begins.
    fn only_in(&self, side: &Side<'_>, other: &Side<'_>, entry: usize) -> Option<Entry> {
        if self.awaits_name() && side.token.is_name() && !other.token.is_name() {
            Some(side.entry(entry, self, self.index))
        } else if self.value.is_some() && side.token.text == "," && other.closes() {
            Some(side.entry(side.token.end, self, self.index + 1))
        } else {
            None
        }
    }
}

impl<'a> Place<'a> {
    /// Steps over a token that both texts share; `ends` are its ends in both.
    fn pass(&mut self, token: &'a str, ends: (usize, usize)) {
        match token {
            "{" | "(" | "[" | "<" => self.levels.push(Level::new(token, 0, ends)),
            "}" | ")" | "]" | ">" => drop(self.levels.pop()),
            _ => {
                let Some(level) = self.levels.last_mut() else {
                    return;
                };
                if token == "," {
                    *level = Level::new(level.bracket, level.index + 1, ends);
                } else if level.bracket == "{" && level.value.is_none() {
                    match token {
                        ":" | "=" if level.name.is_some() => {
                            level.value = Some(ends);
                            level.is_variant = token == "=";
                        }
                        _ => level.name = Some(token),
                    }
                }
            }
        }
    }

    fn describe(&self, expected: &Side<'_>, found: &Side<'_>) -> String {
        if let Some((level, outer)) = self.levels.split_last() {
            let (at_expected, at_found) = level.entry;
            if level.awaits_name() && expected.token.is_name() && found.token.is_name() {
                let noun = expected.entry(at_expected, level, 0).noun;
                let (e, f) = (expected.quote(at_expected), found.quote(at_found));
                return located("in", &path(outer, None), &format!("expected {noun} {e}, found {f}"));
            }
            if let Some(Entry { noun, name, value }) = level.only_in(expected, found, at_expected) {
                let what = format!("expected {value}, found nothing");
                return located(noun, &path(outer, Some(&name)), &what);
            }
            if let Some(Entry { noun, name, value }) = level.only_in(found, expected, at_found) {
                let what = format!("expected nothing, found {value}");
                return located(noun, &path(outer, Some(&name)), &what);
            }
        }
        let innermost = self.levels.iter().rposition(|level| level.value.is_some());
        let levels = innermost.map_or(&[][..], |index| &self.levels[..=index]);
        let is_variant = levels.last().is_some_and(|level| level.is_variant);
        let (e, f) = (expected.token.text, found.token.text);
        let what = if let (Some(e), Some(f)) = (e.strip_prefix('#'), f.strip_prefix('#')) {
            format!("expected size `{}`, found size `{}`", printable(e), printable(f))
        } else {
            let value = levels.last().and_then(|level| level.value);
            let (at_expected, at_found) = value.unwrap_or((0, 0));
            format!("expected {}, found {}", expected.quote(at_expected), found.quote(at_found))
        };
        located(if is_variant { "variant" } else { "field" }, &path(levels, None), &what)
    }
}

fn located(noun: &str, path: &str, what: &str) -> String {
    if path.is_empty() { what.to_owned() } else { format!("{noun} `{path}`: {what}") }
}

/// The dotted names of the entries that `levels` stand in, then `last`; if that is long, the end of it.
fn path(levels: &[Level<'_>], last: Option<&str>) -> String {
    let open = levels.iter().filter(|level| level.value.is_some());
    let name_of = |level: &Level<'_>| level.name.map_or_else(|| level.index.to_string(), printable);
    let mut names: Vec<String> = open.map(name_of).collect();
    names.extend(last.map(printable));
    let path = names.join(".");
    match path.char_indices().rev().nth(QUOTE_LIMIT) {
        Some((cut, _)) => format!("…{}", &path[cut..]),
        None => path,
    }
}

/// The end of the entry or value that begins at byte `from`: before the comma or bracket that ends it, or not far
/// behind byte `shown`.
fn end_of_value(text: &str, from: usize, shown: usize) -> usize {
    let (mut depth, mut end) = (0usize, from);
    loop {
        let token = Token::next(text, end);
        match token.text {
            "" => break,
            "{" | "(" | "[" | "<" => depth += 1,
            "," if depth == 0 => break,
            "}" | ")" | "]" | ">" if depth == 0 => break,
            "}" | ")" | "]" | ">" => depth -= 1,
            _ => {}
        }
        end = token.end;
        if end > from.max(shown) + 8 * QUOTE_LIMIT {
            break;
        }
    }
    end
}

/// Characters of a text that a message quotes.
const QUOTE_LIMIT: usize = 64;

/// At most [`QUOTE_LIMIT`] characters, control characters escaped.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    let mut room = QUOTE_LIMIT;
    for c in text.chars() {
        let escaped = c.escape_debug();
        let Some(left) = room.checked_sub(escaped.len()) else {
            shown.push('…');
            break;
        };
        room = left;
        shown.extend(escaped);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "Task { id: u64 @0, kind: u32 @8, priority: f32 @12 } #16";
    const JOB: &str = "Job { task: Task { id: u64 @0, pair: (u8 @0, [u16; 3] @2)#8 @8 } #16 @0, \
                       color: Color: u8 { Red = 0, Green = 1, Blue = -2 } @16, tail: [u8; 7] @17 } #24";

    #[track_caller]
    fn check(expected: &str, found: &str, message: &str) {
        assert_eq!(difference(expected, found), message);
    }

    #[test]
    fn the_innermost_field_is_named() {
        check(
            TASK,
            "Task { id: u64 @0, kind: u32 @8, priority: f64 @16 } #24",
            "field `priority`: expected `f32 @12`, found `f64 @16`",
        );
        check(TASK, &TASK.replace("@8", "@4"), "field `kind`: expected `u32 @8`, found `u32 @4`");
        check(JOB, &JOB.replace("u16", "i16"), "field `task.pair.1`: expected `[u16; 3] @2`, found `[i16; 3] @2`");
        check(JOB, &JOB.replace("; 3", "; 4"), "field `task.pair.1`: expected `[u16; 3] @2`, found `[u16; 4] @2`");
        check(JOB, &JOB.replace("-2", "2"), "variant `color.Blue`: expected `-2`, found `2`");
        check("[(u8 @0)#1; 2]", "[(i8 @0)#1; 2]", "field `0`: expected `u8 @0`, found `i8 @0`");
    }

    #[test]
    fn without_a_field_the_types_are_named() {
        check("u64", "i32", "expected `u64`, found `i32`");
        check("[u64; 4]", "[u64; 8]", "expected `[u64; 4]`, found `[u64; 8]`");
        check("u64", "", "expected `u64`, found nothing");
        check("u64", "u64 u64", "expected `u64`, found `u64 u64`");
        check("Color: u8 { Red = 0 }", "Color: u16 { Red = 0 }", {
            "expected `Color: u8 { Red = 0 }`, found `Color: u16 { Red = 0 }`"
        });
        check("HashMap<u8, u64>", "HashMap<u8, i64>", "expected `HashMap<u8, u64>`, found `HashMap<u8, i64>`");
        check(
            TASK,
            &TASK.replace("Task", "Work"),
            &format!("expected `{TASK}`, found `{}`", TASK.replace("Task", "Work")),
        );
        check(TASK, TASK, "no difference");
        check(TASK, &TASK.replace(' ', "\t "), "no difference");
    }

    #[test]
    fn missing_and_additional_entries_are_named() {
        let shorter = "Task { id: u64 @0, kind: u32 @8 } #16";
        check(TASK, shorter, "field `priority`: expected `f32 @12`, found nothing");
        check(shorter, TASK, "field `priority`: expected nothing, found `f32 @12`");
        check("A {} #0", "A { x: u8 @0 } #1", "field `x`: expected nothing, found `u8 @0`");
        check("A { x: u8 @0 } #1", "A {} #0", "field `x`: expected `u8 @0`, found nothing");
        check("()#0", "(u8 @0)#1", "field `0`: expected nothing, found `u8 @0`");
        check("(u8 @0, u8 @1)#2", "(u8 @0)#1", "field `1`: expected `u8 @1`, found nothing");
        check(TASK, &TASK.replace("kind", "sort"), "expected field `kind: u32 @8`, found `sort: u32 @8`");
        check(JOB, &JOB.replace("pair", "both"), {
            "in `task`: expected field `pair: (u8 @0, [u16; 3] @2)#8 @8`, found `both: (u8 @0, [u16; 3] @2)#8 @8`"
        });
        check(JOB, &JOB.replace(", Blue = -2", ""), "variant `color.Blue`: expected `-2`, found nothing");
        check(JOB, &JOB.replace("Green", "Lime"), "in `color`: expected variant `Green = 1`, found `Lime = 1`");
    }

    #[test]
    fn what_differs_is_shown_even_behind_a_long_text() {
        check(JOB, &JOB.replace("#24", "#32"), "expected size `24`, found size `32`");
        check(JOB, &JOB.replace("#16", "#32"), "field `task`: expected size `16`, found size `32`");
        let long = JOB.replace("id:", "a_long_name_for_a_mere_number:");
        check(&long, &long.replace("#16 @0", "#16 @8"), "field `task`: expected `… @0`, found `… @8`");
    }

    #[test]
    fn hostile_text_is_answered_shortly_and_printably() {
        let control = difference("u64", "\u{1b}[2J\u{202e}x");
        assert_eq!(control, "expected `u64`, found `\\u{1b}[2J\\u{202e}x`");
        for open in ["{", "(", "[", "<", "a: {", "((((", "}", "{a:", "{,", "é", "#", "@"] {
            let deep = open.repeat(20_000);
            for (expected, found) in [(TASK, &*deep), (&deep, TASK), (&deep, &format!("{deep}x"))] {
                assert!(difference(expected, found).chars().count() < 400);
            }
        }
    }

    #[test]
    fn random_text_never_panics_and_gets_a_bounded_answer() {
        let seed = std::env::var("COMMY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_u64);
        println!("COMMY_SEED={seed}");
        let mut state = seed | 1;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 16) as usize % below
        };
        let alphabet: Vec<char> = "{}()[]<>:,=@#;-_ \t\n\0\u{7f}\u{202e}ax09éß😀`'\"\\…".chars().collect();
        for round in 0..20_000 {
            let origin = [TASK, JOB, ""][round % 3];
            let mut text: Vec<char> = origin.chars().collect();
            for _ in 0..=random(8) {
                let at = random(text.len() + 1);
                let new = alphabet[random(alphabet.len())];
                match random(4) {
                    0 if at < text.len() => drop(text.remove(at)),
                    1 if at < text.len() => text[at] = new,
                    2 => text.truncate(at),
                    _ => text.splice(at..at, (0..random(6)).map(|_| new)).for_each(drop),
                }
            }
            let text: String = text.into_iter().collect();
            for (expected, found) in [(origin, &*text), (&text, origin), (&text, JOB)] {
                let message = difference(expected, found);
                assert!(message.chars().count() < 400, "{message}");
                assert!(!message.chars().any(char::is_control), "{message:?}");
            }
        }
    }
}
