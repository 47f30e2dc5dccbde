//! How far a command is: a bar or a spinner on a terminal, nothing elsewhere.

use core::fmt::Display;

use indicatif::{ProgressBar, ProgressStyle};

/// A run that is at least this long never ends by its time, ms: a week.
const ENDLESS_MS: u64 = 7 * 86_400_000;

/// A line that shows how far it is. Where nobody looks, it costs nothing.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar over so many ms; a spinner if they are too many to wait for.
    pub(crate) fn over(span_ms: u64) -> Self {
        if span_ms >= ENDLESS_MS {
            return Self::open();
        }
        let bar = ProgressBar::new(span_ms.max(1));
        Self::styled(bar, "{percent:>4} % {bar:28.cyan/dim} {msg}")
    }

    /// A spinner: nobody knows when it ends.
    pub(crate) fn open() -> Self {
        Self::styled(
            ProgressBar::new_spinner(),
            "{spinner:.cyan} {elapsed_precise} {msg}",
        )
    }

    /// Nothing at all, for who listens behind something else.
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    fn styled(bar: ProgressBar, template: &str) -> Self {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        Self(bar)
    }

    /// Shows how many ms have passed, and what there is to say.
    pub(crate) fn show(&self, passed_ms: u64, words: impl Display) {
        if !self.0.is_hidden() {
            self.0.set_position(passed_ms);
            self.0.set_message(words.to_string());
        }
    }

    /// Takes the line away: what is printed next says it all.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
