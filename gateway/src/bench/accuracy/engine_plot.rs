//! A drawing of an engine that runs until it fails: its sensors, how far they are together from what they were, and the life that
//! is foretold.

use pipeline::Unusable;
use pipeline::detect::{Course, Together, Trend};
use wire::Timestamp;

use super::engines::{AHEAD_CYCLES, CROSSED, TREND_CYCLES};
use crate::bench::plots::{Axis, Cells, Curve, Fill, Known, Lane, Look, Page, Panel, Span, Trace};

/// Sensors that are drawn: those that depart most often.
const SENSORS: usize = 4;
/// Heights of a sensor's panel and of the others.
const HEIGHTS: [f64; 2] = [90.0, 130.0];

/// A cycle takes a minute here, so that averages and forecasts have times.
const CYCLE_MS: i64 = 60_000;
const AXIS: Axis = Axis::Count("cycle", CYCLE_MS);

/// The engine's drawing; `lead` is how many cycles before the failure the warning came.
pub(super) fn draw(
    unit: u32,
    cycles: &[Vec<f64>],
    sizes: &[f64],
    lead: Option<usize>,
) -> Result<String, Unusable> {
    let times: Vec<i64> = (1..=cycles.len() as i64).map(|it| it * CYCLE_MS).collect();
    let span = Span::of(&times);
    let sensors: Result<Vec<_>, _> = departing(cycles)
        .into_iter()
        .map(|sensor| {
            let values: Vec<f64> = cycles.iter().map(|row| row[sensor]).collect();
            let trace = Trace::of(span, &times, &values, Known::default())?;
            Ok((sensor, trace))
        })
        .collect();
    let sensors = sensors?;
    let warned = lead.map(|lead| cycles.len() - lead);
    let warnings = Cells::at(span, warned.map(time_of));
    let lost = Cells::between(span, warned.map(|cycle| (time_of(cycle), span.until)));
    let at = |level: f64| Curve::of(span, times.iter().map(|time| (*time, level)));
    let (size, limits) = (of_rows(span, sizes), [at(1.0), at(CROSSED)]);
    let life = Life::of(span, sizes);
    let mut panels: Vec<Panel<'_>> = sensors
        .iter()
        .map(|(sensor, trace)| panel(*sensor, trace, &lost))
        .collect();
    panels.push(lanes(&warnings, &lost, lead));
    panels.push(Panel::Lines {
        name: "departure, 21 sensors together".into(),
        height: HEIGHTS[1],
        shades: vec![(Fill::Alarm, &lost)],
        curves: vec![
            (Look::Score, &size, "size".into()),
            (Look::Limit, &limits[0], "limit of the warning".into()),
            (Look::Mark, &limits[1], "twice the limit".into()),
        ],
        from_zero: true,
    });
    panels.push(life.panel());
    let [within, asked] = life.counts;
    Ok(Page {
        title: format!("cmapss/FD001, engine {unit}"),
        notes: vec![
            match lead {
                Some(lead) => format!("warned {lead} cycles before it failed at cycle {}", cycles.len()),
                None => format!("failed at cycle {} without a warning", cycles.len()),
            },
            format!("twice the limit: foretold {asked} times, {within} of them right within give or take"),
        ],
        axis: AXIS,
        span,
        panels,
    }
    .write())
}

const fn time_of(cycle: usize) -> i64 {
    cycle as i64 * CYCLE_MS
}

fn of_rows(span: Span, values: &[f64]) -> Curve {
    Curve::of(span, (1..).map(time_of).zip(values.iter().copied()))
}

/// The sensors that depart most in the most rows, those that do so most often first.
fn departing(cycles: &[Vec<f64>]) -> Vec<usize> {
    let mut together = Together::new(Course::WEAR);
    let mut counts = vec![0u32; cycles.first().map_or(0, Vec::len)];
    for row in cycles {
        let departure = together.push(row);
        if departure.size > 0.0 {
            counts[departure.signal] += 1;
        }
    }
    let mut sensors: Vec<usize> = (0..counts.len()).collect();
    sensors.sort_by_key(|sensor| core::cmp::Reverse(counts[*sensor]));
    sensors.truncate(SENSORS);
    sensors
}

fn panel<'a>(sensor: usize, trace: &'a Trace, lost: &'a Cells) -> Panel<'a> {
    let mut curves = vec![
        (
            Look::Band,
            &trace.forecast,
            format!("trend, {} ahead", AXIS.duration(trace.window_ms)),
        ),
        (Look::Cleaned, &trace.cleaned, "cleaned".to_owned()),
        (
            Look::Average,
            &trace.average,
            format!("average of {}", AXIS.duration(trace.window_ms)),
        ),
    ];
    if trace.changed.range().is_some() {
        curves.push((
            Look::Changed,
            &trace.changed,
            "as sent, where it was changed".into(),
        ));
    }
    Panel::Lines {
        name: format!("sensor {}", sensor + 1),
        height: HEIGHTS[0],
        shades: vec![(Fill::Alarm, lost)],
        curves,
        from_zero: false,
    }
}

fn lanes<'a>(warnings: &'a Cells, lost: &'a Cells, lead: Option<usize>) -> Panel<'a> {
    let beside = lead.map_or("none".to_owned(), |lead| format!("{lead} cycles ahead"));
    Panel::Lanes {
        name: "early warning".into(),
        lanes: vec![
            Lane("warning".into(), vec![(Fill::Hit, warnings)], beside),
            Lane(
                "alarm stands".into(),
                vec![(Fill::Alarm, lost)],
                String::new(),
            ),
        ],
    }
}

/// In how many cycles the departure is twice the limit, as foretold in each, and as it came.
struct Life {
    foretold: Curve,
    came: Curve,
    /// Right within give or take, and all.
    counts: [u32; 2],
}

impl Life {
    fn of(span: Span, sizes: &[f64]) -> Self {
        let mut life = Self {
            foretold: Curve::default(),
            came: Curve::default(),
            counts: [0; 2],
        };
        let crossed = sizes.iter().position(|size| *size >= CROSSED);
        let mut trend = Trend::new(TREND_CYCLES);
        let rows = sizes
            .iter()
            .enumerate()
            .take(crossed.unwrap_or(sizes.len()));
        for (cycle, size) in rows.filter(|(_, size)| **size > 0.0) {
            let column = span.column(time_of(cycle + 1));
            trend.push(Timestamp(cycle as i64), size.ln());
            let left = crossed.map(|crossed| (crossed - cycle) as f64);
            if let Some(left) = left {
                life.came.push(column, left);
            }
            // What may as well be twice as late, or now, is no forecast yet: as alarms have it.
            let crossing = trend.crossing(CROSSED.ln(), AHEAD_CYCLES);
            let Some(crossing) = crossing.filter(|it| it.give_ms <= it.in_ms) else {
                continue;
            };
            life.foretold
                .push(column, crossing.in_ms - crossing.give_ms);
            life.foretold
                .push(column, crossing.in_ms + crossing.give_ms);
            if let Some(left) = left {
                life.counts[0] += u32::from((left - crossing.in_ms).abs() <= crossing.give_ms);
                life.counts[1] += 1;
            }
        }
        life
    }

    fn panel(&self) -> Panel<'_> {
        Panel::Lines {
            name: "cycles until twice the limit".into(),
            height: HEIGHTS[1],
            shades: Vec::new(),
            curves: vec![
                (Look::Band, &self.foretold, "foretold, give or take".into()),
                (Look::Score, &self.came, "as it came".into()),
            ],
            from_zero: true,
        }
    }
}
