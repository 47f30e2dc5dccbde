//! Where on a page a column, a panel and a value are.

use super::curve::Curve;
use super::strokes::Look;
use super::svg::put;
use crate::limits::PLOT_COLUMNS;

/// Where panels begin and end, and how wide the whole is.
pub(super) const LEFT: f64 = 92.0;
pub(super) const RIGHT: f64 = LEFT + PLOT_COLUMNS as f64;
pub(super) const WIDTH: f64 = RIGHT + 250.0;
/// Where the legend begins.
pub(super) const LEGEND: f64 = RIGHT + 14.0;

/// What is cut off at the edge of a panel: of a forecast and of what was changed, what is further out than so many heights of the rest.
const BAND_HEIGHTS_MAX: f64 = 0.3;
const CHANGED_HEIGHTS_MAX: f64 = 1.0;
/// A panel that is lower has two marks.
const HEIGHT_LOW: f64 = 90.0;
/// A longer word does not fit beside the axis.
const WORD_BYTES_MAX: usize = 11;

/// Where a panel is.
pub(super) struct Place {
    pub(super) nth: usize,
    pub(super) top: f64,
    pub(super) height: f64,
}

/// Values of the lower and the upper end of a panel.
#[derive(Clone, Copy)]
pub(super) struct Scale([f64; 2]);

impl Place {
    /// Where a value is.
    pub(super) fn y(&self, scale: Scale, value: f64) -> f64 {
        let [low, high] = scale.0;
        // What is cut off is as far out as anybody looks.
        let share = ((value - low) / (high - low)).clamp(-1.0, 2.0);
        self.top + self.height * (1.0 - share)
    }

    /// Its frame.
    pub(super) fn frame(&self, out: &mut String) {
        let (top, height) = (self.top, self.height);
        put(
            out,
            format_args!(
                "<rect class=\"frame\" x=\"{LEFT}\" y=\"{top}\" width=\"{PLOT_COLUMNS}\" height=\"{height}\"/>\n"
            ),
        );
    }

    /// A line down at each of these columns.
    pub(super) fn grid(&self, out: &mut String, columns: &[usize]) {
        for column in columns {
            let (x, top, height) = (x(*column), self.top, self.height);
            put(
                out,
                format_args!("<path class=\"grid\" d=\"M{x} {top}v{height}\"/>\n"),
            );
        }
    }
}

impl Scale {
    /// From the least to the largest of what is drawn, and a little more.
    pub(super) fn of(curves: &[(Look, &Curve, String)], from_zero: bool) -> Self {
        let join = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        let of = |is_wanted: fn(Look) -> bool| {
            let chosen = curves.iter().filter(|(look, ..)| is_wanted(*look));
            chosen
                .filter_map(|(_, curve, _)| curve.range())
                .reduce(join)
        };
        let is_aside = |look| matches!(look, Look::Band | Look::Changed);
        let main = of(|look| !matches!(look, Look::Band | Look::Changed));
        let [low, high] = main.or(of(is_aside)).unwrap_or([0.0, 1.0]);
        let mut ends = [low, high];
        for (aside, heights) in [
            (of(|look| look == Look::Band), BAND_HEIGHTS_MAX),
            (of(|look| look == Look::Changed), CHANGED_HEIGHTS_MAX),
        ] {
            let room = heights * (high - low);
            if let Some(aside) = aside {
                ends = join(ends, [aside[0].max(low - room), aside[1].min(high + room)]);
            }
        }
        let low = if from_zero { 0.0 } else { ends[0] };
        let height = ends[1] - low;
        let margin = if height > 0.0 { 0.04 * height } else { 0.5 };
        let below = if from_zero { 0.0 } else { margin };
        Self([low - below, ends[1] + margin])
    }

    /// Round values in it, with their words; of a low panel only the outer ones.
    pub(super) fn marks(self, height: f64) -> Vec<(f64, String)> {
        let [low, high] = self.0;
        let mut marks = sensor_sim::plot::values(low, high);
        marks.retain(|(value, _)| (low..=high).contains(value));
        if height < HEIGHT_LOW && marks.len() > 2 {
            marks.drain(1..marks.len() - 1);
        }
        for (value, word) in &mut marks {
            if word.len() > WORD_BYTES_MAX {
                *word = format!("{value:.2e}").replace('-', "−");
            }
        }
        marks
    }
}

/// Where the middle of a column is.
pub(super) fn x(column: usize) -> f64 {
    LEFT + column as f64 + 0.5
}
