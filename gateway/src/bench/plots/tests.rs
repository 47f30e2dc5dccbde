use super::*;

/// A day and a half of a room with a sentinel, a spike, and heating that fails in the end.
fn room(rows: usize) -> (Vec<i64>, Vec<f64>) {
    let value = |row: usize| match row {
        700 => 85.0,
        900 => -127.0,
        _ => {
            let noise = ((row * 7919) % 13) as f64 / 13.0 - 0.5;
            let fallen = row.saturating_sub(rows - 200) as f64 * 0.02;
            20.0 + 3.0 * (row as f64 / 229.0).sin() + 0.2 * noise - fallen
        }
    };
    let times = (0..rows as i64).map(|row| 1_388_534_400_000 + row * 60_000);
    (times.collect(), (0..rows).map(value).collect())
}

fn page(signals: usize) -> String {
    let (times, values) = room(2_000);
    let signals = (0..signals).map(|nth| (format!("signal <{nth}>"), values.clone()));
    let labels = [(1_800, 1_999)];
    draw(&Subject {
        title: "room & more".into(),
        scores: vec!["found: 1 of 1".into()],
        axis: Axis::Time,
        times: &times,
        signals: signals.collect(),
        known: Known::default(),
        truth: None,
        labels: ("labelled", &labels),
        alarms: vec![Alarms::new("full", &[1_000, 1_850], &labels, 0)],
        below: Some(Below::score(
            "detector",
            &times,
            times.iter().map(|_| (1.0, 12.0)),
        )),
    })
    .unwrap()
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    assert_eq!(page(1), page(1));
    assert_eq!(page(3), page(3));
}

#[test]
fn a_drawing_tells_what_became_of_the_readings() {
    let svg = page(1);
    for told in [
        "room &amp; more",
        "signal &lt;0>, as sent",
        "average of",
        "as sent, where it was changed",
        "spike",
        "1 right (filled), 1 wrong",
        "signal &lt;0>, foretold",
        "class=\"band\"",
        "class=\"labelled\"",
        "2000 rows from 2014-01-01",
    ] {
        assert!(svg.contains(told), "{told} is missing");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

/// The number of rows does not change what a drawing takes, and the one row that sticks out is seen.
#[test]
fn a_long_file_makes_no_larger_drawing_and_loses_no_spike() {
    let long = 200_000;
    let times: Vec<i64> = (0..long).map(|row| row * 1_000).collect();
    let mut values: Vec<f64> = (0..long).map(|row| ((row * 7919) % 1_013) as f64).collect();
    values[123_456] = 9_999.0;
    let span = Span::of(&times);
    let curve = Curve::of(span, times.iter().copied().zip(values));
    assert_eq!(curve.range(), Some([0.0, 9_999.0]));
    assert_eq!(curve.columns().count(), crate::limits::PLOT_COLUMNS);
    assert!(page(1).len() < 150_000, "{}", page(1).len());
}

/// An average of a window comes seldom; it is a line all the same, and ends where windows are missing.
#[test]
fn values_far_apart_are_one_line_until_some_are_missing() {
    let check = |columns: &[usize], pieces: usize| {
        let mut curve = Curve::default();
        for column in columns {
            curve.push(*column, *column as f64);
        }
        let panel = |curve| Panel::Lines {
            name: "a".into(),
            height: 90.0,
            shades: Vec::new(),
            curves: vec![(Look::Average, curve, "average".into())],
            from_zero: false,
        };
        let page = Page {
            title: "t".into(),
            notes: Vec::new(),
            axis: Axis::Time,
            span: Span::of(&[0, 1_000]),
            panels: vec![panel(&curve)],
        };
        let svg = page.write();
        let (_, line) = svg.split_once("class=\"average\" d=\"").unwrap();
        let (line, _) = line.split_once('"').unwrap();
        assert_eq!(line.matches('M').count(), pieces, "{columns:?}: {line}");
    };
    check(&[0, 60, 120, 180], 1);
    check(&[0, 60, 120, 240, 300], 1);
    check(&[0, 60, 120, 260, 320], 2);
    check(&[0, 1, 2, 3, 27], 1);
    check(&[0, 1, 2, 3, 28], 2);
}

#[test]
fn a_row_without_a_number_and_a_single_row_are_drawn() {
    let draw_of = |times: &[i64], values: Vec<f64>| {
        draw(&Subject {
            title: "t".into(),
            scores: Vec::new(),
            axis: Axis::Count("cycle", 1),
            times,
            signals: vec![("a".into(), values)],
            known: Known::default(),
            truth: None,
            labels: ("labelled", &[]),
            alarms: Vec::new(),
            below: None,
        })
        .unwrap()
    };
    for svg in [
        draw_of(&[5], vec![1.0]),
        draw_of(
            &[0, 60_000, 60_000, 30_000],
            vec![1.0, f64::NAN, f64::INFINITY, -1e300],
        ),
        draw_of(&[], Vec::new()),
    ] {
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    }
}

#[test]
fn names_beside_lanes_are_told_apart() {
    for (name, clip) in [
        ("temperature", "temperature"),
        ("pressure_bar", "pressure_bar"),
        ("Accelerometer1RMS", "Acce…er1RMS"),
        ("Accelerometer2RMS", "Acce…er2RMS"),
    ] {
        assert_eq!(clipped(name), clip);
    }
}
