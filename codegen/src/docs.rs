//! Doc comments: the crate's name everywhere in them, and the flavour's edits in their Rust code.

use std::ops::Range;

use crate::{
    edit::Edits,
    lex::{self, Kind, Map, Token},
    refuse::{Reason, Refusal},
    rules::RuleId,
    walk::{File, Report, SOURCE_IDENT, SOURCE_PACKAGE, Walk},
};

/// A line of a doc comment, without its `///`.
#[derive(Clone, Copy)]
struct Line<'a> {
    offset: usize,
    text: &'a str,
}

/// A fence's opening: its characters, and whether Rust follows.
struct Fence {
    marker: char,
    length: usize,
    is_rust: bool,
}

/// Collects the edits of the doc comments among `tokens`.
pub(crate) fn rewrite(file: File<'_>, tokens: &[Token], edits: &mut Edits, report: &mut Report) {
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if token.kind != Kind::Doc {
            continue;
        }
        rename(file, token, edits, report);
        if token.text.starts_with("/*") {
            if token.text.contains("```") || token.text.contains("~~~") {
                let message = "code in a block comment; write its lines with `///` or `//!`".to_owned();
                refuse(file, token.range.start, message, report);
            }
            continue;
        }
        let mut lines = vec![line(token)];
        let goes_on = |next: &&Token| next.kind == Kind::Doc && next.after_blank && next.text[..3] == token.text[..3];
        while let Some(next) = tokens.get(index).filter(goes_on) {
            rename(file, next, edits, report);
            lines.push(line(next));
            index += 1;
        }
        fences(file, &lines, edits, report);
    }
}

fn line(token: &Token) -> Line<'_> {
    Line { offset: token.range.start + 3, text: &token.text[3..] }
}

fn refuse(file: File<'_>, at: usize, message: String, report: &mut Report) {
    report.refusals.insert(Refusal::new(file.path, file.text, at, Reason::DocFence, message));
}

/// Replaces the source crate's names, in code and as a package, where they stand as words of their own.
fn rename(file: File<'_>, token: &Token, edits: &mut Edits, report: &mut Report) {
    for (name, with, joins) in
        [(SOURCE_IDENT, file.flavour.ident(), "_"), (SOURCE_PACKAGE, file.flavour.package(), "_-")]
    {
        let is_joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || joins.contains(c));
        for (at, _) in token.text.match_indices(name) {
            let after = at + name.len();
            if !is_joined(token.text[..at].chars().next_back()) && !is_joined(token.text[after..].chars().next()) {
                edits.replace(token.range.start + at..token.range.start + after, with);
                report.hits.count(RuleId::CrateName, file.flavour);
            }
        }
    }
}

/// Finds the fences in the lines of one doc comment.
fn fences(file: File<'_>, lines: &[Line<'_>], edits: &mut Edits, report: &mut Report) {
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let Some(fence) = opening(line.text) else { continue };
        let Some(length) = lines[at..].iter().position(|line| is_closing(line.text, &fence)) else {
            return refuse(file, line.offset, "this code block is not closed".to_owned(), report);
        };
        if fence.is_rust {
            code(file, &lines[at..at + length], edits, report);
        }
        at += length + 1;
    }
}

fn opening(line: &str) -> Option<Fence> {
    let line = line.trim();
    let marker = line.chars().next().filter(|c| ['`', '~'].contains(c))?;
    let info = line.trim_start_matches(marker);
    let length = line.len() - info.len();
    if length < 3 || (marker == '`' && info.contains('`')) {
        return None;
    }
    Some(Fence { marker, length, is_rust: is_rust(info) })
}

fn is_closing(line: &str, fence: &Fence) -> bool {
    let line = line.trim();
    line.len() >= fence.length && line.chars().all(|c| c == fence.marker)
}

/// Whether rustdoc takes a code block with this info string for Rust.
fn is_rust(info: &str) -> bool {
    let is_known = |word: &str| {
        let is_error_code = word.len() == 5 && word.starts_with('E') && word[1..].chars().all(|c| c.is_ascii_digit());
        ["rust", "should_panic", "no_run", "compile_fail", "test_harness", "standalone_crate"].contains(&word)
            || word.starts_with("ignore")
            || word.starts_with("edition")
            || is_error_code
    };
    let mut words = info.split([',', ' ', '\t']).filter(|word| !word.is_empty()).peekable();
    words.clone().any(|word| word == "rust") || words.all(is_known)
}

/// The Rust code of one fence.
fn code(file: File<'_>, lines: &[Line<'_>], edits: &mut Edits, report: &mut Report) {
    let mut text = String::new();
    let mut map = Map::default();
    for line in lines {
        map.add(text.len(), line.offset);
        match hidden_mark(line.text) {
            Some(mark) => {
                text.push_str(&line.text[..mark.start]);
                text.push(' ');
                text.push_str(&line.text[mark.end..]);
            }
            None => text.push_str(line.text),
        }
        text.push('\n');
    }
    match lex::lex(&text, &map) {
        Ok(tokens) => Walk::new(file, true, &tokens, edits, report).run(),
        Err((at, message)) => refuse(
            file,
            at,
            format!("the code of this doc comment is not Rust: {message}; mend it, or name its language (`text`)"),
            report,
        ),
    }
}

/// The `#` that hides a line from the reader, or that escapes another one.
fn hidden_mark(line: &str) -> Option<Range<usize>> {
    let code = line.trim();
    let at = line.len() - line.trim_start().len();
    (code == "#" || code.starts_with("# ") || code.starts_with("##")).then_some(at..at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_of_rust_are_told_from_others() {
        for info in
            ["", "rust", "no_run", "ignore", "ignore-windows", "rust,no_run", "compile_fail,E0277", "edition2024"]
        {
            assert!(is_rust(info), "{info}");
        }
        for info in ["text", "toml", "json", "sh", "console", "text,no_run", "E12"] {
            assert!(!is_rust(info), "{info}");
        }
    }

    #[test]
    fn a_fence_closes_with_its_own_marker() {
        let fence = opening(" ````rust").unwrap();
        assert!(fence.is_rust);
        assert!(!is_closing(" ```", &fence));
        assert!(is_closing(" `````", &fence));
        assert!(!is_closing(" ~~~~", &fence));
        assert!(opening("``x``").is_none());
        assert!(opening("```a```").is_none());
    }

    #[test]
    fn hidden_lines_lose_their_mark_only() {
        assert_eq!(hidden_mark(" # let x;"), Some(1..2));
        assert_eq!(hidden_mark(" #"), Some(1..2));
        assert_eq!(hidden_mark(" ## x"), Some(1..2));
        assert_eq!(hidden_mark(" #[test]"), None);
    }
}
