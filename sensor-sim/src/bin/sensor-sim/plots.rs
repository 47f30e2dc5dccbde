//! `sensor-sim plots`: a drawing of every kind of device and of fault, and a page that shows them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sensor_sim::plot;
use serde_json::json;

use crate::cli::Plots;

/// The folder of the drawings, beside the index.
const FOLDER: &str = "plots";

/// Draws, and gives the exit code.
pub(crate) fn plots(options: &Plots) -> Result<u8> {
    let (profiles, faults) = (plot::profiles(), plot::faults());
    let folder = options.out.join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut written = Vec::new();
    for drawing in profiles.iter().chain(&faults) {
        let path = folder.join(&drawing.file);
        write(&path, &drawing.svg)?;
        written.push(json!({ "file": path, "title": drawing.title, "bytes": drawing.svg.len() }));
    }
    let index = options.out.join("README.md");
    write(&index, &plot::index(&profiles, &faults, FOLDER))?;
    if options.json {
        crate::say(format_args!(
            "{:#}",
            json!({ "index": index, "drawings": written })
        ));
    } else {
        crate::say(format_args!(
            "{} drawings in {}, shown by {}",
            written.len(),
            folder.display(),
            index.display()
        ));
    }
    Ok(0)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
