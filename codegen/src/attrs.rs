//! Attributes: maybe-async's own, and those under `cfg_attr` with `is_sync`.

use std::ops::Range;

use crate::{
    lex::Kind,
    refuse::Reason,
    rules::{Flavour, RuleId},
    walk::Walk,
};

/// What an attribute stands on.
enum Item {
    /// A trait, or an impl of one, with its opening brace.
    Trait(usize),
    /// An inherent impl, with its opening brace.
    Impl(usize),
    /// A fn, with its `fn`.
    Fn(usize),
    Other,
}

impl Walk<'_, '_> {
    /// Deals with the attribute whose `#` is at `pound` and whose `[` is at `open`; the answer is where to go on.
    pub(crate) fn attribute(&mut self, pound: usize, open: usize) -> usize {
        let after = self.tokens[open].partner + 1;
        let path = self.attribute_path(open + 1);
        let in_code = !self.fence && !self.file.seam;
        match path.as_slice() {
            ["maybe_async", "maybe_async"] if in_code => self.maybe_async(pound, open),
            ["maybe_async", "test"] if in_code => self.test(open),
            ["cfg_attr"] if in_code => return self.cfg_attr(pound, open),
            ["tokio", "main"] if self.fence => {
                if self.file.flavour == Flavour::Sync {
                    self.hit(RuleId::DocMain);
                    self.delete_attribute(pound, open);
                }
            }
            _ => return open + 1,
        }
        after
    }

    fn attribute_path(&self, mut at: usize) -> Vec<&str> {
        let mut path = Vec::new();
        while let Some(token) = self.get(at).filter(|token| token.kind == Kind::Ident) {
            path.push(token.text.as_str());
            if !(self.punct(at + 1, ':') && self.punct(at + 2, ':')) {
                break;
            }
            at += 3;
        }
        path
    }

    fn delete_attribute(&mut self, pound: usize, open: usize) {
        let close = self.tokens[open].partner;
        self.delete_with_line(self.tokens[pound].range.start..self.tokens[close].range.end);
    }

    /// The places of the tokens between `open` and its other half.
    fn inside(&self, open: usize) -> Range<usize> {
        let close = self.tokens[open].partner;
        if open + 1 == close {
            return self.tokens[open].range.end..self.tokens[open].range.end;
        }
        self.tokens[open + 1].range.start..self.tokens[close - 1].range.end
    }

    /// The texts of the tokens between `open` and its other half, joined.
    fn texts(&self, indices: Range<usize>) -> String {
        self.tokens[indices].iter().map(|token| token.text.as_str()).collect()
    }

    fn maybe_async(&mut self, pound: usize, open: usize) {
        let close = self.tokens[open].partner;
        let afit = match self.texts(open + 5..close).as_str() {
            "" => false,
            "(AFIT)" => true,
            _ => {
                return self.refuse(
                    open + 1,
                    Reason::MaybeAsync,
                    "the only argument known to `maybe_async::maybe_async` is `AFIT`; futures are `Send`",
                );
            }
        };
        let (item, is_trait) = match self.item_after(close + 1) {
            Item::Trait(body) => (body, true),
            Item::Impl(body) => (body, false),
            Item::Fn(function) => (function, false),
            Item::Other => {
                return self.refuse(
                    open + 1,
                    Reason::MaybeAsync,
                    "`maybe_async::maybe_async` belongs on a trait, an impl or a fn",
                );
            }
        };
        self.marked.insert(item);
        let rule = match (afit, is_trait) {
            (true, _) => RuleId::Afit,
            (false, true) => RuleId::AsyncTrait,
            (false, false) => RuleId::MaybeAsync,
        };
        self.hit(rule);
        if rule == RuleId::AsyncTrait && self.file.flavour == Flavour::Async {
            self.replace(self.inside(open), "async_trait::async_trait");
        } else {
            self.delete_attribute(pound, open);
        }
    }

    /// `#[maybe_async::test(feature = "is_sync", async(not(feature = "is_sync"), tokio::test))]`.
    fn test(&mut self, open: usize) {
        const BEFORE: &str = "maybe_async::test(feature=\"is_sync\",async(not(feature=\"is_sync\"),";
        let close = self.tokens[open].partner;
        if let Item::Fn(function) = self.item_after(close + 1) {
            self.marked.insert(function);
        }
        let outer = open + 5;
        let test = outer + 14;
        let is_known = test + 4 < close
            && self.texts(open + 1..test) == BEFORE
            && self.texts(test..test + 4) == "tokio::test"
            && {
                let inner_close = self.tokens[outer + 6].partner;
                let end = self.end_of_test(test, inner_close);
                let rest = self.texts(end..inner_close);
                let last = self.texts(inner_close + 1..close);
                ["", ","].contains(&rest.as_str()) && [")", ",)"].contains(&last.as_str())
            };
        if !is_known {
            return self.refuse(
                open + 1,
                Reason::MaybeAsync,
                "the only form known is `#[maybe_async::test(feature = \"is_sync\", async(not(feature = \"is_sync\"), \
                 tokio::test))]`, with or without arguments to `tokio::test`",
            );
        }
        self.hit(RuleId::Test);
        let inside = self.inside(open);
        match self.file.flavour {
            Flavour::Sync => self.replace(inside, "test"),
            Flavour::Async => {
                let end = self.end_of_test(test, self.tokens[outer + 6].partner);
                self.replace(inside.start..self.tokens[test].range.start, "");
                self.replace(self.tokens[end - 1].range.end..inside.end, "");
            }
        }
    }

    /// The index after `tokio::test` and its arguments.
    fn end_of_test(&self, test: usize, limit: usize) -> usize {
        match self.get(test + 4) {
            Some(arguments) if arguments.kind == Kind::Open('(') && test + 4 < limit => arguments.partner + 1,
            _ => test + 4,
        }
    }

    /// `#[cfg_attr(feature = "is_sync", X)]` and its negation. Any other `cfg_attr` is walked like the rest.
    fn cfg_attr(&mut self, pound: usize, open: usize) -> usize {
        let parenthesis = open + 2;
        if self.kind(parenthesis) != Some(Kind::Open('(')) {
            return open + 1;
        }
        let close = self.tokens[parenthesis].partner;
        let condition = (parenthesis + 1..close).find(|at| self.punct(*at, ',')).unwrap_or(close);
        let only = match self.texts(parenthesis + 1..condition).as_str() {
            "feature=\"is_sync\"" => Flavour::Sync,
            "not(feature=\"is_sync\")" => Flavour::Async,
            _ => return open + 1,
        };
        let first = condition + 1;
        let after = self.tokens[open].partner + 1;
        if self.is(first, "path") && self.punct(first + 1, '=') {
            self.seam_switch(pound, first + 2, only);
            self.hit(RuleId::SeamSwitch);
            self.delete_attribute(pound, open);
            return after;
        }
        self.hit(RuleId::CfgAttr);
        if only != self.file.flavour {
            self.delete_attribute(pound, open);
            return after;
        }
        // `cfg_attr(c, A, B)` becomes two attributes, `A` and `B`.
        let between = if self.punct(pound + 1, '!') { "]\n#![" } else { "]\n#[" };
        let attributes = self.split(first, close);
        let inside = self.inside(open);
        let mut from = inside.start;
        for (index, attribute) in attributes.iter().enumerate() {
            let to = self.tokens[attribute.start].range.start;
            self.replace(from..to, if index == 0 { "" } else { between });
            from = self.tokens[attribute.end - 1].range.end;
            let path = self.texts(attribute.start..(attribute.start + 4).min(attribute.end));
            if path == "tokio::main" || path == "tokio::test" {
                self.settled.insert(attribute.start);
            }
        }
        self.replace(from..inside.end, "");
        first
    }

    /// The parts between the commas from `from` to `close`, none of them empty.
    fn split(&self, from: usize, close: usize) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (from, from);
        while at <= close {
            if at == close || self.punct(at, ',') {
                if start < at {
                    parts.push(start..at);
                }
                start = at + 1;
            }
            at = self.tokens[at].partner.max(at) + 1;
        }
        parts
    }

    /// Checks that the file which a `path = ".."` at `literal` names is a seam, and is found again as `mod x;`.
    fn seam_switch(&mut self, pound: usize, literal: usize, only: Flavour) {
        let path = self.tokens[literal].text.trim_matches('"');
        let mut item = pound;
        while self.punct(item, '#') && self.kind(item + 1) == Some(Kind::Open('[')) {
            item = self.tokens[item + 1].partner + 1;
        }
        if self.is(item, "pub") {
            item += 1;
            if self.kind(item) == Some(Kind::Open('(')) {
                item = self.tokens[item].partner + 1;
            }
        }
        let is_module = self.is(item, "mod") && self.punct(item + 2, ';');
        let name = match self.get(item + 1) {
            Some(name) if is_module => name.text.as_str(),
            _ => "x",
        };
        let (folder, file) = self.file.path.rsplit_once('/').unwrap_or(("", self.file.path));
        let is_root = ["lib.rs", "main.rs", "mod.rs"].contains(&file) || ["tests", "examples"].contains(&folder);
        let children = if is_root { String::new() } else { format!("{}/", file.trim_end_matches(".rs")) };
        let wanted = format!("{children}{name}{}", only.seam_ending());
        let full = if folder.is_empty() { wanted.clone() } else { format!("{folder}/{wanted}") };
        if path != wanted || !is_module || self.is_nested(pound) {
            self.refuse(
                literal,
                Reason::SeamSwitch,
                format!(
                    "a seam is switched by `#[cfg_attr(.., path = \"{wanted}\")]` on a `mod` at the top level of a file"
                ),
            );
        } else if !self.file.seams.contains(full.as_str()) {
            self.refuse(literal, Reason::SeamSwitch, format!("there is no seam file {full}; write it and its twin"));
        }
    }

    /// What the attribute before `at` stands on.
    fn item_after(&self, mut at: usize) -> Item {
        loop {
            let Some(token) = self.get(at) else { return Item::Other };
            match token.kind {
                Kind::Doc | Kind::Literal => {}
                Kind::Punct('#', _) => at = self.get(at + 1).map_or(at, |open| open.partner),
                Kind::Open('(') => at = token.partner,
                Kind::Ident => match token.text.as_str() {
                    "pub" | "default" | "const" | "unsafe" | "async" | "extern" => {}
                    "fn" => return Item::Fn(at),
                    "trait" => return self.body_after(at).map_or(Item::Other, |(body, _)| Item::Trait(body)),
                    "impl" => {
                        return match self.body_after(at) {
                            Some((body, true)) => Item::Trait(body),
                            Some((body, false)) => Item::Impl(body),
                            None => Item::Other,
                        };
                    }
                    _ => return Item::Other,
                },
                _ => return Item::Other,
            }
            at += 1;
        }
    }

    /// The opening brace of the trait or impl at `at`, and whether `for` stands before it.
    fn body_after(&self, mut at: usize) -> Option<(usize, bool)> {
        let mut has_for = false;
        let mut depth = 0_usize;
        loop {
            at += 1;
            let token = self.get(at)?;
            match token.kind {
                Kind::Open('{') if depth == 0 => return Some((at, has_for)),
                Kind::Open(_) => at = token.partner,
                Kind::Close(_) | Kind::Punct(';', _) => return None,
                Kind::Punct('<', _) => depth += 1,
                Kind::Punct('>', _) if !self.is_arrow_head(at) => depth = depth.saturating_sub(1),
                Kind::Ident if token.is("for") && depth == 0 && !self.punct(at + 1, '<') => has_for = true,
                _ => {}
            }
        }
    }
}
