//! Where each value comes from: built-in < file < conf.d < fleet < group < gateway < override < environment < arguments.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::load::{did_you_mean, is_at_root};
use super::{Config, ConfigError, Fault, Source};
use crate::fleet::merge::{leaves, merge};
use crate::fleet::slots::Stack;

/// Begin of the environment variables that set a key: `TIDEGATE__STORE__COMMIT_INTERVAL=20ms` sets `store.commit_interval`.
const ENVIRONMENT_PREFIX: &str = "TIDEGATE__";
/// Files of `conf.d` that are read: more than a person can look through.
const CONF_D_FILES_MAX: usize = 64;

/// One layer on this box.
#[derive(Clone, Debug)]
struct Layer {
    origin: String,
    value: Value,
    source: Option<Source>,
}

/// The layers on this box. Those from remote come between the files and the environment.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    files: Vec<Layer>,
    process: Vec<Layer>,
}

/// A value, and the layer that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The key, with dots.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// `built-in`, the file, `fleet`, `group/NAME`, `gateway/NAME`, `override`, the variable, or `--set`.
    pub from: String,
}

impl Layers {
    /// Reads the file, the `*.toml` of the folder `conf.d` beside it in the order of their names, the environment, and
    /// arguments such as `store.commit_interval=20ms`.
    ///
    /// # Errors
    /// [`ConfigError`] for what cannot be read or parsed.
    pub fn read(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &[String],
    ) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        for file in core::iter::once(path.to_owned()).chain(conf_d(path)) {
            let source = Source::read(&file)?;
            layers.files.push(Layer {
                origin: file.display().to_string(),
                value: source.parse()?,
                source: Some(source),
            });
        }
        let mut variables: Vec<(String, String)> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX))
            .collect();
        variables.sort();
        for (name, text) in variables {
            let key = name[ENVIRONMENT_PREFIX.len()..]
                .to_lowercase()
                .replace("__", ".");
            layers.process.push(setting(name, &key, &text));
        }
        for argument in arguments {
            let (key, text) = argument.split_once('=').ok_or_else(|| ConfigError {
                report: format!(
                    "error: `--set {argument}` sets nothing\n  = help: write it as --set KEY=VALUE"
                ),
            })?;
            layers
                .process
                .push(setting(format!("--set {key}"), key, text));
        }
        Ok(layers)
    }

    /// The config under these layers from remote.
    ///
    /// # Errors
    /// [`ConfigError`] with all that is wrong, each at the layer that it stands in.
    pub fn config(&self, stack: &Stack) -> Result<Config, ConfigError> {
        if let [only] = &self.files[..]
            && let Some(source) = &only.source
            && self.process.is_empty()
            && stack.0.is_empty()
        {
            return Config::from_source(source);
        }
        self.check(stack).map_err(|faults| {
            let reports: Vec<String> = faults
                .iter()
                .map(|fault| self.report(stack, fault))
                .collect();
            ConfigError {
                report: reports.join("\n"),
            }
        })
    }

    /// The config under these layers from remote.
    ///
    /// # Errors
    /// All that is wrong, as data.
    pub fn check(&self, stack: &Stack) -> Result<Config, Vec<Fault>> {
        let config = self.form(stack)?;
        let mut faults = config.faults();
        faults.extend(config.plan().err().into_iter().flatten());
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }

    /// The config in its form only: known keys, right types.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn form(&self, stack: &Stack) -> Result<Config, Vec<Fault>> {
        serde_path_to_error::deserialize(self.merged(stack)).map_err(|error| {
            let key = error.path().to_string();
            let message = error.into_inner().to_string();
            vec![Fault {
                key: if is_at_root(&key) { String::new() } else { key },
                help: did_you_mean(&message),
                message,
                span: None,
            }]
        })
    }

    /// All values with the layers that they come from.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn origins(&self, stack: &Stack) -> Result<Vec<Origin>, ConfigError> {
        let config = self.config(stack)?;
        let all = serde_json::to_value(&config).map_err(|error| ConfigError {
            report: format!("error: the config cannot be shown: {error}"),
        })?;
        let origin = |(pointer, value): (String, &Value)| Origin {
            from: self.origin(stack, &pointer),
            key: pointer[1..].replace('/', "."),
            value: value.clone(),
        };
        let is_set = |(_, value): &(String, &Value)| !value.is_null();
        Ok(leaves(&all)
            .into_iter()
            .filter(is_set)
            .map(origin)
            .collect())
    }

    fn merged(&self, stack: &Stack) -> Value {
        let mut merged = Value::Object(Map::new());
        for layer in &self.files {
            merge(&mut merged, &layer.value);
        }
        merged = stack.over(&merged);
        for layer in &self.process {
            merge(&mut merged, &layer.value);
        }
        merged
    }

    fn origin(&self, stack: &Stack, pointer: &str) -> String {
        let remote = stack.0.iter().map(|layer| (&layer.name, &layer.patch));
        let own = |layers: &'_ [Layer]| -> Vec<(String, Value)> {
            let pair = |layer: &Layer| (layer.origin.clone(), layer.value.clone());
            layers.iter().map(pair).collect()
        };
        let mut all = own(&self.files);
        all.extend(remote.map(|(name, patch)| (name.clone(), patch.clone())));
        all.extend(own(&self.process));
        let sets = |value: &Value| value.pointer(pointer).is_some_and(|it| !it.is_null());
        let last = all.into_iter().rev().find(|(_, value)| sets(value));
        last.map_or_else(|| "built-in".to_owned(), |(origin, _)| origin)
    }

    /// The fault at the line that it stands on, or with the layer that it comes from.
    fn report(&self, stack: &Stack, fault: &Fault) -> String {
        let pointer = format!("/{}", fault.key.replace(['.', '['], "/").replace(']', ""));
        let origin = self.origin(stack, &pointer);
        let layer = self.files.iter().find(|layer| layer.origin == origin);
        let source = layer
            .or(self.files.first())
            .and_then(|it| it.source.as_ref());
        match source {
            Some(source) if layer.is_some() || origin == "built-in" => {
                source.report(core::slice::from_ref(fault)).report
            }
            _ => {
                let help = fault.help.as_deref().unwrap_or("see gateway.toml");
                let Fault { key, message, .. } = fault;
                format!("error: {message} (in `{key}`, from {origin})\n  = help: {help}")
            }
        }
    }
}

fn conf_d(path: &Path) -> Vec<PathBuf> {
    let folder = path.with_file_name("conf.d");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .collect();
    files.sort();
    files.truncate(CONF_D_FILES_MAX);
    files
}

/// A key with its value: TOML if it is, text otherwise.
fn setting(origin: String, key: &str, text: &str) -> Layer {
    let parsed = toml::from_str::<Value>(&format!("value = {text}")).ok();
    let plain = || Value::String(text.to_owned());
    let value = parsed
        .and_then(|mut it| it.get_mut("value").map(Value::take))
        .unwrap_or_else(plain);
    let nest = |value, step: &str| Value::Object(Map::from_iter([(step.to_owned(), value)]));
    Layer {
        origin,
        value: key.rsplit('.').fold(value, nest),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::slots;

    const SITE: &str = "[gateway]\nid = \"edge-1\"\n[broker]\nallow_anonymous = true\n[store]\ndir = \"data\"\n[defaults]\naverage = \"60s\"\n";

    fn layers(
        conf_d: &str,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Layers, ConfigError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, SITE).expect("written");
        std::fs::create_dir(folder.path().join("conf.d")).expect("made");
        std::fs::write(folder.path().join("conf.d/10-own.toml"), conf_d).expect("written");
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        Layers::read(&path, variables.iter().map(owned), &arguments)
    }

    fn stack(patch: Value) -> Stack {
        Stack(vec![slots::Layer {
            name: "fleet".to_owned(),
            patch,
        }])
    }

    #[track_caller]
    fn check(layers: &Layers, stack: &Stack, key: &str, value: &Value, from: &str) {
        let origins = layers.origins(stack).expect("valid");
        let found = origins.iter().find(|it| it.key == key).expect("there");
        assert_eq!(found.value, *value);
        assert!(found.from.ends_with(from), "{key} is from {}", found.from);
    }

    #[test]
    fn each_layer_wins_over_those_below_it() {
        let fleet =
            stack(json!({"defaults": {"average": "20s"}, "store": {"commit_interval": "30ms"}}));
        let none = Stack::default();
        let key = "defaults.average";
        let plain = layers("", &[], &[]).expect("read");
        check(&plain, &none, key, &json!("1m"), "gateway.toml");
        check(
            &plain,
            &none,
            "store.commit_interval",
            &json!("10ms"),
            "built-in",
        );
        let own = layers("[defaults]\naverage = \"30s\"\n", &[], &[]).expect("read");
        check(&own, &none, key, &json!("30s"), "10-own.toml");
        check(&own, &fleet, key, &json!("20s"), "fleet");
        let variables = [
            ("TIDEGATE__DEFAULTS__AVERAGE", "15s"),
            ("TIDEGATE_BIN_DIR", "x"),
        ];
        let process = layers("", &variables, &[]).expect("read");
        check(
            &process,
            &fleet,
            key,
            &json!("15s"),
            "TIDEGATE__DEFAULTS__AVERAGE",
        );
        let argument = layers("", &variables, &["defaults.average=10s"]).expect("read");
        check(
            &argument,
            &fleet,
            key,
            &json!("10s"),
            "--set defaults.average",
        );
        check(
            &argument,
            &fleet,
            "store.commit_interval",
            &json!("30ms"),
            "fleet",
        );
    }

    #[test]
    fn a_fault_is_told_at_the_layer_that_it_stands_in() {
        let report =
            |layers: &Layers, stack: &Stack| layers.config(stack).expect_err("refused").report;
        let own = layers("[defaults]\naverage = \"1ms\"\n", &[], &[]).expect("read");
        let text = report(&own, &Stack::default());
        assert!(text.contains("10-own.toml:2:11"), "{text}");
        let fleet = stack(json!({"defaults": {"avrage": "20s"}}));
        let text = report(&layers("", &[], &[]).expect("read"), &fleet);
        assert!(text.contains("did you mean `average`"), "{text}");
        let argument = layers("", &[], &["store.commit_interval=1h"]).expect("read");
        let text = report(&argument, &Stack::default());
        assert!(text.contains("from --set store.commit_interval"), "{text}");
        assert!(layers("", &[], &["nothing"]).is_err());
    }
}
