//! The program `sensor-sim`: simulated sensors that publish, recordings that are replayed, ledgers that are verified.

mod clock;
mod progress;
mod cli;
mod client;
mod feed;
mod player;
mod run;
mod edge;
mod outlet;
mod publisher;
mod book;
mod figures;
mod fleet;
mod dry;
mod publish;
mod replay;
mod kafka;
mod listener;
mod subscriber;
mod verify;
mod score;
mod plots;
mod scenario;
mod harass;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sensor_sim::profile::Profile;
use sensor_sim::truth::Kind;

use cli::{Cli, Command};

/// Something could not be done; 1 is for a verification that found something.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Publish(options) => publish::publish(&options),
        Command::Replay(options) => replay::replay(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Score(options) => score::score(&options),
        Command::Scenario(options) => scenario::scenario(&options),
        Command::Plots(options) => plots::plots(&options),
        Command::Harass(options) => harass::harass(&options),
        Command::Profiles => list().map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("sensor-sim: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Prints a line. Who reads only the first ones of them, such as `head`, has not made an error.
fn say(text: impl core::fmt::Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        let code = if error.kind() == std::io::ErrorKind::BrokenPipe {
            0
        } else {
            FAILED
        };
        std::process::exit(code.into());
    }
}

fn list() -> anyhow::Result<()> {
    for name in Profile::shipped_names() {
        let profile = Profile::shipped(name)?;
        let signals: Vec<_> = profile
            .signal
            .iter()
            .map(|it| format!("{} [{}]", it.name, it.unit))
            .collect();
        say(format_args!(
            "{name:<16}{}\n{:16}{} every {} s",
            profile.about,
            "",
            signals.join(", "),
            profile.period_ms / 1000.0
        ));
    }
    say(format_args!(
        "\nfaults: {}",
        Kind::ALL.map(|kind| kind.to_string()).join(", ")
    ));
    Ok(())
}
