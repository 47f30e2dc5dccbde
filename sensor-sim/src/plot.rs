//! Drawings of every kind of device and of fault, the same bytes on every machine.

mod axis;
mod faults;
mod page;
mod profiles;

pub use self::axis::values;

/// 2026-01-05, a Monday.
const START: i64 = 1_767_571_200_000;
/// The seed of all drawings.
const SEED: u64 = 1;

/// One drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Name of its file, without a folder.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// What there is to say about it.
    pub about: String,
    /// The SVG.
    pub svg: String,
}

/// Every kind of device, each signal over the span that shows its cycle.
#[must_use]
pub fn profiles() -> Vec<Drawing> {
    profiles::draw()
}

/// Every kind of fault: what was sent, what would have been sent, and the labelled span.
#[must_use]
pub fn faults() -> Vec<Drawing> {
    faults::draw()
}

/// The page that shows all drawings, in Markdown; they lie in `folder` beside it.
#[must_use]
pub fn index(profiles: &[Drawing], faults: &[Drawing], folder: &str) -> String {
    let mut page = String::from(
        "# What the simulated sensors send\n\n\
         Drawn by `sensor-sim plots --out sensor-sim/docs`; a test holds each drawing against the program.\n\
         The physics of a device stand in its file in [`profiles/`](../profiles/); \
         the order of the steps is source, wander, lag, scale, noise, resolution, range.\n\n\
         ## Devices\n\n\
         Each signal over the span that shows its cycle; without faults.\n",
    );
    let list = |page: &mut String, drawings: &[Drawing]| {
        for Drawing {
            file, title, about, ..
        } in drawings
        {
            page.push_str(&format!(
                "\n### {title}\n\n{about}\n\n![{title}]({folder}/{file})\n"
            ));
        }
    };
    list(&mut page, profiles);
    page.push_str(
        "\n## Faults\n\n\
         What was sent, beside what the same device would have sent without the fault; the span of the label is shaded.\n",
    );
    list(&mut page, faults);
    page
}
