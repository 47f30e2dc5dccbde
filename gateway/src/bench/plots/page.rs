//! An SVG of panels one below the other over one axis; what a line means stands beside its panel and never on it.

use super::axis::Axis;
use super::curve::{Cells, Curve, Span};
use super::place::{LEFT, LEGEND, Place, Scale, WIDTH, x};
use super::strokes::{Look, draw_curve, sample};
use super::svg::{put, text};
use crate::limits::{PLOT_COLUMNS, PLOT_PANELS_MAX};

/// From a word of the legend to the next, and from a lane to the next.
const LINE: f64 = 15.0;
const LANE: f64 = 16.0;
/// Between panels.
const GAP: f64 = 14.0;

/// Colours that are told apart by those who see few (Okabe and Ito 2008), and by their lightness in print.
const STYLE: &str = "\
text{font-family:'DejaVu Sans',Verdana,sans-serif;font-size:11px;fill:#444}\
.title{font-size:17px;font-weight:600;fill:#111}.note{font-size:12px;fill:#222}.name{fill:#111;font-weight:600}\
.grid{stroke:#e4e4e4}.frame{fill:none;stroke:#999}\
.sent{fill:none;stroke:#767676;stroke-width:1}.cleaned{fill:none;stroke:#56b4e9;stroke-width:1.1}\
.average{fill:none;stroke:#000;stroke-width:1.7;stroke-linejoin:round}\
.truth{fill:none;stroke:#00573f;stroke-width:1.6}.mark{fill:none;stroke:#000;stroke-width:1;stroke-dasharray:2 3}.score{fill:none;stroke:#0072b2;stroke-width:1.1}\
.limit{fill:none;stroke:#d55e00;stroke-width:1.5;stroke-dasharray:6 3}\
.band{fill:#e69f00;fill-opacity:.5}.labelled{fill:url(#hatch);stroke:#c9b458;stroke-width:.6}.alarm{fill:#d55e00;fill-opacity:.2}\
.changed{fill:none;stroke:#d55e00;stroke-width:1.2}\
.good{fill:#d3e8f5}.uncertain{fill:#e69f00}.bad{fill:#000}.lane{fill:#f4f4f4}\
.hit{fill:#d55e00}.miss{fill:#fff;stroke:#000}";
const HATCH: &str = "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
<rect width=\"6\" height=\"6\" fill=\"#f6efd0\"/><path d=\"M-1 1l2-2M0 6l6-6M5 7l2-2\" stroke=\"#c9b458\" stroke-width=\".8\"/></pattern></defs>\n";

/// How cells are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    Good,
    Uncertain,
    Bad,
    /// What is labelled in the data.
    Labelled,
    /// While an alarm stands.
    Alarm,
    /// An alarm that is right.
    Hit,
    /// An alarm that is wrong.
    Miss,
}

/// A line of what is so or not: its word, its cells, and what is said beside it.
#[derive(Debug)]
pub(crate) struct Lane<'a>(
    pub(crate) String,
    pub(crate) Vec<(Fill, &'a Cells)>,
    pub(crate) String,
);

/// One panel.
#[derive(Debug)]
pub(crate) enum Panel<'a> {
    /// Values.
    Lines {
        name: String,
        height: f64,
        /// Behind the lines, over the whole height.
        shades: Vec<(Fill, &'a Cells)>,
        /// How each looks, and what it is.
        curves: Vec<(Look, &'a Curve, String)>,
        /// Whether the axis begins at 0.
        from_zero: bool,
    },
    /// What is so or not, one line below the other.
    Lanes { name: String, lanes: Vec<Lane<'a>> },
}

/// A drawing.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) title: String,
    /// What is seen, a line each.
    pub(crate) notes: Vec<String>,
    pub(crate) axis: Axis,
    pub(crate) span: Span,
    pub(crate) panels: Vec<Panel<'a>>,
}

impl Page<'_> {
    /// The drawing as SVG.
    pub(crate) fn write(&self) -> String {
        let panels = &self.panels[..self.panels.len().min(PLOT_PANELS_MAX)];
        let head = 40.0 + 17.0 * self.notes.len() as f64;
        let body: f64 = panels.iter().map(|panel| panel.height() + GAP).sum();
        let height = head + body + 34.0;
        let mut out = String::new();
        put(
            &mut out,
            format_args!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
                 <style>{STYLE}</style>\n{HATCH}<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
            ),
        );
        text(&mut out, (14.0, 26.0), "class=\"title\"", &self.title);
        for (nth, note) in self.notes.iter().enumerate() {
            let y = 45.0 + 17.0 * nth as f64;
            text(&mut out, (14.0, y), "class=\"note\"", note);
        }
        let marks = self.axis.marks(self.span);
        let mut top = head;
        for (nth, panel) in panels.iter().enumerate() {
            let place = Place {
                nth,
                top,
                height: panel.height(),
            };
            let columns = marks.iter().map(|(time, _)| self.span.column(*time));
            panel.draw(&mut out, &place, &columns.collect::<Vec<_>>());
            top += panel.height() + GAP;
        }
        for (time, word) in &marks {
            let at = (x(self.span.column(*time)), top + 2.0);
            text(&mut out, at, "text-anchor=\"middle\"", word);
        }
        text(&mut out, (LEGEND + 40.0, top + 2.0), "", self.axis.name());
        out.push_str("</svg>\n");
        out
    }
}

impl Panel<'_> {
    fn height(&self) -> f64 {
        match self {
            Self::Lines { height, .. } => *height,
            Self::Lanes { lanes, .. } => LANE * lanes.len() as f64,
        }
    }

    fn draw(&self, out: &mut String, place: &Place, columns: &[usize]) {
        match self {
            Self::Lines { .. } => self.draw_lines(out, place, columns),
            Self::Lanes { name, lanes } => {
                place.grid(out, columns);
                draw_lanes(out, place, name, lanes);
            }
        }
    }

    fn draw_lines(&self, out: &mut String, place: &Place, columns: &[usize]) {
        let Self::Lines {
            name,
            shades,
            curves,
            from_zero,
            ..
        } = self
        else {
            return;
        };
        for (fill, cells) in shades {
            draw_cells(out, *fill, cells, place.top, place.height);
        }
        place.grid(out, columns);
        let scale = Scale::of(curves, *from_zero);
        let marks = scale.marks(place.height);
        for (value, word) in &marks {
            let y = place.y(scale, *value);
            put(
                out,
                format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}h{PLOT_COLUMNS}\"/>\n"),
            );
            let y = (y + 4.0).clamp(place.top + 8.0, place.top + place.height + 2.0);
            text(out, (LEFT - 6.0, y), "text-anchor=\"end\"", word);
        }
        let (nth, top, height) = (place.nth, place.top, place.height);
        put(
            out,
            format_args!(
                "<clipPath id=\"p{nth}\"><rect x=\"{LEFT}\" y=\"{top}\" width=\"{PLOT_COLUMNS}\" height=\"{height}\"/></clipPath>\n\
                 <g clip-path=\"url(#p{nth})\">\n"
            ),
        );
        for (look, curve, _) in curves {
            draw_curve(out, *look, curve, place, scale);
        }
        out.push_str("</g>\n");
        place.frame(out);
        text(out, (LEGEND, top + 9.0), "class=\"name\"", name);
        let mut y = top + 9.0;
        for (look, _, word) in curves.iter().filter(|(.., word)| !word.is_empty()) {
            y += LINE;
            sample(out, *look, y - 4.0);
            text(out, (LEGEND + 26.0, y), "", word);
        }
    }
}

fn draw_cells(out: &mut String, fill: Fill, cells: &Cells, top: f64, height: f64) {
    let class = match fill {
        Fill::Good => "good",
        Fill::Uncertain => "uncertain",
        Fill::Bad => "bad",
        Fill::Labelled => "labelled",
        Fill::Alarm => "alarm",
        Fill::Hit => "hit",
        Fill::Miss => "miss",
    };
    let mut path = String::new();
    for (first, last) in cells.runs() {
        let (left, width) = (LEFT + first as f64, (last + 1 - first) as f64);
        if matches!(fill, Fill::Hit | Fill::Miss) {
            // Where it begins; how long it lasts, below it.
            let (corner, base) = (left - 4.0, top + height - 2.0);
            put(&mut path, format_args!("M{corner} {base:.1}h9l-4.5-9z"));
            if width > 9.0 {
                put(
                    &mut path,
                    format_args!("M{left} {base:.1}h{width}v-3h-{width}z"),
                );
            }
        } else {
            put(
                &mut path,
                format_args!("M{left} {top:.1}h{width}v{height:.1}h-{width}z"),
            );
        }
    }
    if !path.is_empty() {
        put(
            out,
            format_args!("<path class=\"{class}\" d=\"{path}\"/>\n"),
        );
    }
}

fn draw_lanes(out: &mut String, place: &Place, name: &str, lanes: &[Lane<'_>]) {
    for (nth, Lane(word, cells, beside)) in lanes.iter().enumerate() {
        let top = place.top + LANE * nth as f64;
        for (fill, cells) in cells {
            draw_cells(out, *fill, cells, top + 2.0, LANE - 4.0);
        }
        let y = top + 12.0;
        text(out, (LEFT - 6.0, y), "text-anchor=\"end\"", word);
        if nth == 0 {
            text(out, (LEGEND, y), "class=\"name\"", name);
            let after = LEGEND + 8.0 + 6.7 * name.chars().count() as f64;
            text(out, (after, y), "", beside);
        } else {
            text(out, (LEGEND, y), "", beside);
        }
    }
    place.frame(out);
}
