//! Whether files have changed since they were last looked at.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Files that are watched, and how they looked.
#[derive(Debug)]
pub(super) struct Watched {
    files: Vec<(PathBuf, Looks)>,
}

/// Which file stands at a path, its size and its time; `None`: there is none.
type Looks = Option<(u64, u64, i64, i64)>;

impl Watched {
    /// Remembers how the files look now.
    #[must_use]
    pub(super) fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let files = files
            .into_iter()
            .map(|path| {
                let looks = looks(&path);
                (path, looks)
            })
            .collect();
        Self { files }
    }

    /// Whether one of them looks different than the last time.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, before) in &mut self.files {
            let now = looks(path);
            changed |= now != *before;
            *before = now;
        }
        changed
    }
}

fn looks(path: &std::path::Path) -> Looks {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_removed_has_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let beside = folder.path().join("beside");
        let mut watched = Watched::new([path.clone()]);
        assert!(!watched.changed(), "still not there");
        std::fs::write(&path, "one").expect("written");
        assert!(watched.changed() && !watched.changed());
        std::fs::write(&beside, "two").expect("written");
        std::fs::rename(&beside, &path).expect("replaced");
        assert!(watched.changed() && !watched.changed());
        std::fs::remove_file(&path).expect("removed");
        assert!(watched.changed() && !watched.changed());
    }
}
