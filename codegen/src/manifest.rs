//! The three manifests: the same features, and one version of each dependency that several of them have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use toml::{Table, Value};

use crate::error::Error;

/// The feature that only the source has: it makes maybe-async blocking.
const IS_SYNC: &str = "is_sync";

/// Compares the manifests under `root`; the answer is what differs.
///
/// # Errors
///
/// A manifest that is missing or is not TOML.
pub(crate) fn check(root: &Path) -> Result<Vec<String>, Error> {
    let mut manifests = Vec::new();
    for path in ["kv-core/source/Cargo.toml", "kv-sync/Cargo.toml", "kv-async/Cargo.toml"] {
        let full = root.join(path);
        manifests.push((path, fs::read_to_string(&full).map_err(|error| Error::io(&full, error))?));
    }
    compare(&manifests)
}

/// Compares manifests, each a path for messages and its text; the answer is what differs, sorted.
///
/// # Errors
///
/// A text that is not TOML.
pub fn compare(manifests: &[(&str, String)]) -> Result<Vec<String>, Error> {
    let mut features: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut dependencies: BTreeMap<String, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for (path, text) in manifests {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| Error::Toml { path: (*path).to_owned(), message: error.to_string() })?;
        for feature in table.get("features").and_then(Value::as_table).into_iter().flat_map(Table::keys) {
            if feature != IS_SYNC {
                features.entry(feature.clone()).or_default().insert(path);
            }
        }
        for (name, requirement) in requirements(&table) {
            dependencies.entry(name).or_default().entry(requirement).or_default().push(path);
        }
    }
    let mut differences = Vec::new();
    for (feature, having) in &features {
        for (path, _) in manifests.iter().filter(|(path, _)| !having.contains(path)) {
            let others: Vec<_> = having.iter().copied().collect();
            differences.push(format!("{path}: has no feature `{feature}`, which {} has", others.join(", ")));
        }
    }
    for (name, by_requirement) in dependencies.iter().filter(|(_, requirements)| requirements.len() > 1) {
        let each = by_requirement.iter().map(|(requirement, paths)| format!("{requirement} in {}", paths.join(", ")));
        differences.push(format!("dependency `{name}` differs: {}", each.collect::<Vec<_>>().join("; ")));
    }
    Ok(differences)
}

/// The dependencies of a manifest, those of single targets included, each with where its version comes from.
fn requirements(manifest: &Table) -> BTreeSet<(String, String)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let dependencies = tables.filter_map(|table| table.get("dependencies").and_then(Value::as_table)).flatten();
    dependencies.map(|(name, value)| (name.clone(), requirement(value))).collect()
}

fn requirement(dependency: &Value) -> String {
    let text = |key: &str| dependency.get(key).and_then(Value::as_str);
    if dependency.get("workspace").and_then(Value::as_bool) == Some(true) {
        return "the workspace's".to_owned();
    }
    match (dependency.as_str().or_else(|| text("version")), text("git"), text("path")) {
        (Some(version), ..) => version.to_owned(),
        (None, Some(git), _) => git.to_owned(),
        (None, None, Some(path)) => format!("path {path}"),
        (None, None, None) => "any version".to_owned(),
    }
}
