//! The results as Markdown, and as files.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::bars;
use crate::chart;
use crate::measure::Row;

/// Where the results stand.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// The rows of a table each, in the order of their first row.
pub fn tables(rows: &[Row]) -> Vec<(String, Vec<&Row>)> {
    let mut tables: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in rows {
        let name = format!("{}: {}", row.group, row.config);
        match tables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, rows)) => rows.push(row),
            None => tables.push((name, vec![row])),
        }
    }
    tables
}

/// A figure of about three digits with its unit.
pub fn figure(value: f64, unit: &str) -> String {
    let (value, unit) = match unit {
        "ns" if value >= 1e6 => (value / 1e6, " ms"),
        "ns" if value >= 1e3 => (value / 1e3, " µs"),
        "ns" => (value, " ns"),
        _ => (value, ""),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}{unit}")
}

/// Everything, as Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "Times are medians over rounds in which the subjects took turns: what passed by the operations of all threads or \
         tasks together, a batch counted as one operation. The ratio is that to the floor, smaller is better; in brackets \
         the quartiles of the ratios of single rounds. Absolute times differ between runs, ratios hold: quote ratios.\n",
    );
    for (name, rows) in tables(rows) {
        let _ = writeln!(
            text,
            "\n### {name}\n\n| operation | subject | median | ratio | spread |\n| --- | --- | ---: | ---: | --- |"
        );
        for row in rows {
            let (median, ratio) = (figure(row.median, &row.unit), row.ratio);
            let _ = writeln!(
                text,
                "| {} | {} | {median} | {ratio:.2} | {:.2} - {:.2} |",
                row.op, row.subject, row.spread.0, row.spread.1
            );
        }
    }
    let costs = bars::layer_costs(rows);
    if !costs.is_empty() {
        let _ = writeln!(text, "\n### What a layer adds\n\n* {}", costs.join("\n* "));
    }
    let bars = bars::of(rows);
    if !bars.is_empty() {
        let _ = writeln!(text, "\n### Bars\n\n| bar | measured | |\n| --- | ---: | --- |");
        for bar in bars {
            let _ =
                writeln!(text, "| {} | {} | {} |", bar.what, bar.measured, if bar.met { "met" } else { "**not met**" });
        }
    }
    text
}

/// Writes the files; what was not measured this time stays from before.
pub fn keep(rows: &[Row]) -> std::io::Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("results.json");
    let mut all: Vec<Row> =
        std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    all.retain(|old| rows.iter().all(|new| new.group != old.group));
    all.extend(rows.iter().cloned());
    all.sort_by_key(|row| crate::rank(&row.group));
    std::fs::write(&path, serde_json::to_string_pretty(&all)? + "\n")?;
    std::fs::write(folder.join("results.md"), format!("# Benches\n\n{}", markdown(&all)))?;
    std::fs::write(folder.join("results.svg"), chart::svg(&all))
}
