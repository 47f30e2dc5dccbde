//! Reads a config file, and says what is wrong with it as a compiler would: file, line, key, remedy.

use core::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// Largest config file, bytes: a site with 256 sensor rules needs a tenth of it.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// One thing that is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `sensor[2].range`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where, bytes; found by the key if absent.
    pub span: Option<Range<usize>>,
}

impl Fault {
    /// A fault of the value at `key`.
    pub fn at(key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
            help: Some(help.into()),
            span: None,
        }
    }
}

/// A config that cannot be used: all that is wrong with it, as text for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{report}")]
pub struct ConfigError {
    /// The rendered report.
    pub report: String,
}

/// A config file's text and where it came from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, as it is named in reports.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be read, is too large, or is no UTF-8.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let fail = |message: String, help: &str| ConfigError {
            report: format!(
                "error: {message}\n --> {}\n  = help: {help}",
                path.display()
            ),
        };
        let len = std::fs::metadata(path).map(|meta| meta.len());
        if len.is_ok_and(|len| len > CONFIG_BYTES_MAX) {
            return Err(fail(
                format!("larger than {CONFIG_BYTES_MAX} bytes"),
                "is this the right file?",
            ));
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            fail(
                format!("cannot read the config: {error}"),
                "name the file with --config FILE",
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Parses the text as `T`.
    ///
    /// # Errors
    /// [`ConfigError`] that points at the key.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let syntax = |error: toml::de::Error| {
            let fault = Fault {
                key: String::new(),
                message: error.message().to_owned(),
                help: None,
                span: error.span(),
            };
            self.report(&[fault])
        };
        let deserializer = toml::Deserializer::parse(&self.text).map_err(syntax)?;
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let key = error.path().to_string();
            let inner = error.into_inner();
            let fault = Fault {
                key: if is_at_root(&key) { String::new() } else { key },
                help: did_you_mean(inner.message()),
                message: inner.message().to_owned(),
                span: inner.span(),
            };
            self.report(&[fault])
        })
    }

    /// Renders faults with the lines that they stand on.
    #[must_use]
    pub fn report(&self, faults: &[Fault]) -> ConfigError {
        let path = self.path.display().to_string();
        let table = DeTable::parse(&self.text).ok();
        let reports: Vec<String> = faults
            .iter()
            .map(|fault| {
                let span = fault
                    .span
                    .clone()
                    .or_else(|| locate(table.as_ref()?.get_ref(), &fault.key))
                    .unwrap_or(0..0);
                self.render(&path, fault, span)
            })
            .collect();
        ConfigError {
            report: reports.join("\n"),
        }
    }

    fn render(&self, path: &str, fault: &Fault, span: Range<usize>) -> String {
        let title = match fault.key.as_str() {
            "" => fault.message.clone(),
            key => format!("{} (in `{key}`)", fault.message),
        };
        let span = span.start.min(self.text.len())..span.end.min(self.text.len());
        let snippet = Snippet::source(&self.text)
            .path(path)
            .annotation(AnnotationKind::Primary.span(span).label("here"));
        let mut group = Group::with_title(Level::ERROR.primary_title(&title)).element(snippet);
        if let Some(help) = &fault.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        Renderer::plain().render(&[group])
    }
}

/// Whether a path of `serde_path_to_error` means the whole.
pub(super) fn is_at_root(key: &str) -> bool {
    key == "."
}

/// serde lists the keys that it knows; the nearest to the unknown one is probably meant.
pub(super) fn did_you_mean(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    if !message.starts_with("unknown") {
        return None;
    }
    let near = quoted
        .map(|known| (strsim::damerau_levenshtein(wrong, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2))?;
    Some(format!("did you mean `{}`?", near.1))
}

/// Finds the value that a key such as `sensor[2].alerts[0].name` stands for, or the nearest table around it.
fn locate(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut value: Option<&DeValue<'_>> = None;
    for step in key.split(['.', '[']).map(|step| step.trim_end_matches(']')) {
        let next = match (value, step.parse::<usize>()) {
            (Some(value), Ok(index)) => value.as_array().and_then(|array| array.get(index)),
            (Some(value), Err(_)) => value.as_table().and_then(|table| table.get(step)),
            (None, _) => table.get(step),
        };
        let Some(next) = next else { break };
        found = Some(next.span());
        value = Some(next.get_ref());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Example {
        listen: String,
        #[serde(default)]
        port: Vec<Port>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Port {
        number: u16,
    }

    fn check(text: &str, expected: &[&str]) {
        let source = Source {
            path: "site.toml".into(),
            text: text.to_owned(),
        };
        let report = source.parse::<Example>().expect_err("refused").report;
        for part in expected {
            assert!(report.contains(part), "{report}\nshould say {part:?}");
        }
    }

    #[test]
    fn a_misspelt_key_is_shown_with_what_was_meant() {
        check(
            "listne = \"x\"\n",
            &[
                "unknown field `listne`",
                "site.toml:1:1",
                "did you mean `listen`?",
            ],
        );
    }

    #[test]
    fn a_wrong_type_points_at_its_line_and_key() {
        let text = "listen = \"x\"\n[[port]]\nnumber = 1\n[[port]]\nnumber = \"two\"\n";
        check(text, &["expected u16", "site.toml:5:10", "port[1].number"]);
    }

    #[test]
    fn broken_syntax_points_at_its_place() {
        check("listen = \n", &["site.toml:1:"]);
    }

    #[test]
    fn a_semantic_fault_is_found_by_its_key() {
        let text = "listen = \"x\"\n[[port]]\nnumber = 0\n".to_owned();
        let source = Source {
            path: "site.toml".into(),
            text,
        };
        let fault = Fault::at("port[0].number", "port 0 means any port", "choose one");
        let report = source.report(&[fault]).report;
        assert!(
            report.contains("site.toml:3:10") && report.contains("choose one"),
            "{report}"
        );
    }

    #[test]
    fn a_missing_file_says_so() {
        let error = Source::read(Path::new("/nonexistent/gateway.toml")).expect_err("refused");
        assert!(
            error.report.contains("/nonexistent/gateway.toml") && error.report.contains("--config")
        );
    }
}
