//! `sensor-sim scenario`: phases one after the other, then what is expected held against what was measured.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use sensor_sim::scenario::{Act, Argument, Phase, Scenario};
use serde_json::{Value, json};

use crate::cli::{Cli, Scenario as Options};

mod alerts;
mod child;
mod measured;

use alerts::Watchman;
use child::{Child, Job};
use measured::Measured;

/// How long a subscriber may take to get in.
const SUBSCRIBE_TIME: Duration = Duration::from_secs(15);
/// Exit codes of a verification: all is clean, or something was found.
const FOUND: [i32; 2] = [0, 1];

/// Plays the scenario, and gives the exit code.
pub(crate) fn scenario(options: &Options) -> Result<u8> {
    let file = options.file.display().to_string();
    let text = fs::read_to_string(&options.file).with_context(|| format!("cannot read {file}"))?;
    let scenario = Scenario::parse(&file, &text)?;
    let folder = folder(options);
    let play = Play::new(options, &scenario, folder)?;
    if options.check {
        let (phases, expectations) = (scenario.phases.len(), scenario.expectations.len());
        crate::say(format_args!(
            "{file}: {phases} phases, {expectations} expectations"
        ));
        return Ok(0);
    }
    ensure!(
        options.commands || !scenario.has_hooks(),
        "{file} runs commands of the shell: read it, then say --commands"
    );
    fs::create_dir_all(&play.folder)
        .with_context(|| format!("cannot make {}", play.folder.display()))?;
    ensure!(
        fs::read_dir(&play.folder)?.next().is_none(),
        "{} is not empty; a scenario needs a folder of its own",
        play.folder.display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let measured = runtime.block_on(play.run())?;
    let is_met = report(options, &scenario, &measured);
    if options.keep.is_none() && is_met {
        // What is left in a folder for temporary files does no harm.
        let _ = fs::remove_dir_all(&play.folder);
    } else {
        eprintln!(
            "ledgers, labels and alerts are in {}",
            play.folder.display()
        );
    }
    Ok(u8::from(!is_met))
}

fn folder(options: &Options) -> PathBuf {
    let own = || std::env::temp_dir().join(format!("sensor-sim-scenario-{}", std::process::id()));
    options.keep.clone().unwrap_or_else(own)
}

/// A scenario that is played.
struct Play<'a> {
    options: &'a Options,
    scenario: &'a Scenario,
    folder: PathBuf,
    /// The command line of each phase; empty for a pause.
    commands: Vec<Vec<String>>,
}

impl<'a> Play<'a> {
    fn new(options: &'a Options, scenario: &'a Scenario, folder: PathBuf) -> Result<Self> {
        ensure!(
            options.kafka.is_some()
                || !scenario
                    .expectations
                    .iter()
                    .any(|it| it.argument.as_deref() == Some("kafka")),
            "it expects something of Kafka: say --kafka HOST:PORT"
        );
        let mut play = Self {
            options,
            scenario,
            folder,
            commands: Vec::new(),
        };
        let mut first = 0;
        for phase in &scenario.phases {
            let command = play.command(phase, first);
            if !command.is_empty() {
                let whole =
                    core::iter::once("sensor-sim").chain(command.iter().map(String::as_str));
                Cli::try_parse_from(whole)
                    .with_context(|| format!("phase {:?} is no command", phase.name))?;
            }
            first += phase.devices.unwrap_or(1);
            play.commands.push(command);
        }
        Ok(play)
    }

    fn file(&self, phase: &Phase, ending: &str) -> String {
        let name = format!("{}.{ending}", phase.name);
        self.folder.join(name).display().to_string()
    }

    /// What a person would type. Each phase has its own devices, whose numbers begin at `first`.
    fn command(&self, phase: &Phase, first: u32) -> Vec<String> {
        let mut words = Words(Vec::new());
        let verb = match &phase.act {
            Act::Pause => return Vec::new(),
            Act::Publish => "publish",
            Act::Command(verb) => verb,
        };
        words.word(verb).pair("--broker", &self.options.broker);
        if let Some(name) = &self.options.username {
            words.pair("--username", name);
        }
        if let Some(path) = &self.options.password_file {
            words.pair("--password-file", path.display());
        }
        if phase.has_ledger() {
            words.pair("--ledger", self.file(phase, "ledger"));
        }
        if phase.act == Act::Publish {
            words.pair("--labels", self.file(phase, "labels"));
            words
                .pair("--seed", self.scenario.seed)
                .pair("--first", first);
            words.devices(phase);
        }
        words.word("--json");
        let folder = self.folder.display().to_string();
        for option in &phase.options {
            words.word(&option.replace("{folder}", &folder));
        }
        words.0
    }

    async fn run(&self) -> Result<Measured> {
        let needs = |argument| {
            self.scenario
                .expectations
                .iter()
                .any(|it| it.metric.argument == argument)
        };
        let judges_alerts = self
            .scenario
            .expectations
            .iter()
            .any(|it| it.is_about_alerts());
        let needs_witness = needs(Argument::Witness);
        let subscriber = if needs_witness {
            Some(self.subscribe().await?)
        } else {
            None
        };
        let watchman =
            judges_alerts.then(|| Watchman::start(self.options, self.scenario, &self.over()));
        let mut measured = Measured::default();
        let mut beside = Vec::new();
        for (phase, command) in self.scenario.phases.iter().zip(&self.commands) {
            let child = self.begin(phase, command)?;
            if phase.beside {
                beside.push((phase, child));
            } else {
                self.end(phase, child, &mut measured).await?;
            }
        }
        for (phase, child) in beside {
            self.end(phase, child, &mut measured).await?;
        }
        eprintln!("waiting until it is quiet");
        fs::write(self.over(), "").context("cannot write into the folder")?;
        if let Some(subscriber) = subscriber {
            measured.accounts("mqtt", &subscriber.end(&FOUND).await?.json()?);
        }
        if let (true, Some(broker)) = (needs_witness, &self.options.kafka) {
            let child = Child::start(
                &Job::of(&self.verify("--kafka", broker)),
                &self.folder.join("kafka"),
            )?;
            measured.accounts("kafka", &child.end(&FOUND).await?.json()?);
        }
        if let Some(watchman) = watchman {
            measured.score = Some(watchman.score(self.scenario, &self.folder)?);
        }
        Ok(measured)
    }

    fn verify(&self, option: &str, address: &str) -> Vec<String> {
        let mut words = Words(Vec::new());
        words
            .word("verify")
            .pair(option, address)
            .word("--json")
            .word("--known-only");
        words.pair("--idle", millis(self.scenario.settle));
        if let Some(name) = &self.options.username {
            words.pair("--username", name);
        }
        if let Some(path) = &self.options.password_file {
            words.pair("--password-file", path.display());
        }
        if let Some(gateway) = &self.options.gateway {
            words.pair("--gateway", gateway);
        }
        words.word("--ledger");
        for phase in self
            .scenario
            .phases
            .iter()
            .filter(|phase| phase.has_ledger())
        {
            words.word(&self.file(phase, "ledger"));
        }
        words.0
    }

    /// The file that says that all phases are over.
    fn over(&self) -> PathBuf {
        self.folder.join("over")
    }

    async fn subscribe(&self) -> Result<Child> {
        let mut words = self.verify("--mqtt", &self.options.broker);
        words.extend(["--until".to_owned(), self.over().display().to_string()]);
        let job = Job::of(&words);
        let mut child = Child::start(&job.silent(), &self.folder.join("mqtt"))?;
        child.says("listening to", SUBSCRIBE_TIME).await?;
        Ok(child)
    }

    fn begin(&self, phase: &Phase, command: &[String]) -> Result<Child> {
        eprintln!(
            "phase {}{}",
            phase.name,
            if phase.beside {
                ", beside the next"
            } else {
                ""
            }
        );
        let place = self.folder.join(&phase.name);
        match (command.is_empty(), phase.duration) {
            (false, _) => Child::start(&Job::of(command), &place),
            (true, span) => Ok(Child::pause(span.unwrap_or_default().0)),
        }
    }

    /// Runs the hooks of a phase in their time, and waits for its end.
    async fn end(&self, phase: &Phase, child: Child, measured: &mut Measured) -> Result<()> {
        let hooks = async {
            let mut passed = Duration::ZERO;
            for (count, hook) in phase.hook.iter().enumerate() {
                tokio::time::sleep(hook.after.0.saturating_sub(passed)).await;
                passed = passed.max(hook.after.0);
                let place = self.folder.join(format!("{}.hook-{count}", phase.name));
                let hook = Child::start(&Job::shell(&hook.run), &place)?;
                hook.end(&[0]).await?;
            }
            Ok::<(), anyhow::Error>(())
        };
        let is_command = matches!(phase.act, Act::Command(_));
        let (hooks, output) = tokio::join!(hooks, child.end(&[0]));
        hooks.with_context(|| format!("a hook of phase {}", phase.name))?;
        let output = output.with_context(|| format!("phase {}", phase.name))?;
        if phase.has_ledger() {
            measured.phases.push((phase.name.clone(), output.json()?));
        } else if is_command {
            measured
                .others
                .push((phase.name.clone(), output.json().unwrap_or(Value::Null)));
        }
        Ok(())
    }
}

/// Words of a command line.
struct Words(Vec<String>);

impl Words {
    fn word(&mut self, word: &str) -> &mut Self {
        self.0.push(word.to_owned());
        self
    }

    fn pair(&mut self, option: &str, value: impl core::fmt::Display) -> &mut Self {
        self.word(option).word(&value.to_string())
    }

    fn devices(&mut self, phase: &Phase) {
        const DAY: Duration = Duration::from_secs(86_400);
        self.pair("--devices", phase.devices.unwrap_or(1));
        // A phase without a duration ends with its messages.
        self.pair("--duration", millis(phase.duration.map_or(DAY, |it| it.0)));
        for (option, list) in [("--profile", &phase.profile), ("--faults", &phase.faults)] {
            if !list.is_empty() {
                self.pair(option, list.join(","));
            }
        }
        if let Some(count) = phase.messages {
            self.pair("--count", count);
        }
        if let Some(rate) = phase.rate {
            self.pair("--rate", rate);
        }
        if let Some(every) = phase.fault_every {
            self.pair("--fault-every", millis(every.0));
        }
        if let Some(lasts) = &phase.fault_lasts {
            self.pair("--fault-lasts", lasts);
        }
        if phase.flat_out {
            self.word("--flat-out");
        }
    }
}

fn millis(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}

/// Prints what came of it; whether all is as expected.
fn report(options: &Options, scenario: &Scenario, measured: &Measured) -> bool {
    let values: Vec<_> = scenario
        .expectations
        .iter()
        .map(|it| (it, measured.value(it.metric, it.argument.as_deref())))
        .collect();
    let is_met = values.iter().all(|(it, value)| it.is_met(*value));
    if options.json {
        let expectations: Vec<_> = values
            .iter()
            .map(|(it, value)| json!({ "expected": it.to_string(), "value": value, "met": it.is_met(*value) }))
            .collect();
        let all = json!({
            "met": is_met,
            "expectations": expectations,
            "phases": measured.phases.iter().cloned().collect::<serde_json::Map<_, _>>(),
            "others": measured.others.iter().cloned().collect::<serde_json::Map<_, _>>(),
            "witnesses": measured.witnesses,
            "score": measured.score,
        });
        crate::say(format_args!("{all:#}"));
        return is_met;
    }
    crate::say(format_args!("\n{}\n", scenario.about));
    crate::say(measured);
    crate::say(format_args!(
        "{:<8}{:<36}{:>14}",
        "", "expected", "measured"
    ));
    for (it, value) in &values {
        let mark = if it.is_met(*value) { "ok" } else { "FAILED" };
        crate::say(format_args!("{mark:<8}{it:<36}{:>14}", it.told(*value)));
    }
    let failed = values
        .iter()
        .filter(|(it, value)| !it.is_met(*value))
        .count();
    crate::say(if is_met {
        "\nall is as expected".to_owned()
    } else {
        format!("\n{failed} of {} are not as expected", values.len())
    });
    is_met
}

/// The labels of a phase's faults lie here.
fn labels_in(folder: &Path, phase: &Phase) -> PathBuf {
    folder.join(format!("{}.labels", phase.name))
}
