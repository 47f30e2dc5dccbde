//! An SVG of panels one below the other: each with its axes, its lines or dots, and shaded spans.

use core::fmt::Write;

use super::axis;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 18.0;
const HEAD: f64 = 66.0;
const PANEL: f64 = 190.0;
const BELOW: f64 = 58.0;
/// Columns into which a line is thinned out; each keeps its extremes.
const COLUMNS: f64 = 405.0;

/// Colours for a light and a dark ground. Who knows no media queries gets the light ones.
const STYLE: &str = "\
text{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px;fill:#57606a}\
.title{font-size:17px;font-weight:600;fill:#1f2328}.name{fill:#1f2328;font-weight:600}\
.ground{fill:#ffffff}.frame{fill:none;stroke:#8c959f}.grid{stroke:#d8dee4}\
.sent{fill:none;stroke:#0969da;stroke-width:1.4;stroke-linejoin:round}.dot{fill:#0969da}\
.truth{fill:none;stroke:#8c959f;stroke-width:1.4;stroke-dasharray:5 3}\
.fault{fill:#cf222e;fill-opacity:.13}\
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title,.name{fill:#f0f6fc}\
.ground{fill:#0d1117}.frame{stroke:#656c76}.grid{stroke:#2a313c}.sent{stroke:#58a6ff}.dot{fill:#58a6ff}\
.truth{stroke:#9198a1}.fault{fill:#f85149;fill-opacity:.25}}";

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// What was sent, as a line.
    Line,
    /// What was sent, as dots.
    Dots,
    /// What would have been sent, as a dashed line.
    Truth,
}

/// Points of one look: time in ms after the start, value.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub mark: Mark,
    pub points: Vec<(i64, f64)>,
    /// A line is broken where two points are further apart than this, ms.
    pub gap_ms: i64,
}

/// One chart.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// What is drawn.
    pub name: String,
    pub unit: String,
    /// From when to when, ms after the start.
    pub span: [i64; 2],
    /// Labelled spans, ms after the start.
    pub shades: Vec<[i64; 2]>,
    pub series: Vec<Series>,
}

/// Writes a page of `panels`.
pub(super) fn write(title: &str, about: &str, panels: &[Panel]) -> String {
    let height = HEAD + panels.len() as f64 * (PANEL + BELOW);
    let mut out = String::new();
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
        ),
    );
    text(&mut out, (LEFT, 28.0), "class=\"title\"", title);
    text(&mut out, (LEFT, 48.0), "", about);
    for (at, panel) in panels.iter().enumerate() {
        let top = HEAD + 14.0 + at as f64 * (PANEL + BELOW);
        Chart::new(panel, top).draw(&mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// A panel with its place and its scales.
struct Chart<'a> {
    panel: &'a Panel,
    top: f64,
    marks: Vec<(f64, String)>,
}

impl<'a> Chart<'a> {
    fn new(panel: &'a Panel, top: f64) -> Self {
        let values = panel.series.iter().flat_map(|it| &it.points).map(|it| it.1);
        let values = values.filter(|value| value.is_finite());
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let margin = if high > low { (high - low) * 0.04 } else { 0.5 };
        // What is never negative has its axis at 0 and not below.
        let bottom = if low >= 0.0 {
            (low - margin).max(0.0)
        } else {
            low - margin
        };
        Self {
            panel,
            top,
            marks: axis::values(bottom, high + margin),
        }
    }

    fn x(&self, time: i64) -> f64 {
        let [from, until] = self.panel.span;
        LEFT + (WIDTH - LEFT - RIGHT) * (time - from) as f64 / (until - from) as f64
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (self.marks[0].0, self.marks[self.marks.len() - 1].0);
        self.top + PANEL - PANEL * (value - low) / (high - low)
    }

    fn draw(&self, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, self.top + PANEL);
        for [from, until] in &self.panel.shades {
            let (from, until) = (self.x(*from).max(LEFT), self.x(*until).min(right));
            let (top, width) = (self.top, (until - from).max(1.5));
            put(
                out,
                format_args!(
                    "<rect class=\"fault\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{PANEL}\"/>\n"
                ),
            );
        }
        for (value, word) in &self.marks {
            let y = self.y(*value);
            put(
                out,
                format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\n"),
            );
            text(out, (LEFT - 8.0, y + 4.0), "text-anchor=\"end\"", word);
        }
        for (time, word) in axis::times(self.panel.span[0], self.panel.span[1]) {
            let x = self.x(time);
            put(
                out,
                format_args!("<path class=\"frame\" d=\"M{x:.1} {bottom}v5\"/>\n"),
            );
            text(out, (x, bottom + 19.0), "text-anchor=\"middle\"", &word);
        }
        let width = right - LEFT;
        let top = self.top;
        put(
            out,
            format_args!(
                "<rect class=\"frame\" x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{PANEL}\"/>\n"
            ),
        );
        self.name(out);
        for series in &self.panel.series {
            self.series(out, series);
        }
    }

    fn name(&self, out: &mut String) {
        let Panel { name, unit, .. } = self.panel;
        let name = if unit.is_empty() {
            name.clone()
        } else {
            format!("{name}, {unit}")
        };
        text(out, (LEFT, self.top - 7.0), "class=\"name\"", &name);
        let bottom = self.top + PANEL;
        let place = (WIDTH - RIGHT, bottom + 35.0);
        text(
            out,
            place,
            "text-anchor=\"end\"",
            axis::name(self.panel.span),
        );
        let mut x = LEFT;
        for (class, word) in self.legend() {
            let y = bottom + 31.0;
            match class {
                "fault" => put(
                    out,
                    format_args!(
                        "<rect class=\"fault\" x=\"{x}\" y=\"{}\" width=\"22\" height=\"10\"/>\n",
                        y - 5.0
                    ),
                ),
                "dot" => put(
                    out,
                    format_args!(
                        "<circle class=\"dot\" cx=\"{}\" cy=\"{y}\" r=\"2.4\"/>\n",
                        x + 11.0
                    ),
                ),
                _ => put(
                    out,
                    format_args!("<path class=\"{class}\" d=\"M{x} {y}h22\"/>\n"),
                ),
            }
            text(out, (x + 28.0, y + 4.0), "", word);
            x += 48.0 + 7.0 * word.len() as f64;
        }
    }

    /// What needs a word: nothing, where there is only one line.
    fn legend(&self) -> Vec<(&'static str, &'static str)> {
        let mut words: Vec<_> = self
            .panel
            .series
            .iter()
            .map(|series| match series.mark {
                Mark::Line => ("sent", "sent"),
                Mark::Dots => ("dot", "sent"),
                Mark::Truth => ("truth", "without the fault"),
            })
            .collect();
        if self.panel.shades.is_empty() {
            return Vec::new();
        }
        words.push(("fault", "labelled span"));
        words
    }

    fn series(&self, out: &mut String, series: &Series) {
        let points = series.points.iter().filter(|(time, value)| {
            value.is_finite() && (self.panel.span[0]..=self.panel.span[1]).contains(time)
        });
        if series.mark == Mark::Dots {
            out.push_str("<path class=\"dot\" d=\"");
            for (time, value) in points {
                let (x, y) = (self.x(*time) - 1.7, self.y(*value));
                put(
                    out,
                    format_args!("M{x:.1} {y:.1}a1.7 1.7 0 1 0 3.4 0a1.7 1.7 0 1 0-3.4 0"),
                );
            }
            out.push_str("\"/>\n");
            return;
        }
        let class = if series.mark == Mark::Truth {
            "truth"
        } else {
            "sent"
        };
        put(out, format_args!("<path class=\"{class}\" d=\""));
        let [from, until] = self.panel.span;
        // Where a line is thinned out, its points are as far apart as columns.
        let gap_ms = series.gap_ms.max(2 * (until - from) / COLUMNS as i64);
        let mut before: Option<i64> = None;
        for (time, value) in self.thinned(points.copied()) {
            let is_joined = before.is_some_and(|before| time - before <= gap_ms);
            before = Some(time);
            let letter = if is_joined { 'L' } else { 'M' };
            put(
                out,
                format_args!("{letter}{:.1} {:.1}", self.x(time), self.y(value)),
            );
        }
        out.push_str("\"/>\n");
    }

    /// Of each column the first point, the lowest, the highest and the last, in the order of their times.
    fn thinned(&self, points: impl Iterator<Item = (i64, f64)>) -> Vec<(i64, f64)> {
        let [from, until] = self.panel.span;
        let column = |time: i64| ((time - from) as f64 / (until - from) as f64 * COLUMNS) as i64;
        let mut columns: Vec<(i64, [(i64, f64); 4])> = Vec::new();
        for point in points {
            match columns.last_mut() {
                Some((at, [_, low, high, last])) if *at == column(point.0) => {
                    *last = point;
                    if point.1 < low.1 {
                        *low = point;
                    }
                    if point.1 > high.1 {
                        *high = point;
                    }
                }
                _ => columns.push((column(point.0), [point; 4])),
            }
        }
        let mut thinned = Vec::new();
        for (_, mut extremes) in columns {
            extremes.sort_by_key(|point| point.0);
            thinned.extend(extremes);
        }
        thinned.dedup();
        thinned
    }
}

fn text(out: &mut String, (x, y): (f64, f64), attributes: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    put(
        out,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{words}</text>\n"),
    );
}

fn put(out: &mut String, text: core::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: Vec<(i64, f64)>) -> Panel {
        Panel {
            name: "a <b> & c".into(),
            unit: "V".into(),
            span: [0, 1000],
            shades: vec![[200, 300]],
            series: vec![Series {
                mark: Mark::Line,
                points,
                gap_ms: 500,
            }],
        }
    }

    #[test]
    fn thinning_keeps_ends_and_extremes() {
        let points: Vec<_> = (0..=1000_i64)
            .map(|at| (at, ((at * 7919) % 101) as f64))
            .collect();
        let panel = panel(points.clone());
        let thinned = Chart::new(&panel, 0.0).thinned(points.iter().copied());
        assert!(thinned.len() < points.len() && thinned.is_sorted_by_key(|it| it.0));
        assert_eq!(
            (thinned[0], thinned[thinned.len() - 1]),
            (points[0], points[1000])
        );
        let count = |all: &[(i64, f64)], value: f64| all.iter().filter(|it| it.1 == value).count();
        for extreme in [0.0, 100.0] {
            assert_eq!(count(&thinned, extreme), count(&points, extreme));
        }
    }

    #[test]
    fn a_line_is_broken_at_a_gap_and_at_what_is_no_number() {
        let svg = write(
            "t",
            "",
            &[panel(vec![
                (0, 1.0),
                (400, 2.0),
                (900, 1.0),
                (1000, f64::NAN),
            ])],
        );
        assert_eq!(svg.matches("class=\"sent\" d=\"M72.0").count(), 1, "{svg}");
        assert!(!svg.contains("NaN"));
        let svg = write("t", "", &[panel(vec![(0, 1.0), (400, 2.0), (901, 1.0)])]);
        let path = svg.split("class=\"sent\" d=\"M72.0").nth(1).unwrap();
        let path = path.split('"').next().unwrap();
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (1, 1),
            "{path}"
        );
    }

    #[test]
    fn words_are_no_markup() {
        let svg = write("t", "", &[panel(vec![(0, 1.0)])]);
        assert!(svg.contains("a &lt;b> &amp; c, V"), "{svg}");
    }
}
