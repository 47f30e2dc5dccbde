//! A drawing of one file: the signals with their average, what is labelled, the alarms, and the score beside its limit.

use core::fmt::Write;

/// Width of the drawing, and height of its two parts, in pixels.
const WIDTH: f64 = 1200.0;
const HEIGHTS: [f64; 2] = [300.0, 140.0];
const MARGIN: f64 = 50.0;
/// Points of a line: more are told by their least and largest.
const COLUMNS: usize = 600;
/// Weight of a value in the average that is drawn.
const AVERAGE: f64 = 0.05;
const COLOURS: [&str; 8] = [
    "#4477aa", "#228833", "#aa3377", "#66ccee", "#ccbb44", "#ee6677", "#777777", "#332288",
];

/// What is drawn.
pub(super) struct Picture<'a> {
    pub(super) title: &'a str,
    pub(super) times: &'a [i64],
    /// One line each; several are scaled to the same height.
    pub(super) values: &'a [Vec<f64>],
    /// First and last row of what is labelled.
    pub(super) labels: &'a [(usize, usize)],
    pub(super) alarms: &'a [usize],
    /// Score and limit of each row.
    pub(super) scores: &'a [(f64, f64)],
}

/// Runs of rows whose label is set: first and last.
pub(super) fn runs(labels: &[f64]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (row, _) in labels
        .iter()
        .enumerate()
        .filter(|(_, label)| **label >= 0.5)
    {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == row => run.1 = row,
            _ => runs.push((row, row)),
        }
    }
    runs
}

/// The drawing as SVG.
pub(super) fn page(picture: &Picture<'_>) -> String {
    let height = HEIGHTS.iter().sum::<f64>() + 3.0 * MARGIN;
    let title = picture.title.replace('&', "&amp;").replace('<', "&lt;");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{MARGIN}\" y=\"24\" font-size=\"16\">{title}</text>\n"
    );
    draw_signals(&mut svg, picture);
    draw_scores(&mut svg, picture.scores);
    let lines = if picture.values.len() == 1 {
        "values, their average (black)"
    } else {
        "averages of the signals, each in its own range"
    };
    // Writing into a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{}\">above: {lines}, what is labelled (yellow), alarms (red); below: score and limit (red); {} rows</text>\n</svg>",
        height - 12.0,
        picture.times.len()
    );
    svg
}

fn draw_signals(svg: &mut String, picture: &Picture<'_>) {
    let (top, height) = (MARGIN, HEIGHTS[0]);
    let rows = picture.times.len().max(1) as f64;
    let x = |row: usize| MARGIN + (WIDTH - 2.0 * MARGIN) * row as f64 / rows;
    for (first, last) in picture.labels {
        let (left, width) = (x(*first), (x(last + 1) - x(*first)).max(1.0));
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\" fill=\"#ffdd99\"/>"
        );
    }
    for row in picture.alarms {
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {top}v{height}\" stroke=\"#cc0000\" stroke-opacity=\"0.5\"/>",
            x(*row)
        );
    }
    if let [values] = picture.values {
        let range = range_of(values.iter().copied());
        line(svg, values, range, (top, height), COLOURS[0], 1.0);
        line(svg, &averages(values), range, (top, height), "#000000", 1.5);
        axis(svg, range, (top, height));
        return;
    }
    for (values, colour) in picture.values.iter().zip(COLOURS.iter().cycle()) {
        let averages = averages(values);
        let range = range_of(averages.iter().copied());
        line(svg, &averages, range, (top, height), colour, 1.2);
    }
}

fn draw_scores(svg: &mut String, rows: &[(f64, f64)]) {
    let place = (HEIGHTS[0] + 2.0 * MARGIN, HEIGHTS[1]);
    let (scores, limits): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
    let range = (0.0, range_of(scores.iter().chain(&limits).copied()).1);
    line(svg, &scores, range, place, "#4477aa", 1.0);
    line(svg, &limits, range, place, "#cc0000", 1.0);
    axis(svg, range, place);
}

fn range_of(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (least, most) = finite.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), value| (least.min(value), most.max(value)),
    );
    if least < most {
        (least, most)
    } else {
        (least - 1.0, least + 1.0)
    }
}

fn averages(values: &[f64]) -> Vec<f64> {
    let mut average = values.first().copied().unwrap_or_default();
    let follow = |value: &f64| {
        if value.is_finite() {
            average += AVERAGE * (value - average);
        }
        average
    };
    values.iter().map(follow).collect()
}

/// A line through all values, by the least and largest of each column.
fn line(
    svg: &mut String,
    values: &[f64],
    (least, most): (f64, f64),
    (top, height): (f64, f64),
    colour: &str,
    width: f64,
) {
    let y = |value: f64| top + height * (1.0 - (value - least) / (most - least));
    let step = values.len().div_ceil(COLUMNS).max(1);
    let mut path = String::new();
    for (nth, chunk) in values.chunks(step).enumerate() {
        let (low, high) = range_of(chunk.iter().copied());
        let x = MARGIN + (WIDTH - 2.0 * MARGIN) * (nth * step) as f64 / values.len() as f64;
        let one = chunk.len() == 1 || chunk.iter().all(|value| *value == chunk[0]);
        let ends = if one { [chunk[0]; 2] } else { [low, high] };
        for end in ends.into_iter().filter(|end| end.is_finite()) {
            let _ = write!(
                path,
                "{}{x:.1} {:.1}",
                if path.is_empty() { 'M' } else { 'L' },
                y(end)
            );
        }
    }
    let _ = writeln!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}

fn axis(svg: &mut String, (least, most): (f64, f64), (top, height): (f64, f64)) {
    let right = MARGIN - 4.0;
    for (value, y) in [(most, top + 12.0), (least, top + height)] {
        let number = short(value);
        let _ = writeln!(
            svg,
            "<text x=\"{right}\" y=\"{y:.1}\" text-anchor=\"end\">{number}</text>"
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{MARGIN} {top}v{height}h{}\" fill=\"none\" stroke=\"#999999\"/>",
        WIDTH - 2.0 * MARGIN
    );
}

/// A number with three or four digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e5 => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
