//! The layers of ARCHITECTURE.md, read off the sources: nobody imports from above, `unsafe` stays where it is
//! allowed and gives its reason, each file says what it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Bottom up. `error` and `crash` are below all.
const LAYERS: [&str; 9] = ["sys", "region", "process", "lock", "journal", "heap", "raw", "engine", "containers"];

/// What may be named although it lies above: {who, what, why}.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("engine", "containers::Container", "the trait by which a typed handle is made of an object"),
    ("engine", "containers::schema", "says in which field two types differ"),
    ("raw", "containers::plain::Plain", "the one word about element types that slots are read and written by"),
    ("crash", "sys::", "compiled into tests only"),
];

/// A source file without comments and literals, and its comments line by line.
struct Source {
    name: String,
    layer: String,
    code: Vec<String>,
    comments: Vec<String>,
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 50, "the sources are read");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let layer = name.split(['/', '.']).next().unwrap().to_owned();
        let (code, comments) = split(&fs::read_to_string(&path).unwrap());
        Source { name, layer, code, comments }
    };
    files.into_iter().map(read).collect()
}

/// Code and comments of a text, line by line; the insides of literals are gone.
fn split(text: &str) -> (Vec<String>, Vec<String>) {
    let characters: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (vec![String::new()], vec![String::new()]);
    let mut at = 0;
    let starts =
        |at: usize, pattern: &str| pattern.chars().enumerate().all(|(n, c)| characters.get(at + n) == Some(&c));
    while at < characters.len() {
        let end = if starts(at, "//") {
            (at..characters.len()).find(|end| characters[*end] == '\n').unwrap_or(characters.len())
        } else if starts(at, "/*") {
            (at..).find(|end| starts(*end, "*/")).unwrap() + 2
        } else if let Some(end) = end_of_literal(&characters, at) {
            end
        } else {
            at
        };
        let is_comment = starts(at, "//") || starts(at, "/*");
        let is_literal = end > at && !is_comment;
        for c in &characters[at..end.max(at + 1)] {
            if *c == '\n' {
                code.push(String::new());
                comments.push(String::new());
            } else if is_comment {
                comments.last_mut().unwrap().push(*c);
            } else if !is_literal {
                code.last_mut().unwrap().push(*c);
            }
        }
        if is_literal {
            code.last_mut().unwrap().push_str("\"\"");
        }
        at = end.max(at + 1);
    }
    (code, comments)
}

/// Where the string or character literal that begins at `at` ends.
fn end_of_literal(text: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|before| text[before]);
    let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text[at] == 'r' && (!inside_word || matches!(before, Some('b' | 'c'))) {
        let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
        if text.get(at + 1 + hashes) == Some(&'"') {
            let close = |end: usize| text[end] == '"' && text[end + 1..].iter().take(hashes).all(|c| *c == '#');
            return (at + 2 + hashes..text.len()).find(|end| close(*end)).map(|end| end + 1 + hashes);
        }
    }
    if text[at] == '\'' {
        // A lifetime has no quote behind its first character.
        let escaped = text.get(at + 1) == Some(&'\\');
        return match escaped {
            true => (at + 3..text.len()).find(|end| text[*end] == '\'').map(|end| end + 1),
            false => (text.get(at + 2) == Some(&'\'')).then_some(at + 3),
        };
    }
    if text[at] != '"' {
        return None;
    }
    let mut end = at + 1;
    while text[end] != '"' {
        end += if text[end] == '\\' { 2 } else { 1 };
    }
    Some(end + 1)
}

/// The words and marks of a code text.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match tokens.last_mut() {
            Some(last) if word && in_word => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => tokens.push(c.into()),
        }
        in_word = word;
    }
    tokens
}

/// All paths of the use tree (or plain path) that begins at `at`, below `prefix`; and where it ends.
fn paths(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    if tokens.get(at).is_some_and(|token| token == "{") {
        at += 1;
        while tokens.get(at).is_some_and(|token| token != "}") {
            at = paths(tokens, at, prefix, found);
            if tokens.get(at).is_some_and(|token| token == "as") {
                at += 2;
            }
            if tokens.get(at).is_some_and(|token| token == ",") {
                at += 1;
            }
        }
        return at + 1;
    }
    let path = format!("{prefix}{}", tokens[at]);
    if tokens.get(at + 1).is_some_and(|token| token == "::") {
        return paths(tokens, at + 2, &format!("{path}::"), found);
    }
    found.push(path);
    at + 1
}

/// Paths from the crate's root that a file names: by `crate::` and by so many `super::` that they lead there.
fn named_from_root(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.code.join("\n"));
    let folders = source.name.matches('/').count();
    let is_module_file = source.name.ends_with("/mod.rs");
    let depth = if is_module_file { folders } else { folders + 1 };
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if tokens[at] == "crate" && tokens.get(at + 1).is_some_and(|token| token == "::") {
            paths(&tokens, at + 2, "", &mut found);
        }
        let first = at == 0 || tokens[at - 1] != "::";
        let supers = tokens[at..].chunks(2).take_while(|pair| pair == &["super", "::"]).count();
        if first && supers == depth {
            paths(&tokens, at + 2 * supers, "", &mut found);
        }
    }
    found
}

/// What `lib.rs` re-exports: name to path.
fn reexports(sources: &[Source]) -> BTreeMap<String, String> {
    let library = sources.iter().find(|source| source.name == "lib.rs").unwrap();
    let tokens = tokens(&library.code.join("\n"));
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let public = at > 0 && tokens[at - 1] == "pub";
        if tokens[at] == "use" && public && tokens[at + 1] != "crate" {
            paths(&tokens, at + 1, "", &mut found);
        }
    }
    found.into_iter().map(|path| (path.rsplit("::").next().unwrap().to_owned(), path)).collect()
}

fn rank(layer: &str) -> Option<usize> {
    match layer {
        "error" | "crash" => Some(0),
        other => LAYERS.iter().position(|layer| *layer == other).map(|at| at + 1),
    }
}

#[test]
fn no_module_imports_from_a_layer_above() {
    let sources = sources();
    let reexports = reexports(&sources);
    let mut wrong = Vec::new();
    let mut used = vec![false; EXCEPTIONS.len()];
    for source in sources.iter().filter(|source| source.name != "lib.rs") {
        let own = rank(&source.layer).unwrap_or_else(|| panic!("{} belongs to no layer", source.name));
        for path in named_from_root(source) {
            let path = reexports.get(path.split("::").next().unwrap()).unwrap_or(&path);
            let Some(named) = rank(path.split("::").next().unwrap()) else { continue };
            let exception = EXCEPTIONS.iter().position(|(who, what, _)| source.layer == *who && path.starts_with(what));
            if let Some(exception) = exception {
                used[exception] = true;
            } else if named > own {
                wrong.push(format!("{} names {path}", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "imports from above:\n{}", wrong.join("\n"));
    for (exception, used) in EXCEPTIONS.iter().zip(used) {
        assert!(used, "nobody needs this exception any more: {exception:?}");
    }
}

#[test]
fn only_sys_calls_the_system() {
    for source in sources().iter().filter(|source| source.layer != "sys") {
        let tokens = tokens(&source.code.join("\n"));
        for (at, token) in tokens.iter().enumerate() {
            let system =
                token == "libc" || (token == "os" && at > 1 && tokens[at - 2] == "std") || token == "target_os";
            let refused = source.name == "lib.rs";
            assert!(!system || refused, "{} names {token}", source.name);
        }
    }
}

#[test]
fn the_typed_layer_has_no_unsafe_code_but_plain() {
    for source in sources().iter().filter(|source| source.layer == "containers") {
        let has = tokens(&source.code.join("\n")).iter().any(|token| token == "unsafe");
        assert_eq!(has, source.name == "containers/plain.rs", "{}", source.name);
    }
}

/// Does the statement of line `line` say, in the comments directly before or inside it, what `marks` ask for?
fn is_explained(source: &Source, line: usize, marks: &[&str]) -> bool {
    let says = |line: usize| marks.iter().any(|mark| source.comments[line].contains(mark));
    let (mut at, mut walked) = (line, 0);
    loop {
        if says(at) {
            return true;
        }
        let Some(before) = at.checked_sub(1) else { return false };
        let code = source.code[before].trim();
        // The comment belongs to the whole statement, which may have begun some lines up.
        if code.ends_with([';', '}']) && source.comments[before].is_empty() {
            return false;
        }
        at = before;
        walked += usize::from(!code.is_empty());
        if walked > 12 {
            return false;
        }
    }
}

#[test]
fn every_unsafe_block_says_why() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources() {
        for (line, code) in source.code.iter().enumerate() {
            let words = tokens(code);
            for at in (0..words.len()).filter(|at| words[*at] == "unsafe") {
                let next = words
                    .get(at + 1)
                    .cloned()
                    .or_else(|| source.code[line + 1..].iter().find_map(|code| tokens(code).first().cloned()));
                let marks: &[&str] = match next.as_deref() {
                    Some("{" | "impl") => &["SAFETY:"],
                    Some("fn" | "trait") => &["# Safety", "SAFETY:"],
                    // An attribute, a foreign block, a word of a rule.
                    _ => continue,
                };
                seen += 1;
                if !is_explained(&source, line, marks) {
                    wrong.push(format!("{}:{}", source.name, line + 1));
                }
            }
        }
    }
    assert!(seen > 100, "the sources are read");
    assert!(wrong.is_empty(), "unsafe without a reason:\n{}", wrong.join("\n"));
}

#[test]
fn racing_bytes_are_copied_out_of_the_compilers_sight() {
    let all = sources();
    let source = all.iter().find(|source| source.name == "region/copy.rs").unwrap();
    let code = source.code.join("\n");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let words = tokens(code);
    // What others may be writing is read by assembly or atomics; the rest of the file stores to private memory.
    for plain in ["read", "read_unaligned", "read_volatile", "copy", "copy_nonoverlapping", "copy_to", "from_raw_parts"]
    {
        assert!(!words.iter().any(|word| word == plain), "region/copy.rs uses {plain}");
    }
    assert!(!code.contains("*source"), "region/copy.rs reads through a pointer");
    assert!(code.matches("asm!").count() >= 4 && words.iter().any(|word| word == "AtomicU8"));
}

#[test]
fn no_storage_is_ever_given_back_under_a_reader() {
    // A hole in a file on a full disk is a signal for whoever touches it, be it with a stale offset.
    for source in sources() {
        for word in tokens(&source.code.join("\n")) {
            let takes_away = word.starts_with("FALLOC_FL_")
                || ["ftruncate", "truncate64", "ftruncate64", "O_TRUNC", "MADV_REMOVE"].contains(&&*word)
                || source.layer == "sys" && word == "set_len";
            assert!(!takes_away, "{} names {word}", source.name);
        }
    }
}

#[test]
fn time_is_what_the_monotonic_clock_says() {
    for source in sources() {
        for word in tokens(&source.code.join("\n")) {
            let can_jump = ["SystemTime", "UNIX_EPOCH", "CLOCK_REALTIME", "gettimeofday"].contains(&&*word);
            assert!(!can_jump, "{} names {word}", source.name);
        }
    }
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.comments[0].starts_with("//!"))
        .map(|source| source.name)
        .collect();
    assert!(wrong.is_empty(), "no `//!` at the top of {wrong:?}");
}

#[test]
fn the_reader_of_sources_is_not_fooled() {
    let text = "use crate::{a::b, c as d, e::{f, g}}; // crate::x\nlet s = \"crate::y\"; let c = '\"'; /* crate::z */ r#\"\"unsafe\"#; fn f<'a>() { super::super::top() }";
    let (code, comments) = split(text);
    let source = Source { name: "one/two.rs".into(), layer: "one".into(), code, comments };
    assert_eq!(named_from_root(&source), ["a::b", "c", "e::f", "e::g", "top"]);
    assert!(source.comments[0].contains("crate::x") && !source.code.join("").contains("unsafe"));
    let bare = |text: &str| {
        let (code, comments) = split(text);
        let line = code.iter().position(|code| code.contains("unsafe")).unwrap();
        is_explained(&Source { name: String::new(), layer: String::new(), code, comments }, line, &["SAFETY:"])
    };
    assert!(bare("// SAFETY: so\nlet a =\n    unsafe { b() };"));
    assert!(!bare("// SAFETY: so\nlet a = 1;\nunsafe { b() };"));
}
