//! What is drawn, by columns of one pixel: whatever the number of rows, a drawing takes the same memory, and no extreme is lost.

use crate::bench::runs::runs;
use crate::limits::PLOT_COLUMNS;

/// The time that a drawing covers, ms, both ends among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Span {
    /// From the earliest time to the latest.
    pub(crate) fn of(times: &[i64]) -> Self {
        let from = times.iter().copied().min().unwrap_or_default();
        let until = times.iter().copied().max().unwrap_or_default();
        Self {
            from,
            until: until.max(from.saturating_add(1)),
        }
    }

    /// The column of a time; what lies outside is in the first or the last.
    pub(crate) fn column(self, time: i64) -> usize {
        let share = time.saturating_sub(self.from) as f64 / self.length_ms() as f64;
        // Below 0 it saturates.
        ((share * PLOT_COLUMNS as f64) as usize).min(PLOT_COLUMNS - 1)
    }

    pub(crate) const fn length_ms(self) -> i64 {
        self.until.saturating_sub(self.from)
    }
}

/// Values by column: the least and the largest of each.
#[derive(Clone, Debug)]
pub(crate) struct Curve(Vec<Option<[f64; 2]>>);

impl Default for Curve {
    fn default() -> Self {
        Self(vec![None; PLOT_COLUMNS])
    }
}

impl Curve {
    /// Values with their times.
    pub(crate) fn of(span: Span, points: impl IntoIterator<Item = (i64, f64)>) -> Self {
        let mut curve = Self::default();
        for (time, value) in points {
            curve.push(span.column(time), value);
        }
        curve
    }

    /// Adds a value; what is no number is left out.
    pub(crate) fn push(&mut self, column: usize, value: f64) {
        if let Some(place) = self.0.get_mut(column).filter(|_| value.is_finite()) {
            let [low, high] = place.unwrap_or([value; 2]);
            *place = Some([low.min(value), high.max(value)]);
        }
    }

    /// Columns with values, and the least and largest of each.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (usize, [f64; 2])> {
        let columns = self.0.iter().enumerate();
        columns.filter_map(|(column, ends)| ends.map(|ends| (column, ends)))
    }

    /// Columns from a value to the next, as a rule: their median, 0 for a single value.
    pub(crate) fn distance(&self) -> usize {
        let columns: Vec<usize> = self.columns().map(|(column, _)| column).collect();
        let mut distances: Vec<usize> = columns.windows(2).map(|two| two[1] - two[0]).collect();
        distances.sort_unstable();
        distances.get(distances.len() / 2).copied().unwrap_or(0)
    }

    /// Least and largest of all.
    pub(crate) fn range(&self) -> Option<[f64; 2]> {
        self.columns()
            .map(|(_, ends)| ends)
            .reduce(|all, ends| [all[0].min(ends[0]), all[1].max(ends[1])])
    }
}

/// Whether something is so, by column.
#[derive(Clone, Debug)]
pub(crate) struct Cells(Vec<bool>);

impl Default for Cells {
    fn default() -> Self {
        Self(vec![false; PLOT_COLUMNS])
    }
}

impl Cells {
    /// At these times.
    pub(crate) fn at(span: Span, times: impl IntoIterator<Item = i64>) -> Self {
        let mut cells = Self::default();
        for time in times {
            cells.mark(span.column(time), span.column(time));
        }
        cells
    }

    /// From one time to another, several times.
    pub(crate) fn between(span: Span, times: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut cells = Self::default();
        for (first, last) in times {
            cells.mark(span.column(first), span.column(last));
        }
        cells
    }

    /// From one column to another, both among them.
    pub(crate) fn mark(&mut self, first: usize, last: usize) {
        let cells = self.0.get_mut(first..=last.min(PLOT_COLUMNS - 1));
        cells.into_iter().flatten().for_each(|cell| *cell = true);
    }

    /// Columns of which it is so, one behind the other: first and last.
    pub(crate) fn runs(&self) -> Vec<(usize, usize)> {
        runs(self.0.iter().copied())
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }
}
