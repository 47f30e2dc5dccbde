//! How long files and functions may be. Those that are longer already stand in a list that may only shrink.

use super::rust::{functions, lines_without_tests};
use super::{Finding, Source};

/// Lines of a file without its tests.
pub const FILE_LINES_MAX: usize = 400;
/// Lines of a function's body which are neither blank nor comment.
pub const FUNCTION_LINES_MAX: usize = 60;

/// A file or function that is longer than the rule, and how long it may be at most.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// `path` of a file, or `path name` of a function.
    pub place: &'static str,
    /// Its length when it came into the list, or less.
    pub lines: usize,
}

/// Files over [`FILE_LINES_MAX`], but for the exceptions; and exceptions that are not needed any more.
#[must_use]
pub fn long_files(files: &[Source], exceptions: &[Exception]) -> Vec<Finding> {
    let measured = files
        .iter()
        .filter(|file| file.is_rust() && !file.is_test())
        .map(|file| Measured {
            file,
            line: 1,
            place: file.path.clone(),
            lines: lines_without_tests(file).len(),
        });
    judge(measured.collect(), FILE_LINES_MAX, exceptions)
}

/// Functions over [`FUNCTION_LINES_MAX`], tests left out, but for the exceptions; and exceptions that are not needed any more.
#[must_use]
pub fn long_functions(files: &[Source], exceptions: &[Exception]) -> Vec<Finding> {
    let measured = files
        .iter()
        .filter(|file| file.is_rust() && !file.is_test())
        .flat_map(|file| {
            functions(file).into_iter().map(move |function| Measured {
                file,
                line: function.line,
                place: format!("{} {}", file.path, function.name),
                lines: function.body_lines,
            })
        });
    judge(measured.collect(), FUNCTION_LINES_MAX, exceptions)
}

struct Measured<'a> {
    file: &'a Source,
    line: usize,
    place: String,
    lines: usize,
}

fn judge(measured: Vec<Measured<'_>>, lines_max: usize, exceptions: &[Exception]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for it in &measured {
        let exception = exceptions
            .iter()
            .find(|exception| exception.place == it.place);
        let allowed = exception.map_or(lines_max, |exception| exception.lines);
        if it.lines > allowed {
            findings.push(Finding::new(
                it.file,
                it.line,
                format!(
                    "{} lines, {allowed} are allowed: find the seam to cut at",
                    it.lines
                ),
            ));
        }
    }
    for exception in exceptions {
        if !measured
            .iter()
            .any(|it| it.place == exception.place && it.lines > lines_max)
        {
            let text = format!(
                "`{}` is no longer over {lines_max} lines: take it out of the list of exceptions",
                exception.place
            );
            findings.push(Finding {
                path: exception.place.to_owned(),
                line: 1,
                text,
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{places, sample};
    use super::*;

    fn file_of(lines: usize) -> Source {
        sample("gateway/src/a.rs", &vec!["const A: u8 = 0;"; lines])
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(
            places(&long_files(&[file_of(FILE_LINES_MAX)], &[])),
            [""; 0]
        );
        assert_eq!(
            places(&long_files(&[file_of(FILE_LINES_MAX + 1)], &[])),
            ["gateway/src/a.rs:1"]
        );
    }

    #[test]
    fn an_exception_may_shrink_and_must_go() {
        let known = [Exception {
            place: "gateway/src/a.rs",
            lines: 450,
        }];
        assert_eq!(long_files(&[file_of(450)], &known).len(), 0);
        assert_eq!(long_files(&[file_of(420)], &known).len(), 0);
        assert_eq!(long_files(&[file_of(451)], &known).len(), 1);
        assert_eq!(long_files(&[file_of(400)], &known).len(), 1);
        assert_eq!(long_files(&[], &known).len(), 1);
    }

    #[test]
    fn a_long_function_is_found() {
        let body = "    a();\n".repeat(FUNCTION_LINES_MAX + 1);
        let file = Source::new(
            "gateway/src/a.rs",
            format!("fn short() {{\n    a();\n}}\n\nfn long() {{\n{body}}}\n"),
        );
        assert_eq!(
            places(&long_functions(core::slice::from_ref(&file), &[])),
            ["gateway/src/a.rs:5"]
        );
        let known = [Exception {
            place: "gateway/src/a.rs long",
            lines: FUNCTION_LINES_MAX + 1,
        }];
        assert_eq!(long_functions(&[file], &known).len(), 0);
    }
}
