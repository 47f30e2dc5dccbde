//! The kept drawings are those which the program draws.

use std::fs;
use std::path::Path;

use sensor_sim::plot;

/// All drawings together, in bytes: they are looked at through a browser.
const BYTES_MAX: usize = 1_500_000;

#[test]
fn the_kept_drawings_are_drawn_again_to_the_byte() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let kept = |file: &str| fs::read_to_string(docs.join(file)).unwrap_or_default();
    let (profiles, faults) = (plot::profiles(), plot::faults());
    let mut bytes = 0;
    for drawing in profiles.iter().chain(&faults) {
        let is_same = kept(&format!("plots/{}", drawing.file)) == drawing.svg;
        assert!(
            is_same,
            "{} is another now: run `sensor-sim plots --out sensor-sim/docs` and look at it",
            drawing.file
        );
        bytes += drawing.svg.len();
    }
    assert_eq!(kept("README.md"), plot::index(&profiles, &faults, "plots"));
    assert!(bytes < BYTES_MAX, "{bytes}");
    let files = fs::read_dir(docs.join("plots")).unwrap().count();
    assert_eq!(
        files,
        profiles.len() + faults.len(),
        "a drawing is left over"
    );
}
