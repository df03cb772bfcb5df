//! All source files into the texts of both flavours.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    refuse::{Reason, Refusal},
    rules::{Flavour, Hits, RuleId},
    walk::{File, Report, rewrite},
};

/// A file of the source crate.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path in the source crate, with `/`: `src/store.rs`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// A file of one of the emitted crates, not formatted yet.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Which crate.
    pub flavour: Flavour,
    /// Its path in that crate.
    pub path: String,
    /// The path of the source it comes from, in the source crate.
    pub from: String,
    /// What it will hold.
    pub text: String,
}

/// What comes of a source crate.
#[derive(Debug)]
pub struct Outcome {
    /// The files, if nothing was refused.
    pub files: Vec<Generated>,
    /// What was refused, sorted by place, with paths in the source crate.
    pub refusals: Vec<Refusal>,
    /// Which rules fired.
    pub hits: Hits,
}

/// Rewrites `sources` for both flavours.
#[must_use]
pub fn transform(sources: &[Source]) -> Outcome {
    let seams: BTreeSet<&str> =
        sources.iter().map(|source| source.path.as_str()).filter(|path| seam_of(path).is_some()).collect();
    let mut report = Report::default();
    let mut files = Vec::new();
    let mut taken: BTreeMap<(Flavour, String), &str> = BTreeMap::new();
    for source in sources {
        let seam = seam_of(&source.path);
        if let Some((stem, flavour)) = seam {
            let twin = format!("{stem}{}", flavour.twin().seam_ending());
            if !seams.contains(twin.as_str()) {
                let message = format!("a seam without its twin; write {twin} with the same public names");
                report.refusals.insert(Refusal::new(&source.path, &source.text, 0, Reason::SeamTwin, message));
            }
        }
        for flavour in Flavour::ALL {
            let path = match seam {
                None => source.path.clone(),
                Some((stem, only)) if only == flavour => {
                    report.hits.count(RuleId::SeamFile, flavour);
                    format!("{stem}.rs")
                }
                Some(_) => continue,
            };
            if let Some(other) = taken.insert((flavour, path.clone()), &source.path) {
                let message = format!("emits {path} for {}, as {other} does; rename one", flavour.package());
                report.refusals.insert(Refusal::new(&source.path, &source.text, 0, Reason::SameOutput, message));
            }
            let file = File { path: &source.path, text: &source.text, flavour, seam: seam.is_some(), seams: &seams };
            let text = rewrite(file, &mut report);
            files.push(Generated { flavour, path, from: source.path.clone(), text });
        }
    }
    if !report.refusals.is_empty() {
        files.clear();
    }
    Outcome { files, refusals: report.refusals.into_iter().collect(), hits: report.hits }
}

/// The path without its ending, and the flavour, of a seam file.
fn seam_of(path: &str) -> Option<(&str, Flavour)> {
    Flavour::ALL.into_iter().find_map(|flavour| Some((path.strip_suffix(flavour.seam_ending())?, flavour)))
}
