//! The picture as text: a screen of 80 by 24 for a terminal, a line for everything else.

use core::fmt::Write;

use super::news::AlertSeen;
use super::picture::{DeviceSeen, Mark, Picture, SignalSeen};

/// Columns of the screen.
pub(super) const COLUMNS: usize = 80;
/// Lines of the screen; one is left for the cursor.
pub(super) const LINES: usize = 23;
/// Alerts that have a line; how many more there are is said.
const ALERTS_SHOWN: usize = 3;

/// When it is, and how the upstream is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// What the demo does now.
    pub(super) phase: Phase,
    /// Since the sensors began, ms.
    pub(super) elapsed_ms: u64,
    /// How long they go on, s; without end if absent.
    pub(super) seconds: Option<u64>,
    /// Wall clock, ms since the Unix epoch.
    pub(super) wall_ms: i64,
    /// For how long the upstream has been away, ms.
    pub(super) away_ms: Option<u64>,
}

/// What the demo does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sensors send.
    Running,
    /// What is on its way arrives.
    Draining,
}

/// How text is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// With ANSI colours.
    Colour,
    /// As it is.
    Plain,
}

/// Colours by their meaning, as SGR parameters.
#[derive(Clone, Copy)]
enum Ink {
    Title,
    Faint,
    Good,
    Doubt,
    Alarm,
}

impl Style {
    fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Title => "1",
            Ink::Faint => "2",
            Ink::Good => "32",
            Ink::Doubt => "33",
            Ink::Alarm => "1;31",
        };
        match self {
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// The screen: [`LINES`] lines of up to [`COLUMNS`] columns.
pub(super) fn screen(picture: &Picture, scene: &Scene, style: Style) -> Vec<String> {
    let mut lines = vec![title(scene, style), style.paint(Ink::Faint, &heads())];
    lines.extend(
        picture
            .devices
            .iter()
            .map(|device| device_line(picture, device, style)),
    );
    lines.push(rule(&alerts_title(picture), style));
    lines.extend((0..ALERTS_SHOWN).map(|place| alert_line(picture, place, scene.wall_ms, style)));
    lines.push(style.paint(Ink::Faint, &faults_line(picture)));
    lines.push(rule("gateway", style));
    lines.push(broker_line(picture));
    lines.push(kafka_line(picture, scene, style));
    lines.push(count_line(picture, style));
    lines
}

/// One line that says it all, for a pipe or a log.
pub(super) fn line(picture: &Picture, scene: &Scene) -> String {
    let tally = picture.tally();
    format!(
        "{}  {} sent, {} acknowledged, {} in Kafka, {} on the way, {} doubled; Kafka {}; backlog {}; {} alerts raised now",
        clock(scene.elapsed_ms / 1000),
        thousands(tally.sent),
        thousands(tally.acknowledged),
        thousands(tally.delivered),
        thousands(tally.missing),
        tally.doubled,
        upstream(picture, scene),
        picture.status.backlog(),
        picture.alerts.len(),
    )
}

fn title(scene: &Scene, style: Style) -> String {
    let name = " Tidegate demo";
    let legend = ["● good", "○ bad readings", "▲ alert"];
    let time = match (scene.phase, scene.seconds) {
        (Phase::Draining, _) => "waiting for the rest".to_owned(),
        (Phase::Running, Some(seconds)) => {
            format!("{} of {}", clock(scene.elapsed_ms / 1000), clock(seconds))
        }
        (Phase::Running, None) => format!("{}, Ctrl-C ends", clock(scene.elapsed_ms / 1000)),
    };
    let used = name.chars().count()
        + 4
        + legend
            .map(|text| text.chars().count() + 2)
            .iter()
            .sum::<usize>();
    let time = pad_left(&time, COLUMNS.saturating_sub(used + 1));
    let [good, doubtful, alert] = legend;
    format!(
        "{}    {}  {}  {}  {time}",
        style.paint(Ink::Title, name),
        style.paint(Ink::Good, good),
        style.paint(Ink::Doubt, doubtful),
        style.paint(Ink::Alarm, alert),
    )
}

fn heads() -> String {
    let cell = format!(
        "{:<11} {:>7} {:>6} {:<4}  ",
        "signal", "now", "ø 10 s", "unit"
    );
    format!(" {:<10} {cell} {cell}", "device")
        .trim_end()
        .to_owned()
}

fn device_line(picture: &Picture, device: &DeviceSeen, style: Style) -> String {
    let mut line = format!(" {:<10}", device.name);
    for signal in &device.signals {
        // Writing into a string cannot fail.
        let _ = write!(
            line,
            " {}",
            cell(signal, picture.mark(device, signal), style)
        );
    }
    line
}

/// 33 columns: name, last reading, average of ten seconds, unit, how it is.
fn cell(signal: &SignalSeen, mark: Mark, style: Style) -> String {
    let number = |value: Option<f64>, columns: usize| match value {
        Some(value) => format!("{value:>columns$.*}", signal.decimals),
        None => format!("{:>columns$}", "–"),
    };
    let (ink, sign) = match mark {
        Mark::Unknown => (Ink::Faint, "·"),
        Mark::Good => (Ink::Good, "●"),
        Mark::Doubtful => (Ink::Doubt, "○"),
        Mark::Alert => (Ink::Alarm, "▲"),
    };
    let average = number(signal.average.as_ref().and_then(|average| average.mean), 6);
    let now = number(signal.now, 7);
    let unit = &signal.unit;
    format!(
        "{:<11} {now} {} {unit:<4} {}",
        signal.name,
        style.paint(Ink::Title, &average),
        style.paint(ink, sign)
    )
}

fn rule(title: &str, style: Style) -> String {
    let line = format!(" ── {title} ");
    let rest = "─".repeat(COLUMNS - 1 - line.chars().count().min(COLUMNS - 1));
    style.paint(Ink::Faint, &format!("{line}{rest}"))
}

fn alerts_title(picture: &Picture) -> String {
    let counts = picture.alert_counts;
    let now = picture.alerts.len();
    let more = now.saturating_sub(ALERTS_SHOWN);
    let more = if more > 0 {
        format!(", {more} not shown")
    } else {
        String::new()
    };
    format!(
        "alerts: {now} now{more}, {} raised and {} cleared so far",
        counts.raised, counts.cleared
    )
}

fn alert_line(picture: &Picture, place: usize, wall_ms: i64, style: Style) -> String {
    let Some(AlertSeen {
        device,
        signal,
        rule,
        at,
        why,
        ..
    }) = picture.alerts.get(place)
    else {
        return if place == 0 {
            " none".into()
        } else {
            String::new()
        };
    };
    let age = format!("{} s", (wall_ms - at).max(0) / 1000);
    let what = cut(&format!("{device} {signal} {rule}: {why}"), COLUMNS - 11);
    format!(
        " {} {what}{}",
        style.paint(Ink::Alarm, "▲"),
        pad_left(&age, COLUMNS - 4 - what.chars().count())
    )
}

fn faults_line(picture: &Picture) -> String {
    let faults: Vec<String> = picture
        .faults
        .iter()
        .map(|fault| match &fault.signal {
            Some(signal) => format!("{} {signal} {}", fault.device, fault.kind),
            None => format!("{} {}", fault.device, fault.kind),
        })
        .collect();
    let text = if faults.is_empty() {
        "nothing".into()
    } else {
        faults.join(" · ")
    };
    cut(&format!(" faults now: {text}"), COLUMNS - 1)
}

fn broker_line(picture: &Picture) -> String {
    format!(
        " broker        {} clients   {} readings taken   {} acknowledged",
        picture.clients,
        thousands(picture.status.counters.readings),
        thousands(picture.tally().acknowledged),
    )
}

fn kafka_line(picture: &Picture, scene: &Scene, style: Style) -> String {
    let state = format!("{:<18}", upstream(picture, scene));
    let ink = if scene.away_ms.is_some() {
        Ink::Doubt
    } else {
        Ink::Good
    };
    format!(
        " Kafka         {} outbox {} rows wait, {} sent",
        style.paint(ink, &state),
        picture.status.backlog(),
        thousands(picture.status.counters.rows_sent),
    )
}

fn count_line(picture: &Picture, style: Style) -> String {
    let tally = picture.tally();
    let wrong = tally.doubled + tally.changed + tally.unknown;
    let (ink, verdict) = if wrong == 0 {
        (Ink::Good, "doubled 0   changed 0".to_owned())
    } else {
        (
            Ink::Alarm,
            format!(
                "doubled {}   changed {}   unknown {}",
                tally.doubled, tally.changed, tally.unknown
            ),
        )
    };
    format!(
        " exactly once  {} in Kafka   {} on the way   {}",
        thousands(tally.delivered),
        thousands(tally.missing),
        style.paint(ink, &verdict),
    )
}

/// How Kafka is. The demo has switched it off itself, so it knows before the gateway's transfer gives up.
fn upstream(picture: &Picture, scene: &Scene) -> String {
    match (scene.away_ms, picture.status.uplink.as_str()) {
        (Some(away_ms), _) => format!("away since {} s", away_ms / 1000),
        (None, "") => "not asked yet".into(),
        (None, "away") => "connecting".into(),
        (None, state) => state.into(),
    }
}

/// `05:07`
fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// `1,234,567`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn pad_left(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(text.chars().count());
    format!("{}{text}", " ".repeat(missing))
}

/// The first `columns` columns.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars()
        .take(columns - 1)
        .chain(core::iter::once('…'))
        .collect()
}

#[cfg(test)]
mod tests {
    use sensor_sim::truth::{Kind, Label};

    use super::super::news::{AverageSeen, News};
    use super::super::site::devices;
    use super::*;

    const SCENE: Scene = Scene {
        phase: Phase::Running,
        elapsed_ms: 83_000,
        seconds: Some(3600),
        wall_ms: 60_000,
        away_ms: Some(12_400),
    };

    /// Everything at its widest.
    fn crowded() -> Picture {
        let mut picture = Picture::new(&devices().expect("profiles"));
        for (device, signal) in [
            ("chiller-1", "vibration"),
            ("coldroom-1", "temperature"),
            ("tank-1", "temperature"),
        ] {
            for rule in ["hot", "silence"] {
                let why = "-123.456789 °C is above 4.5 °C for 500ms and for much longer than one would like".into();
                let (device, signal, rule) = (device.into(), signal.into(), rule.into());
                picture.apply(
                    News::Alert(AlertSeen {
                        device,
                        signal,
                        rule,
                        state: "raised".into(),
                        at: 0,
                        why,
                    }),
                    0,
                );
            }
            for kind in [Kind::NoiseBurst, Kind::Duplicate] {
                let signal = Some(signal.to_owned());
                let label = Label {
                    device: device.into(),
                    signal,
                    kind,
                    from_ms: 0,
                    until_ms: 99,
                    size: 1.0,
                };
                picture.apply(News::Fault(label), 0);
            }
            let (device, signal) = (device.into(), signal.into());
            let average = AverageSeen {
                device,
                signal,
                start: 0,
                mean: Some(-39.98),
                uncertain: 1,
                bad: 1,
            };
            picture.apply(News::Average(average), 0);
        }
        picture
    }

    #[test]
    fn the_screen_fits_into_80_by_24() {
        for picture in [crowded(), Picture::new(&devices().expect("profiles"))] {
            for scene in [
                SCENE,
                Scene {
                    seconds: None,
                    ..SCENE
                },
                Scene {
                    phase: Phase::Draining,
                    ..SCENE
                },
            ] {
                let lines = screen(&picture, &scene, Style::Plain);
                assert_eq!(lines.len(), LINES);
                for line in lines {
                    assert!(line.chars().count() <= COLUMNS, "{line}");
                    assert!(!line.contains('\x1b'), "{line}");
                }
            }
        }
    }

    #[test]
    fn what_matters_is_on_the_screen() {
        let text = screen(&crowded(), &SCENE, Style::Plain).join("\n");
        for part in [
            "01:23 of 60:00",
            "alerts: 6 now, 3 not shown",
            "60 s",
            "away since 12 s",
            "noise-burst",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let text = line(
            &crowded(),
            &Scene {
                away_ms: None,
                ..SCENE
            },
        );
        assert!(
            text.starts_with("01:23  0 sent") && text.contains("Kafka not asked yet"),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
