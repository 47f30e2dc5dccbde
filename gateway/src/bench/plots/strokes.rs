//! Curves as SVG, each in its look.

use super::curve::Curve;
use super::place::{LEGEND, Place, Scale, x};
use super::svg::put;

/// Columns without a value that a line goes over.
const BRIDGED: usize = 24;
/// So many times the usual distance of its values a line goes over as well: one of them may be missing.
const BRIDGED_DISTANCES: usize = 2;

/// How values are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Sent,
    Cleaned,
    Average,
    Truth,
    Score,
    Limit,
    /// A level for comparison.
    Mark,
    /// All that lies between the least and the largest.
    Band,
    /// Single values that were changed, as crosses.
    Changed,
}

fn class_of(look: Look) -> &'static str {
    match look {
        Look::Sent => "sent",
        Look::Cleaned => "cleaned",
        Look::Average => "average",
        Look::Truth => "truth",
        Look::Score => "score",
        Look::Limit => "limit",
        Look::Mark => "mark",
        Look::Band => "band",
        Look::Changed => "changed",
    }
}

/// Draws a curve into its panel.
pub(super) fn draw_curve(out: &mut String, look: Look, curve: &Curve, place: &Place, scale: Scale) {
    let mut path = String::new();
    match look {
        Look::Changed => draw_crosses(&mut path, curve, place, scale),
        Look::Band => draw_band(&mut path, curve, place, scale),
        _ => draw_line(&mut path, curve, place, scale),
    }
    if !path.is_empty() {
        let class = class_of(look);
        put(
            out,
            format_args!("<path class=\"{class}\" d=\"{path}\"/>\n"),
        );
    }
}

fn bridged(curve: &Curve) -> usize {
    BRIDGED.max(BRIDGED_DISTANCES * curve.distance())
}

/// A cross at the least and one at the largest of each column, none of them beyond the edge of the panel.
fn draw_crosses(path: &mut String, curve: &Curve, place: &Place, scale: Scale) {
    let (upper, lower) = (place.top + 3.0, place.top + place.height - 3.0);
    for (column, ends) in curve.columns() {
        let ys = ends.map(|value| place.y(scale, value).clamp(upper, lower));
        let count = if (ys[0] - ys[1]).abs() < 1.0 { 1 } else { 2 };
        for y in &ys[..count] {
            let (left, y) = (x(column) - 2.5, y - 2.5);
            put(path, format_args!("M{left} {y:.1}l5 5m0-5l-5 5"));
        }
    }
}

fn draw_line(path: &mut String, curve: &Curve, place: &Place, scale: Scale) {
    let bridged = bridged(curve);
    let mut before: Option<(usize, f64)> = None;
    for (column, ends) in curve.columns() {
        let mut ys = ends.map(|value| place.y(scale, value));
        let is_joined = before.is_some_and(|(last, _)| column - last <= bridged);
        // By the shorter way.
        let last = before.map_or(ys[0], |(_, y)| y);
        if (ys[1] - last).abs() < (ys[0] - last).abs() {
            ys.reverse();
        }
        let letter = if is_joined { 'L' } else { 'M' };
        put(path, format_args!("{letter}{:.1} {:.1}", x(column), ys[0]));
        if (ys[0] - ys[1]).abs() >= 0.2 {
            put(path, format_args!("V{:.1}", ys[1]));
        } else if !is_joined {
            path.push_str("h.5");
        }
        before = Some((column, ys[1]));
    }
}

/// All between the least and the largest, one piece for each stretch without a gap.
fn draw_band(path: &mut String, curve: &Curve, place: &Place, scale: Scale) {
    let bridged = bridged(curve);
    let columns: Vec<_> = curve.columns().collect();
    for piece in columns.chunk_by(|a, b| b.0 - a.0 <= bridged) {
        let upper = piece.iter().map(|(column, ends)| (*column, ends[1]));
        let lower = piece.iter().rev().map(|(column, ends)| (*column, ends[0]));
        for (nth, (column, value)) in upper.chain(lower).enumerate() {
            let letter = if nth == 0 { 'M' } else { 'L' };
            let y = place.y(scale, value);
            put(path, format_args!("{letter}{:.1} {y:.1}", x(column)));
        }
        path.push('z');
    }
}

/// Draws beside its word in the legend how a curve looks.
pub(super) fn sample(out: &mut String, look: Look, y: f64) {
    let class = class_of(look);
    let shape = match look {
        Look::Band => format!("M{LEGEND} {}h20v8h-20z", y - 4.0),
        Look::Changed => format!("M{} {}l5 5m0-5l-5 5", LEGEND + 8.0, y - 2.5),
        _ => format!("M{LEGEND} {y}h20"),
    };
    put(
        out,
        format_args!("<path class=\"{class}\" d=\"{shape}\"/>\n"),
    );
}
