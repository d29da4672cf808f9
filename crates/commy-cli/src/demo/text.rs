//! The text that is counted: found, cut into parts, and counted the plain way.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What counts as text where nobody named anything.
const EXTENSIONS: [&str; 4] = ["md", "rs", "toml", "txt"];
/// And how many bytes of it are enough.
const ENOUGH: usize = 32 << 20;

/// The words of a text: runs of letters and digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// How often each word occurs.
pub(super) fn count(text: &str) -> HashMap<&str, u64> {
    let mut counts = HashMap::new();
    for word in words(text) {
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

/// Cuts a text into parts of about `size` bytes without cutting a word.
pub(super) fn parts(text: &str, size: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(part_length(rest, size));
        parts.push(part);
        rest = behind;
    }
    parts
}

/// Where the first part ends: at the first end of a word behind `size` bytes.
fn part_length(text: &str, size: usize) -> usize {
    let Some(from) = (size.max(1)..text.len()).find(|&index| text.is_char_boundary(index)) else {
        return text.len();
    };
    text[from..].find(|c| !is_word(c)).map_or(text.len(), |behind| from + behind)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

/// Reads the texts to count: the files named and all text of the folders named, or, if nothing is named, the documents and
/// sources of the current folder.
pub(super) fn read_all(named: &[PathBuf]) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for path in named {
        if path.is_dir() {
            find(path, &|_| true, &mut paths)?;
        } else {
            paths.push(path.clone());
        }
    }
    if named.is_empty() {
        let usual = |path: &Path| path.extension().and_then(OsStr::to_str).is_some_and(|it| EXTENSIONS.contains(&it));
        find(Path::new("."), &usual, &mut paths)?;
    }
    paths.sort();
    paths.dedup();
    let (mut texts, mut size) = (Vec::new(), 0);
    for path in paths {
        let bytes = fs::read(&path).map_err(|error| naming(&path, &error))?;
        if named.is_empty() && size + bytes.len() > ENOUGH {
            break;
        }
        size += bytes.len();
        texts.extend(text_of(bytes).filter(|text| words(text).next().is_some()));
    }
    Ok(texts)
}

/// Collects the wanted files below a folder. Leaves out what is hidden, what a build made, and symbolic links.
fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| naming(folder, &error))? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() && name != "target" {
            find(&path, wanted, found)?;
        } else if kind.is_file() && wanted(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// The content of a file as text, unless it is binary.
fn text_of(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() }
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Grüezi, Welt! Die Welt — «schön» — hat 7 Enden,\nund 2_x is two words. 语言\n";

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(words("let x_1 = foo(bar2);").collect::<Vec<_>>(), ["let", "x", "1", "foo", "bar2"]);
        assert_eq!(words("«schön» — 语言").collect::<Vec<_>>(), ["schön", "语言"]);
        assert_eq!(words(" ,;\n").count(), 0);
    }

    #[test]
    fn each_word_is_counted_as_often_as_it_occurs() {
        let expected = HashMap::from([("to", 2), ("be", 2), ("or", 1), ("not", 1)]);
        assert_eq!(count("to be, or not to be"), expected);
    }

    #[test]
    fn parts_of_any_size_make_the_text_again() {
        for size in 0..TEXT.len() + 2 {
            assert_eq!(parts(TEXT, size).concat(), TEXT, "size {size}");
        }
    }

    #[test]
    fn no_word_is_cut_whatever_the_size() {
        let whole: Vec<&str> = words(TEXT).collect();
        for size in 0..TEXT.len() + 2 {
            let in_parts: Vec<&str> = parts(TEXT, size).into_iter().flat_map(words).collect();
            assert_eq!(in_parts, whole, "size {size}");
        }
    }

    #[test]
    fn a_part_ends_with_the_word_that_reaches_the_size() {
        assert_eq!(parts("one two three", 4), ["one two", " three"]);
        assert_eq!(parts("one two three", 3), ["one", " two", " three"]);
        assert_eq!(parts("one-endless-word".replace('-', "").as_str(), 4).len(), 1);
        assert!(parts("", 4).is_empty());
    }

    #[test]
    fn binary_files_are_no_text() {
        assert_eq!(text_of(b"plain".to_vec()).as_deref(), Some("plain"));
        assert_eq!(text_of(b"\x7fELF\0".to_vec()), None);
        assert_eq!(text_of(b"latin-1: gr\xfcezi".to_vec()), None);
    }
}
