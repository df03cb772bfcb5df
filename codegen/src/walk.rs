//! The walk over a file's tokens: finds what each rule changes and what has to be refused.

use std::{collections::BTreeSet, ops::Range};

use syn::visit::Visit;

use crate::{
    docs,
    edit::{Edits, lone_line},
    lex::{self, Kind, Map, Token},
    refuse::{Reason, Refusal},
    rules::{Flavour, Hits, RuleId},
};

/// The name of the source crate in code and as a package.
pub(crate) const SOURCE_IDENT: &str = "kv_source";
pub(crate) const SOURCE_PACKAGE: &str = "kv-source";

/// What comes of one file.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) refusals: BTreeSet<Refusal>,
    pub(crate) hits: Hits,
}

/// One file on its way into one flavour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) flavour: Flavour,
    /// One of a pair of files that differ by flavour: only the crate's name and the doc comments change.
    pub(crate) seam: bool,
    /// The seam files there are, to check the switches against.
    pub(crate) seams: &'a BTreeSet<&'a str>,
}

/// The text of `file` in its flavour, neither formatted nor with a header. What is refused goes to `report`.
pub(crate) fn rewrite(file: File<'_>, report: &mut Report) -> String {
    let mut edits = Edits::default();
    let not_rust = |at: usize, message: String| {
        Refusal::new(file.path, file.text, at, Reason::NotRust, format!("this is not Rust: {message}"))
    };
    match lex::lex(file.text, &Map::default()) {
        Ok(tokens) => {
            Walk::new(file, false, &tokens, &mut edits, report).run();
            docs::rewrite(file, &tokens, &mut edits, report);
        }
        Err((at, message)) => {
            report.refusals.insert(not_rust(at, message));
            return String::new();
        }
    }
    match syn::parse_str::<syn::File>(file.text) {
        Ok(syntax) if !file.seam => Awaits { file, report }.visit_file(&syntax),
        Ok(_) => {}
        Err(error) => {
            let start = error.span().start();
            let at = lex::offset_of(file.text, start.line, start.column);
            report.refusals.insert(not_rust(at, error.to_string()));
        }
    }
    edits.apply(file.text).unwrap_or_else(|at| {
        let message = "two rules change this in different ways; write it more plainly".to_owned();
        report.refusals.insert(Refusal::new(file.path, file.text, at, Reason::AsyncForm, message));
        String::new()
    })
}

const AWAIT_AWAY: &str = "`.await` away from its call, where the blocking flavour would run it at another time; \
                          await where you call";

/// Finds the `.await`s that do not follow a call, in the code that `syn` sees (macros are left to the tokens).
struct Awaits<'a, 'r> {
    file: File<'a>,
    report: &'r mut Report,
}

impl<'ast> Visit<'ast> for Awaits<'_, '_> {
    fn visit_expr_await(&mut self, expr: &'ast syn::ExprAwait) {
        if !matches!(*expr.base, syn::Expr::Call(_) | syn::Expr::MethodCall(_)) {
            let at = expr.await_token.span.byte_range().start;
            let refusal = Refusal::new(self.file.path, self.file.text, at, Reason::AwaitAway, AWAIT_AWAY.to_owned());
            self.report.refusals.insert(refusal);
        }
        syn::visit::visit_expr_await(self, expr);
    }
}

/// The walk itself. `fence` is set for the code of a doc comment.
pub(crate) struct Walk<'a, 'r> {
    pub(crate) file: File<'a>,
    pub(crate) fence: bool,
    pub(crate) tokens: &'r [Token],
    edits: &'r mut Edits,
    report: &'r mut Report,
    /// For each token the innermost opening delimiter around it.
    enclosing: Vec<Option<usize>>,
    /// Opening delimiters of the arguments of macro calls.
    arguments: BTreeSet<usize>,
    /// Tokens that a rule has dealt with.
    pub(crate) settled: BTreeSet<usize>,
    /// `fn` tokens, and opening braces of traits and impls, under a maybe-async attribute.
    pub(crate) marked: BTreeSet<usize>,
}

impl<'a, 'r> Walk<'a, 'r> {
    pub(crate) fn new(
        file: File<'a>,
        fence: bool,
        tokens: &'r [Token],
        edits: &'r mut Edits,
        report: &'r mut Report,
    ) -> Self {
        let mut enclosing = Vec::with_capacity(tokens.len());
        let mut open = Vec::new();
        for (index, token) in tokens.iter().enumerate() {
            if matches!(token.kind, Kind::Close(_)) {
                open.pop();
            }
            enclosing.push(open.last().copied());
            if matches!(token.kind, Kind::Open(_)) {
                open.push(index);
            }
        }
        let arguments = lex::macro_arguments(tokens);
        let (settled, marked) = (BTreeSet::new(), BTreeSet::new());
        Self { file, fence, tokens, edits, report, enclosing, arguments, settled, marked }
    }

    pub(crate) fn run(mut self) {
        let mut index = 0;
        while index < self.tokens.len() {
            index = self.step(index);
        }
    }

    /// Deals with the token at `index`; the answer is where to go on.
    fn step(&mut self, index: usize) -> usize {
        if self.settled.contains(&index) {
            return index + 1;
        }
        let Some(token) = self.get(index) else { return index + 1 };
        match token.kind {
            Kind::Punct('#', _) => {
                let open = if self.punct(index + 1, '!') { index + 2 } else { index + 1 };
                if self.get(open).is_some_and(|token| token.kind == Kind::Open('[')) {
                    return self.attribute(index, open);
                }
            }
            Kind::Literal if token.text == "\"is_sync\"" => self.refuse(
                index,
                Reason::IsSync,
                "`is_sync` stands only in `#[cfg_attr(feature = \"is_sync\", ..)]`, in its `not(..)`, and in \
                 `#[maybe_async::test(..)]`; put what differs by flavour into a seam, `x_sync.rs` and `x_async.rs`",
            ),
            Kind::Ident => self.ident(index, token),
            Kind::Punct('-', true) if self.punct(index + 1, '>') && self.is(index + 2, "impl") => {
                self.impl_future(index);
            }
            _ => {}
        }
        index + 1
    }

    fn ident(&mut self, index: usize, token: &'r Token) {
        match token.text.as_str() {
            // The text of a doc comment is renamed as a whole, prose and code.
            SOURCE_IDENT if !self.fence => {
                self.edits.replace(token.range.clone(), self.file.flavour.ident());
                self.hit(RuleId::CrateName);
            }
            "maybe_async" if !self.is_inside_path(index) => self.refuse(
                index,
                Reason::MaybeAsync,
                "maybe-async is known here only as the attributes `#[maybe_async::maybe_async]`, the same with \
                 `(AFIT)`, and `#[maybe_async::test(..)]`, written out with their path, outside seams and doc comments",
            ),
            // A seam's own code is left alone; of its doc comments the code is stripped for the blocking flavour.
            _ if self.file.seam && !(self.fence && self.file.flavour == Flavour::Sync) => {}
            "async" => self.async_keyword(index),
            "await" if self.previous_is_punct(index, '.') => self.await_keyword(index),
            _ if self.file.seam => {}
            "AsyncFn" | "AsyncFnMut" | "AsyncFnOnce" => {
                self.replace_in_sync(index, RuleId::AsyncFnBound, &token.text["Async".len()..]);
            }
            "use" if !self.punct(index + 1, '<') => self.import(index),
            "Pin" | "Poll" | "Stream" | "Future" => self.refuse(
                index,
                Reason::FlavourName,
                format!(
                    "`{}` has no meaning in the blocking flavour; use an async fn, an `AsyncFn` bound or `-> impl \
                     Future<Output = T> + ..`, or put it into a seam",
                    token.text
                ),
            ),
            "select" | "join" | "try_join"
                if self.punct(index + 1, '!')
                    && matches!(self.get(index + 2), Some(Token { kind: Kind::Open(_), .. })) =>
            {
                self.refuse(
                    index,
                    Reason::Concurrency,
                    format!(
                        "`{}!` runs futures side by side, which the blocking flavour cannot; await one after the \
                         other, or put it into a seam",
                        token.text
                    ),
                );
            }
            _ => self.path(index),
        }
    }

    /// `async`, before a fn or a closure.
    fn async_keyword(&mut self, index: usize) {
        let closure = if self.is(index + 1, "move") { index + 2 } else { index + 1 };
        let is_block = |at| self.get(at).is_some_and(|token| token.kind == Kind::Open('{'));
        if ["fn", "unsafe", "extern"].iter().any(|next| self.is(index + 1, next)) {
            let function = (index..self.tokens.len()).find(|at| self.is(*at, "fn"));
            if !self.fence && !function.is_some_and(|function| self.is_marked(function)) {
                self.refuse_unmarked(index, "async fn");
            }
            let rule = if self.fence { RuleId::DocAsyncFn } else { RuleId::AsyncFn };
            self.delete_word_in_sync(index, rule);
        } else if self.punct(closure, '|') {
            self.delete_word_in_sync(index, RuleId::AsyncClosure);
        } else if is_block(closure) {
            self.refuse(
                index,
                Reason::AsyncBlock,
                "async block, out of which `?` and `return` would leave another function in the blocking flavour; make \
                 it an async fn or an async closure",
            );
        } else {
            self.refuse(
                index,
                Reason::AsyncForm,
                "this use of `async` is none that the generator knows; it knows `async fn`, `async |..|` and `async \
                 move |..|`",
            );
        }
    }

    fn await_keyword(&mut self, index: usize) {
        let dot = index - 1;
        // A doc comment's code never passes through maybe-async, so there an await may stand in a macro's arguments.
        if !self.fence && self.in_arguments(index) {
            self.refuse(
                index,
                Reason::AwaitInMacro,
                "`.await` inside a macro's arguments, where maybe-async does not look; bind it first, `let x = \
                 f().await;`",
            );
            return;
        }
        if !self.follows_call(dot) {
            self.refuse(index, Reason::AwaitAway, AWAIT_AWAY);
            return;
        }
        if self.file.flavour == Flavour::Async {
            return;
        }
        let (point, word) = (&self.tokens[dot], &self.tokens[index]);
        let before = if point.after_blank { self.tokens[dot - 1].range.end } else { point.range.start };
        if word.after_blank {
            self.edits.delete(before..word.range.end);
        } else {
            self.edits.delete(before..point.range.end);
            self.edits.delete(word.range.clone());
        }
        self.hit(if self.fence { RuleId::DocAwait } else { RuleId::Await });
    }

    /// Whether the tokens before `dot` are the end of a call: `f()`, `x.f::<T>()`, `f()()`, `x[0]()`.
    fn follows_call(&self, dot: usize) -> bool {
        let Some(close) = dot.checked_sub(1).and_then(|close| self.get(close)) else { return false };
        let Some(callee) = close.partner.checked_sub(1).and_then(|callee| self.get(callee)) else { return false };
        close.kind == Kind::Close(')')
            && match callee.kind {
                Kind::Ident => !lex::is_keyword(&callee.text),
                Kind::Punct(character, _) => character == '>',
                Kind::Close(bracket) => bracket != '}',
                _ => false,
            }
    }

    /// `-> impl Future<Output = T> + ..`, with `arrow` the `-`.
    fn impl_future(&mut self, arrow: usize) {
        let mut at = arrow + 3;
        while self.punct(at, ':') || (self.kind(at) == Some(Kind::Ident) && self.punct(at + 1, ':')) {
            at += 1;
        }
        let argument = at + 4;
        let is_future =
            self.is(at, "Future") && self.punct(at + 1, '<') && self.is(at + 2, "Output") && self.punct(at + 3, '=');
        let Some(angle) = is_future.then(|| self.closing_angle(argument)).flatten() else { return };
        // The tokens of `+ Send + '_`, up to where the signature goes on or ends.
        let mut end = angle;
        while let Some(token) = self.get(end + 1) {
            let ends = matches!(token.kind, Kind::Open('{') | Kind::Close(_)) || token.is("where");
            if ends || token.is_punct(';') || token.is_punct(',') {
                break;
            }
            end += 1;
            self.settled.insert(end);
        }
        self.settled.insert(at);
        if self.file.seam {
            return;
        }
        let function = self.function_of(arrow);
        if !self.fence && !function.is_some_and(|function| self.is_marked(function)) {
            self.refuse_unmarked(arrow, "-> impl Future");
        }
        if self.file.flavour == Flavour::Async {
            return;
        }
        self.hit(RuleId::ImplFuture);
        let place = |index: usize| self.tokens[index].range.clone();
        let is_unit = self.kind(argument) == Some(Kind::Open('(')) && self.tokens[argument].partner == argument + 1;
        if is_unit && argument + 2 == angle {
            self.edits.delete(place(arrow - 1).end..place(end).end);
        } else {
            self.edits.delete(place(arrow + 2).start..place(argument).start);
            self.edits.delete(place(angle - 1).end..place(end).end);
        }
    }

    /// The `>` that closes the generic arguments in which `from` stands.
    fn closing_angle(&self, from: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut at = from;
        loop {
            let token = self.get(at)?;
            match token.kind {
                Kind::Close(_) => return None,
                Kind::Open(_) => at = token.partner,
                Kind::Punct('<', _) => depth += 1,
                Kind::Punct('>', _) if self.is_arrow_head(at) => {}
                Kind::Punct('>', _) => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => return Some(at),
                },
                _ => {}
            }
            at += 1;
        }
    }

    /// Whether the `>` at `index` belongs to `->` or `=>`.
    pub(crate) fn is_arrow_head(&self, index: usize) -> bool {
        let before = index.checked_sub(1).and_then(|before| self.kind(before));
        matches!(before, Some(Kind::Punct('-' | '=', true)))
    }

    /// The `fn` whose signature has its return arrow at `arrow`.
    fn function_of(&self, arrow: usize) -> Option<usize> {
        let mut at = arrow.checked_sub(1)?;
        loop {
            let token = self.get(at)?;
            match token.kind {
                Kind::Close('}') | Kind::Open(_) | Kind::Punct(';', _) => return None,
                Kind::Close(_) => at = token.partner,
                _ if token.is("fn") => return Some(at),
                _ => {}
            }
            at = at.checked_sub(1)?;
        }
    }

    /// A `use`, its tree flattened, so that a path cut up by braces is seen.
    fn import(&mut self, index: usize) {
        const FUTURE: [&str; 9] = ["use", "std", ":", ":", "future", ":", ":", "Future", ";"];
        let is_future = FUTURE.iter().zip(&self.tokens[index..]).filter(|(text, token)| **text == token.text).count()
            == FUTURE.len();
        let after_other = index.checked_sub(1).and_then(|before| self.kind(before));
        if is_future && !matches!(after_other, Some(Kind::Close(']') | Kind::Ident | Kind::Close(')'))) {
            self.settled.insert(index + 7);
            if self.file.flavour == Flavour::Sync {
                self.hit(RuleId::FutureImport);
                let range = self.tokens[index].range.start..self.tokens[index + 8].range.end;
                self.delete_with_line(range);
            }
            return;
        }
        self.import_tree(index + 1, &[]);
    }

    /// One branch of a `use` tree, standing at `at` under `prefix`; the answer is the index of its end.
    fn import_tree(&mut self, mut at: usize, prefix: &[&'r str]) -> usize {
        let mut path = prefix.to_vec();
        while let Some(token) = self.get(at) {
            match token.kind {
                Kind::Ident if token.is("as") => at += 1,
                Kind::Ident => {
                    path.push(&token.text);
                    if is_flavour_path(&path) {
                        self.refuse_path(at, &path.join("::"));
                    }
                }
                Kind::Open('{') => {
                    let mut inner = at + 1;
                    while inner < token.partner {
                        inner = self.import_tree(inner, &path) + 1;
                    }
                    return token.partner;
                }
                Kind::Punct(':', _) => {}
                _ => return at,
            }
            at += 1;
        }
        at
    }

    /// A path in code, which begins at `index` if one does.
    fn path(&mut self, index: usize) {
        if self.is_inside_path(index) || !self.is_path_separator(index + 1) {
            return;
        }
        let first = self.tokens[index].text.as_str();
        let second = self.get(index + 3).map_or("", |token| token.text.as_str());
        if is_flavour_path(&[first]) {
            self.refuse_path(index, first);
        } else if is_flavour_path(&[first, second]) {
            self.refuse_path(index + 3, &format!("{first}::{second}"));
        }
    }

    /// Whether `index` is a part of a path, and not its first.
    fn is_inside_path(&self, index: usize) -> bool {
        index.checked_sub(3).is_some_and(|at| self.is_path_part(at))
    }

    fn is_path_separator(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Punct(':', true))) && self.punct(at + 1, ':')
    }

    /// Whether the token at `at`, before a `::`, makes what follows the middle of a path.
    fn is_path_part(&self, at: usize) -> bool {
        self.is_path_separator(at + 1)
            && match self.kind(at) {
                Some(Kind::Ident) => !lex::is_keyword(&self.tokens[at].text),
                Some(Kind::Punct('>', _)) => true,
                _ => false,
            }
    }

    fn refuse_path(&mut self, index: usize, path: &str) {
        self.refuse(
            index,
            Reason::FlavourPath,
            format!(
                "`{path}` belongs to one flavour; put it into a seam, `x_sync.rs` and `x_async.rs` with the same names"
            ),
        );
    }

    fn refuse_unmarked(&mut self, index: usize, what: &str) {
        self.refuse(
            index,
            Reason::Unmarked,
            format!(
                "`{what}` under no maybe-async attribute, so the source would not compile with `is_sync`; put \
                 `#[maybe_async::maybe_async]` on the fn, or on its trait or impl (a fn inside another's body needs its \
                 own)"
            ),
        );
    }

    /// Whether the `fn` at `function`, or the trait or impl whose item it is, carries a maybe-async attribute.
    fn is_marked(&self, function: usize) -> bool {
        self.marked.contains(&function) || self.enclosing[function].is_some_and(|open| self.marked.contains(&open))
    }

    fn in_arguments(&self, index: usize) -> bool {
        std::iter::successors(self.enclosing[index], |open| self.enclosing[*open])
            .any(|open| self.arguments.contains(&open))
    }

    pub(crate) fn is_nested(&self, index: usize) -> bool {
        self.enclosing[index].is_some()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&'r Token> {
        self.tokens.get(index)
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.get(index).map(|token| token.kind)
    }

    pub(crate) fn is(&self, index: usize, ident: &str) -> bool {
        self.get(index).is_some_and(|token| token.is(ident))
    }

    pub(crate) fn punct(&self, index: usize, character: char) -> bool {
        self.get(index).is_some_and(|token| token.is_punct(character))
    }

    fn previous_is_punct(&self, index: usize, character: char) -> bool {
        index.checked_sub(1).is_some_and(|before| self.punct(before, character))
    }

    pub(crate) fn refuse(&mut self, index: usize, reason: Reason, message: impl Into<String>) {
        let at = self.tokens[index].range.start;
        self.report.refusals.insert(Refusal::new(self.file.path, self.file.text, at, reason, message.into()));
    }

    pub(crate) fn hit(&mut self, rule: RuleId) {
        self.report.hits.count(rule, self.file.flavour);
    }

    pub(crate) fn replace(&mut self, range: Range<usize>, with: &str) {
        self.edits.replace(range, with);
    }

    fn replace_in_sync(&mut self, index: usize, rule: RuleId, with: &str) {
        if self.file.flavour == Flavour::Sync {
            self.edits.replace(self.tokens[index].range.clone(), with);
            self.hit(rule);
        }
    }

    /// Deletes a word with the blanks after it.
    fn delete_word_in_sync(&mut self, index: usize, rule: RuleId) {
        if self.file.flavour == Flavour::Sync {
            let word = self.tokens[index].range.clone();
            let end = match self.get(index + 1) {
                Some(next) if next.after_blank => next.range.start,
                _ => word.end,
            };
            self.edits.delete(word.start..end);
            self.hit(rule);
        }
    }

    /// Deletes an attribute or an import, with its line when it stands there alone.
    pub(crate) fn delete_with_line(&mut self, range: Range<usize>) {
        match lone_line(self.file.text, &range, self.fence) {
            Some(line) => {
                self.hit(RuleId::LoneLine);
                self.edits.delete(line);
            }
            None => self.edits.delete(range),
        }
    }
}

/// Whether `path`, with its last segment, names what only one flavour has.
fn is_flavour_path(path: &[&str]) -> bool {
    match path {
        [first] => {
            ["tokio", "futures", "async_trait"].contains(first)
                || first.starts_with("tokio_")
                || first.starts_with("futures_")
        }
        _ => path == ["std", "thread"],
    }
}
