//! A Rust text as a flat list of tokens that know where they stand.

use std::{collections::BTreeSet, ops::Range};

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ident,
    Lifetime,
    Literal,
    /// A punctuation character; `true` when the next one belongs to it, as in `->`.
    Punct(char, bool),
    Open(char),
    Close(char),
    Doc,
}

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Where it stands in the file.
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
    /// For a delimiter the index of its other half; for any other token its own.
    pub(crate) partner: usize,
    /// Whether only white space lies between the token before and this one.
    pub(crate) after_blank: bool,
}

impl Token {
    pub(crate) fn is(&self, ident: &str) -> bool {
        self.kind == Kind::Ident && self.text == ident
    }

    pub(crate) fn is_punct(&self, character: char) -> bool {
        matches!(self.kind, Kind::Punct(c, _) if c == character)
    }
}

/// Where the pieces of a lexed text stand in the file it was taken from.
#[derive(Debug, Default)]
pub(crate) struct Map(Vec<(usize, usize)>);

impl Map {
    /// From `at` in the lexed text on, bytes stand at `file` and after in the file.
    pub(crate) fn add(&mut self, at: usize, file: usize) {
        self.0.push((at, file));
    }

    pub(crate) fn offset(&self, at: usize) -> usize {
        let next = self.0.partition_point(|(start, _)| *start <= at);
        match next.checked_sub(1).and_then(|last| self.0.get(last)) {
            Some((start, file)) => file + (at - start),
            None => at,
        }
    }

    fn range(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.offset(range.start);
        let end = if range.is_empty() { start } else { self.offset(range.end - 1) + 1 };
        start..end
    }
}

/// Lexes `text`; tokens carry their places in the file by `map`.
///
/// # Errors
///
/// The place in the file, and what is wrong there.
pub(crate) fn lex(text: &str, map: &Map) -> Result<Vec<Token>, (usize, String)> {
    let stream: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| {
        let at = offset_of(text, error.span().start().line, error.span().start().column);
        (map.offset(at), error.to_string())
    })?;
    let mut lexer = Lexer { text, map, tokens: Vec::new(), end: 0 };
    lexer.stream(stream);
    Ok(lexer.tokens)
}

/// The byte offset of a line (from 1) and column (from 0, in characters).
pub(crate) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

struct Lexer<'a> {
    text: &'a str,
    map: &'a Map,
    tokens: Vec<Token>,
    end: usize,
}

impl Lexer<'_> {
    fn push(&mut self, kind: Kind, span: Span) -> usize {
        self.push_range(kind, span.byte_range())
    }

    fn push_range(&mut self, kind: Kind, range: Range<usize>) -> usize {
        let index = self.tokens.len();
        let after_blank = self.text.get(self.end..range.start).is_some_and(|gap| gap.trim().is_empty());
        self.end = range.end;
        self.tokens.push(Token {
            kind,
            text: self.text.get(range.clone()).unwrap_or_default().to_owned(),
            range: self.map.range(&range),
            partner: index,
            after_blank,
        });
        index
    }

    fn stream(&mut self, stream: TokenStream) {
        let mut trees = stream.into_iter().peekable();
        while let Some(tree) = trees.next() {
            match tree {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ('(', ')'),
                        Delimiter::Brace => ('{', '}'),
                        Delimiter::Bracket => ('[', ']'),
                        Delimiter::None => {
                            self.stream(group.stream());
                            continue;
                        }
                    };
                    let first = self.push(Kind::Open(open), group.span_open());
                    self.stream(group.stream());
                    let last = self.push(Kind::Close(close), group.span_close());
                    self.tokens[first].partner = last;
                    self.tokens[last].partner = first;
                }
                TokenTree::Ident(ident) => {
                    self.push(Kind::Ident, ident.span());
                }
                TokenTree::Literal(literal) => {
                    self.push(Kind::Literal, literal.span());
                }
                TokenTree::Punct(punct) => {
                    let range = punct.span().byte_range();
                    let character = punct.as_char();
                    if character == '#' && !self.text[range.clone()].starts_with('#') {
                        // A doc comment comes as `#[doc = ".."]`, all of it spanning the comment.
                        self.push(Kind::Doc, punct.span());
                        while trees.next_if(|tree| tree.span().byte_range() == range).is_some() {}
                    } else if character == '\'' {
                        let end = trees.next().map_or(range.end, |name| name.span().byte_range().end);
                        self.push_range(Kind::Lifetime, range.start..end);
                    } else {
                        self.push(Kind::Punct(character, punct.spacing() == Spacing::Joint), punct.span());
                    }
                }
            }
        }
    }
}

/// The indices of the opening delimiters of macro calls' arguments. The rules of a `macro_rules!` are not arguments.
pub(crate) fn macro_arguments(tokens: &[Token]) -> BTreeSet<usize> {
    let is_call = |open: usize| {
        let Some(name) = open.checked_sub(2) else { return false };
        tokens[open - 1].is_punct('!') && tokens[name].kind == Kind::Ident && !is_keyword(&tokens[name].text)
    };
    (0..tokens.len()).filter(|index| matches!(tokens[*index].kind, Kind::Open(_)) && is_call(*index)).collect()
}

/// Keywords that may stand before an expression, so that `(` after one does not make a call.
pub(crate) fn is_keyword(ident: &str) -> bool {
    const BEFORE_EXPRESSION: [&str; 18] = [
        "as", "async", "await", "box", "break", "const", "do", "else", "for", "if", "in", "let", "loop", "match",
        "move", "return", "while", "yield",
    ];
    BEFORE_EXPRESSION.contains(&ident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_know_their_places() {
        let text = "/// é\nfn f<'a>() { g!(\"ä\").h }";
        let tokens = lex(text, &Map::default()).unwrap();
        for token in &tokens {
            assert_eq!(&text[token.range.clone()], token.text, "{token:?}");
        }
        assert_eq!(tokens[0].kind, Kind::Doc);
        assert_eq!(tokens[0].text, "/// é");
        assert!(tokens[1].is("fn"));
        assert_eq!((tokens[4].kind, tokens[4].text.as_str()), (Kind::Lifetime, "'a"));
        let arguments = macro_arguments(&tokens);
        assert_eq!(arguments.len(), 1);
        let literal = tokens.iter().position(|token| token.kind == Kind::Literal).unwrap();
        assert_eq!(tokens[*arguments.first().unwrap()].partner, literal + 1);
    }

    #[test]
    fn what_does_not_lex_is_placed() {
        let (at, _) = lex("fn f() {\n    \"é\" ) }", &Map::default()).unwrap_err();
        assert_eq!(at, 18);
    }
}
