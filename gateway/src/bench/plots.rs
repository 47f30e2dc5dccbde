//! Drawings of what the pipeline makes of a file, one SVG each: what was sent, what it became and why, its average, the alarms beside
//! what is labelled, and what was foretold.
//!
//! A drawing is kept by columns of a pixel, so it takes the same memory for any file, and the same file gives the same bytes.

mod axis;
mod curve;
mod page;
mod place;
mod strokes;
mod svg;
mod trace;

pub(super) use axis::Axis;
pub(super) use curve::{Cells, Curve, Span};
pub(super) use page::{Fill, Lane, Page, Panel};
pub(super) use strokes::Look;
pub(super) use trace::{Known, Trace};

use pipeline::Unusable;
use sensor_sim::date::Date;
use wire::Reasons;

/// Height of a panel: of a signal alone, of one beside it, and of one among several.
const HEIGHT: f64 = 180.0;
const HEIGHT_BESIDE: f64 = 100.0;
const HEIGHT_AMONG: f64 = 74.0;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// Data set and file.
    pub(super) title: String,
    /// What it scored, a line each.
    pub(super) scores: Vec<String>,
    pub(super) axis: Axis,
    pub(super) times: &'a [i64],
    /// Name and values of each signal.
    pub(super) signals: Vec<(String, Vec<f64>)>,
    pub(super) known: Known,
    /// What should have come out, where that is known.
    pub(super) truth: Option<&'a [f64]>,
    /// What is labelled: what it is called, and its first and last rows.
    pub(super) labels: (&'static str, &'a [(usize, usize)]),
    /// Alarms of the detectors.
    pub(super) alarms: Vec<Alarms>,
    /// What is drawn below the alarms.
    pub(super) below: Option<Below>,
}

/// A score beside its limit, or an error beside 0.
#[derive(Debug)]
pub(super) struct Below {
    pub(super) name: &'static str,
    pub(super) curves: Vec<(Look, Curve, &'static str)>,
    pub(super) from_zero: bool,
}

impl Below {
    /// A score with its limit, by row.
    pub(super) fn score(
        name: &'static str,
        times: &[i64],
        rows: impl Iterator<Item = (f64, f64)>,
    ) -> Self {
        let span = Span::of(times);
        let (mut scores, mut limits) = (Curve::default(), Curve::default());
        for (time, (score, limit)) in times.iter().zip(rows) {
            scores.push(span.column(*time), score);
            limits.push(span.column(*time), limit);
        }
        Self {
            name,
            curves: vec![
                (Look::Score, scores, "score"),
                (Look::Limit, limits, "limit"),
            ],
            from_zero: true,
        }
    }
}

/// The alarms of a detector, by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    /// Which detector.
    pub(super) name: String,
    /// In what is labelled.
    pub(super) hits: Vec<usize>,
    /// Elsewhere.
    pub(super) misses: Vec<usize>,
}

impl Alarms {
    /// Of a detector, of which those are right that lie within a label or so many rows behind it.
    pub(super) fn new(
        name: &str,
        alarms: &[usize],
        labels: &[(usize, usize)],
        grace: usize,
    ) -> Self {
        let is_hit = |row: &usize| {
            let holds = |(first, last): &(usize, usize)| (*first..=last + grace).contains(row);
            labels.iter().any(holds)
        };
        let (hits, misses) = alarms.iter().partition(|row| is_hit(row));
        Self {
            name: name.to_owned(),
            hits,
            misses,
        }
    }
}

/// What a page shows of all signals.
struct Marked {
    labelled: Cells,
    alarms: Vec<[Cells; 2]>,
    truth: Curve,
}

/// The drawing.
///
/// # Errors
/// [`Unusable`] if the pipeline cannot run with the drawing's plan.
pub(super) fn draw(subject: &Subject<'_>) -> Result<String, Unusable> {
    let span = Span::of(subject.times);
    let traces: Result<Vec<_>, _> = subject
        .signals
        .iter()
        .map(|(_, values)| Trace::of(span, subject.times, values, subject.known))
        .collect();
    let traces = traces?;
    let marked = Marked::of(subject, span);
    let mut panels = match &traces[..] {
        [trace] => alone(subject, trace, &marked),
        _ => among(subject, &traces, &marked),
    };
    panels.push(alarms(subject, &traces, &marked));
    panels.extend(subject.below.as_ref().map(|below| score(below, &marked)));
    // Of several signals the one that is foretold worst says most.
    let share = |trace: &Trace| {
        let [within, asked] = trace.counts.foretold;
        within as f64 / asked.max(1) as f64
    };
    let chosen = traces.iter().zip(&subject.signals);
    let chosen = chosen.min_by(|a, b| share(a.0).total_cmp(&share(b.0)));
    panels.extend(chosen.map(|(trace, (name, _))| foretold(subject.axis, name, trace)));
    let mut notes = subject.scores.clone();
    notes.push(seen(subject, &traces));
    let page = Page {
        title: subject.title.clone(),
        notes,
        axis: subject.axis,
        span,
        panels,
    };
    Ok(page.write())
}

impl Marked {
    fn of(subject: &Subject<'_>, span: Span) -> Self {
        let times = subject.times;
        let time_of = |row: usize| times.get(row).copied().unwrap_or(span.until);
        let at = |rows: &[usize]| Cells::at(span, rows.iter().map(|row| time_of(*row)));
        let labels = subject.labels.1.iter();
        let truth = subject.truth.unwrap_or_default().iter().copied();
        Self {
            labelled: Cells::between(
                span,
                labels.map(|(first, last)| (time_of(*first), time_of(*last))),
            ),
            alarms: subject
                .alarms
                .iter()
                .map(|alarms| [at(&alarms.hits), at(&alarms.misses)])
                .collect(),
            truth: Curve::of(span, times.iter().copied().zip(truth)),
        }
    }
}

/// A signal alone: as sent, cleaned, and its quality with each reason.
fn alone<'a>(subject: &Subject<'_>, trace: &'a Trace, marked: &'a Marked) -> Vec<Panel<'a>> {
    let name = &subject.signals[0].0;
    vec![
        Panel::Lines {
            name: format!("{name}, as sent"),
            height: HEIGHT_BESIDE,
            shades: vec![(Fill::Labelled, &marked.labelled)],
            curves: vec![(Look::Sent, &trace.sent, "all readings".into())],
            from_zero: false,
        },
        cleaned(subject, name, trace, marked, HEIGHT),
        quality(trace),
    ]
}

/// Each signal cleaned, and the quality of the one with most to say.
fn among<'a>(
    subject: &Subject<'_>,
    traces: &'a [Box<Trace>],
    marked: &'a Marked,
) -> Vec<Panel<'a>> {
    let signals = subject.signals.iter().zip(traces);
    let mut panels: Vec<_> = signals
        .map(|((name, _), trace)| cleaned(subject, name, trace, marked, HEIGHT_AMONG))
        .collect();
    let lane = |(name, trace): (&String, &'a Trace)| {
        let [good, uncertain, bad] = trace.counts.rows;
        let all = good + uncertain + bad;
        let beside = format!("{} of {all} not good", uncertain + bad);
        Lane(clipped(name), qualities(trace), beside)
    };
    let names = subject.signals.iter().map(|(name, _)| name);
    let lanes = names.zip(traces.iter().map(|trace| &**trace)).map(lane);
    panels.push(Panel::Lanes {
        name: "quality".into(),
        lanes: lanes.collect(),
    });
    panels
}

/// What fits beside a lane: of a long name its ends, for signals of a kind differ in the middle or at one of them.
fn clipped(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    match &letters[..] {
        [head @ .., _, _, _, _, _, _] if head.len() > 6 => {
            let tail = letters[head.len()..].iter();
            head[..4].iter().chain(&['…']).chain(tail).collect()
        }
        _ => name.to_owned(),
    }
}

fn cleaned<'a>(
    subject: &Subject<'_>,
    name: &str,
    trace: &'a Trace,
    marked: &'a Marked,
    height: f64,
) -> Panel<'a> {
    let mut curves = Vec::new();
    // Below what came out, so that it is seen where they differ.
    if subject.truth.is_some() {
        curves.push((Look::Truth, &marked.truth, "the truth".to_owned()));
    }
    curves.push((Look::Cleaned, &trace.cleaned, "cleaned".into()));
    let window = subject.axis.duration(trace.window_ms);
    curves.push((
        Look::Average,
        &trace.average,
        format!("average of {window}"),
    ));
    if trace.changed.range().is_some() {
        let word = "as sent, where it was changed";
        curves.push((Look::Changed, &trace.changed, word.into()));
    }
    Panel::Lines {
        name: name.to_owned(),
        height,
        shades: vec![
            (Fill::Labelled, &marked.labelled),
            (Fill::Alarm, &trace.alarm),
        ],
        curves,
        from_zero: false,
    }
}

fn qualities(trace: &Trace) -> Vec<(Fill, &Cells)> {
    let fills = [Fill::Good, Fill::Uncertain, Fill::Bad];
    fills.into_iter().zip(&trace.qualities).collect()
}

fn quality(trace: &Trace) -> Panel<'_> {
    let [_, uncertain, bad] = trace.counts.rows;
    let all = format!("{uncertain} uncertain, {bad} bad");
    let mut lanes = vec![Lane("quality".to_owned(), qualities(trace), all)];
    let reasons = Reasons::NAMES.iter().zip(&trace.reasons);
    for ((name, cells), count) in reasons.zip(trace.counts.reasons) {
        if !cells.is_empty() {
            let cells = vec![(Fill::Bad, cells)];
            lanes.push(Lane(
                name.replace('_', " "),
                cells,
                format!("{count} readings"),
            ));
        }
    }
    Panel::Lanes {
        name: "quality".into(),
        lanes,
    }
}

/// What is labelled, the alarms of each detector, and how long the pipeline's alarm stands.
fn alarms<'a>(subject: &Subject<'_>, traces: &'a [Box<Trace>], marked: &'a Marked) -> Panel<'a> {
    let (word, labels) = subject.labels;
    let labelled = vec![(Fill::Labelled, &marked.labelled)];
    let count = format!("{} {word}", labels.len());
    let mut lanes = vec![Lane(word.to_owned(), labelled, count)];
    for (alarms, [hits, misses]) in subject.alarms.iter().zip(&marked.alarms) {
        let beside = format!(
            "{} right (filled), {} wrong",
            alarms.hits.len(),
            alarms.misses.len()
        );
        let cells = vec![(Fill::Miss, misses), (Fill::Hit, hits)];
        lanes.push(Lane(clipped(&alarms.name), cells, beside));
    }
    let standing: Vec<_> = traces.iter().map(|it| (Fill::Alarm, &it.alarm)).collect();
    let raised: u64 = traces.iter().map(|trace| trace.counts.raised).sum();
    lanes.push(Lane(
        "alarm stands".into(),
        standing,
        format!("{raised} raised by the pipeline"),
    ));
    Panel::Lanes {
        name: "alarms".into(),
        lanes,
    }
}

fn score<'a>(below: &'a Below, marked: &'a Marked) -> Panel<'a> {
    let curves = below.curves.iter();
    Panel::Lines {
        name: below.name.to_owned(),
        height: HEIGHT_BESIDE,
        shades: vec![(Fill::Labelled, &marked.labelled)],
        curves: curves
            .map(|(look, curve, word)| (*look, curve, (*word).to_owned()))
            .collect(),
        from_zero: below.from_zero,
    }
}

fn foretold<'a>(axis: Axis, name: &str, trace: &'a Trace) -> Panel<'a> {
    let [within, asked] = trace.counts.foretold;
    let share = 100.0 * within as f64 / asked.max(1) as f64;
    Panel::Lines {
        name: format!("{name}, foretold"),
        height: HEIGHT_BESIDE + 20.0,
        shades: Vec::new(),
        curves: vec![
            (
                Look::Band,
                &trace.forecast,
                format!("trend, {} ahead", axis.duration(trace.window_ms)),
            ),
            (
                Look::Cleaned,
                &trace.cleaned,
                format!("came; {share:.0} % within"),
            ),
        ],
        from_zero: false,
    }
}

/// What is seen, in a line.
fn seen(subject: &Subject<'_>, traces: &[Box<Trace>]) -> String {
    let (mut rows, mut reasons) = ([0; 3], [0; Reasons::NAMES.len()]);
    for trace in traces {
        for (sum, count) in rows.iter_mut().zip(trace.counts.rows) {
            *sum += count;
        }
        for (sum, count) in reasons.iter_mut().zip(trace.counts.reasons) {
            *sum += count;
        }
    }
    let all: u64 = rows.iter().sum();
    let why: Vec<String> = Reasons::NAMES
        .iter()
        .zip(reasons)
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{} {count}", name.replace('_', " ")))
        .collect();
    let why = if why.is_empty() {
        "nothing to mend".to_owned()
    } else {
        why.join(", ")
    };
    let since = match subject.axis {
        Axis::Time => format!(
            " from {}",
            &Date(Span::of(subject.times).from).to_string()[..10]
        ),
        Axis::Count(..) => String::new(),
    };
    format!(
        "{} rows{since}; not good: {:.2} % ({why})",
        subject.times.len(),
        100.0 * (rows[1] + rows[2]) as f64 / all.max(1) as f64
    )
}

#[cfg(test)]
mod tests;
