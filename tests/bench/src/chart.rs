//! The ratios as bars, drawn as SVG.

use std::fmt::Write as _;

use crate::groups::{FLOOR, OURS};
use crate::measure::Row;
use crate::table::{figure, tables};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 120.0;
const LINE: f64 = 15.0;
/// The scale goes from a quarter of the floor to 64 times of it, by powers of two.
const LEAST: f64 = -2.0;
const MOST: f64 = 6.0;

/// The place of a ratio.
fn x(ratio: f64) -> f64 {
    let power = ratio.max(1e-9).log2().clamp(LEAST, MOST);
    LEFT + (power - LEAST) / (MOST - LEAST) * (WIDTH - LEFT - RIGHT)
}

fn colour(subject: &str) -> &'static str {
    match subject {
        OURS => "#0b6bcb",
        _ if subject.starts_with(FLOOR) => "#6b7280",
        _ => "#d9a441",
    }
}

/// All tables of times below one another: a bar for each subject, from the floor's line to its ratio.
pub fn svg(rows: &[Row]) -> String {
    let mut body = String::new();
    let mut y = 70.0;
    for (name, rows) in tables(rows) {
        if rows.iter().any(|row| row.unit != "ns" && row.unit != "bytes") {
            continue;
        }
        y += 22.0;
        let _ = writeln!(body, r#"<text x="20" y="{y}" class="title">{}</text>"#, escaped(&name));
        let top = y + 8.0;
        y += 18.0;
        let mut last = "";
        let mut bars = String::new();
        for row in rows {
            if row.op != last {
                y += if last.is_empty() { 4.0 } else { 7.0 };
                let _ = writeln!(bars, r#"<text x="20" y="{}" class="op">{}</text>"#, y + 11.0, escaped(&row.op));
                last = &row.op;
            }
            bar(&mut bars, row, y);
            y += LINE;
        }
        grid(&mut body, top, y);
        body.push_str(&bars);
        y += 12.0;
    }
    let height = y + 20.0;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">
<style>text {{ font: 11px system-ui, "DejaVu Sans", sans-serif; fill: #1f2937 }} .title {{ font-size: 15px; font-weight: 600 }}
.op {{ font-weight: 600 }} .tick {{ fill: #6b7280; font-size: 10px; text-anchor: middle }} .name {{ text-anchor: end }}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="20" y="32" class="title" style="font-size: 19px">Time as a multiple of the floor's</text>
<text x="20" y="52">Shorter and further left is better; 1 is the bare map or driver doing the same work. The scale is logarithmic.</text>
<rect x="700" y="22" width="11" height="11" fill="{ours}"/><text x="716" y="32">ours</text>
<rect x="770" y="22" width="11" height="11" fill="{floor}"/><text x="786" y="32">floor</text>
<rect x="840" y="22" width="11" height="11" fill="{peer}"/><text x="856" y="32">peers</text>
{body}</svg>
"##,
        ours = colour(OURS),
        floor = colour(FLOOR),
        peer = colour(""),
    )
}

/// One subject: its bar begins at the left edge, a mark shows the spread.
fn bar(out: &mut String, row: &Row, y: f64) {
    let (from, to, middle) = (x(0.0), x(row.ratio), y + LINE / 2.0);
    let fill = colour(&row.subject);
    let name = escaped(&row.subject);
    let _ = writeln!(out, r#"<text x="{}" y="{}" class="name">{name}</text>"#, LEFT - 8.0, y + 11.0);
    let _ = writeln!(
        out,
        r#"<rect x="{from:.1}" y="{}" width="{:.1}" height="{}" fill="{fill}"/>"#,
        y + 2.0,
        to - from,
        LINE - 4.0
    );
    let (low, high) = (x(row.spread.0), x(row.spread.1));
    let _ = writeln!(out, r##"<path d="M{low:.1} {middle}H{high:.1}" stroke="#111827" stroke-width="1.5"/>"##);
    let label = format!("{:.2} ({})", row.ratio, figure(row.median, &row.unit));
    let _ = writeln!(out, r#"<text x="{:.1}" y="{}">{label}</text>"#, to.max(high) + 5.0, y + 11.0);
}

/// Lines at the powers of two; that of the floor is darker.
fn grid(out: &mut String, top: f64, bottom: f64) {
    for power in LEAST as i32..=MOST as i32 {
        let ratio = f64::from(power).exp2();
        let at = x(ratio);
        let stroke = if power == 0 { "#9ca3af" } else { "#e5e7eb" };
        let _ = writeln!(out, r#"<path d="M{at:.1} {}V{bottom}" stroke="{stroke}"/>"#, top + 8.0);
        let _ = writeln!(out, r#"<text x="{at:.1}" y="{}" class="tick">{ratio}</text>"#, top + 4.0);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
