//! Edits of a text: what goes where, collected in any order and applied at once.

use std::ops::Range;

/// A set of replacements in one text, by byte range.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(crate) fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        self.0.push((range, with.into()));
    }

    pub(crate) fn delete(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// The text after all edits. An edit that lies inside a wider deletion goes with it; overlapping deletions merge.
    ///
    /// # Errors
    ///
    /// The byte offset at which two edits contradict each other.
    pub(crate) fn apply(mut self, text: &str) -> Result<String, usize> {
        self.0.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut last_was_deletion = true;
        for (range, with) in self.0 {
            if range.start >= at {
                out.push_str(&text[at..range.start]);
            } else if !last_was_deletion || (range.end > at && !with.is_empty()) {
                return Err(range.start);
            } else if range.end <= at {
                continue;
            }
            last_was_deletion = with.is_empty();
            out.push_str(&with);
            at = range.end;
        }
        out.push_str(&text[at..]);
        Ok(out)
    }
}

/// The whole line, its end included, when `range` is all that stands on it but for blanks.
///
/// In a code fence of a doc comment the comment's marker and the mark of a hidden line count as blank.
pub(crate) fn lone_line(text: &str, range: &Range<usize>, in_fence: bool) -> Option<Range<usize>> {
    let start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |newline| range.end + newline + 1);
    let mut before = text[start..range.start].trim();
    if in_fence {
        before = before.strip_prefix("///").or_else(|| before.strip_prefix("//!")).unwrap_or(before).trim_start();
        before = before.strip_prefix('#').unwrap_or(before);
    }
    (before.is_empty() && text[range.end..end].trim().is_empty()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(text: &str, edits: &[(Range<usize>, &str)]) -> Result<String, usize> {
        let mut all = Edits::default();
        for (range, with) in edits {
            all.replace(range.clone(), *with);
        }
        all.apply(text)
    }

    #[test]
    fn edits_are_applied_in_the_order_of_the_text() {
        assert_eq!(apply("abcdef", &[(4..5, "X"), (0..1, "YY")]).unwrap(), "YYbcdXf");
        assert_eq!(apply("abc", &[]).unwrap(), "abc");
    }

    #[test]
    fn an_edit_inside_a_deletion_goes_with_it() {
        assert_eq!(apply("abcdef", &[(1..5, ""), (2..3, "X")]).unwrap(), "af");
        assert_eq!(apply("abcdef", &[(1..4, ""), (3..5, "")]).unwrap(), "af");
    }

    #[test]
    fn contradicting_edits_are_an_error() {
        assert_eq!(apply("abcdef", &[(1..4, "X"), (2..3, "Y")]), Err(2));
        assert_eq!(apply("abcdef", &[(1..4, ""), (3..5, "Y")]), Err(3));
    }

    #[test]
    fn a_line_is_lone_when_nothing_else_stands_on_it() {
        let text = "a\n  #[x]\nb #[y]\n";
        assert_eq!(lone_line(text, &(4..8), false), Some(2..9));
        assert_eq!(lone_line(text, &(11..15), false), None);
        let text = "/// # #[x]\n";
        assert_eq!(lone_line(text, &(6..10), true), Some(0..11));
        assert_eq!(lone_line(text, &(6..10), false), None);
    }
}
