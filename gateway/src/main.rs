//! `tidegate`: arguments → config → parts → run → exit code.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use gateway::bench::accuracy::Outlets;
use gateway::bill::Bill;
use gateway::cli::{
    Arguments, Bench, Command, ConfigCommand, DeviceCommand, EXIT_CONFIG, Export, QueueCommand,
    StoreCommand,
};
use gateway::clock::Clock;
use gateway::config::{Config, ConfigError, Layers};
use gateway::fleet::slots::Stack;
use gateway::remote::Stored;
use gateway::run::Exit;
use gateway::{bench, controller, demo, passwd, queue, recover, start};
use tokio::sync::watch;
use tracing::level_filters::LevelFilter;
use wire::Timestamp;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Run {
            config,
            set,
            verbose,
        } => run(&config.config, &set, verbose),
        Command::Check { config, set } => check(&config.config, &set),
        Command::Config { command } => show_config(&command),
        Command::Fleet { command } => controller::run(&command).map_err(Into::into),
        Command::Demo {
            forever,
            seconds,
            port,
        } => demo::run((!forever).then_some(seconds), port),
        Command::Replay { config, diff } => match diff {
            None => replay(&config.config),
            Some(new) => compare(&config.config, &new),
        },
        Command::Bench { bench } => measure(&bench),
        Command::Export(what) => look_into_queue(&QueueCommand::Export(what)),
        Command::Queue { command } => look_into_queue(&command),
        Command::Store { command } => look_after_store(&command),
        Command::Device(command) => device(command),
        Command::Passwd {
            file,
            user,
            role,
            token,
        } => passwd::run(&file, &user, &role, token),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(path: &Path, set: &[String], verbose: u8) -> anyhow::Result<ExitCode> {
    log(verbose);
    let Some((layers, config)) = read_layers(path, set) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    eprintln!("{}", Bill::new(&config));
    let exit = start::run_in_fleet(&layers, &config, stop_on_signal()?, |addresses| {
        tracing::info!(?addresses, gateway = config.gateway.id, "listening");
    })
    .context("cannot start")?;
    match exit {
        Exit::Asked => Ok(ExitCode::SUCCESS),
        other => Err(other.into()),
    }
}

fn device(command: DeviceCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeviceCommand::Add { device, role, file } => passwd::add_device(&file.file, &device, &role),
        DeviceCommand::Rm { device, file } => passwd::remove_device(&file.file, &device),
        DeviceCommand::List(file) => passwd::list_devices(&file.file),
        DeviceCommand::Rotate { device, file } => passwd::rotate_device(&file.file, &device),
    }
}

fn check(path: &Path, set: &[String]) -> anyhow::Result<ExitCode> {
    let Some((_, config)) = read_layers(path, set) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    println!("{} is valid\n{}", path.display(), Bill::new(&config));
    Ok(ExitCode::SUCCESS)
}

fn replay(path: &Path) -> anyhow::Result<ExitCode> {
    log(0);
    let Some(config) = read(path) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    let (recovered, opened) = recover::open(&config.store.dir, config.store_settings())?;
    match recover::compare(&recovered, &opened, &config.sizes())? {
        None => {
            println!("fewer than two checkpoints: nothing to compare yet");
            Ok(ExitCode::SUCCESS)
        }
        Some(compared) => {
            let equal = compared.replayed == compared.saved;
            println!(
                "entries {} to {}: replayed {:016x}, saved {:016x}: {}",
                compared.from,
                compared.to,
                compared.replayed,
                compared.saved,
                if equal { "equal" } else { "DIFFERENT" }
            );
            Ok(if equal {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// The journal under the config of the gateway and under a new one.
fn compare(path: &Path, new: &Path) -> anyhow::Result<ExitCode> {
    let (Some(now), Some(then)) = (read(path), read(new)) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    let plans = [&now, &then].map(|config| config.plan().unwrap_or_default());
    let sizes = [now.sizes(), then.sizes()];
    let sides = [(&*plans[0], &sizes[0]), (&*plans[1], &sizes[1])];
    let findings = queue::compare(&now.store.dir, sides)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    queue::write_findings(&findings, &mut out)?;
    out.flush()?;
    Ok(if findings.is_same() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn measure(bench: &Bench) -> anyhow::Result<ExitCode> {
    match bench {
        Bench::Accuracy { data, out, plots } => {
            let outlets = Outlets {
                scores: out.as_deref(),
                plots: plots.as_deref(),
            };
            print!("{}", bench::accuracy::run(data, outlets)?);
        }
        Bench::Cleaning { data } => println!("{}", bench::cleaning::run(data)?),
        Bench::Device {
            config,
            dir,
            readings_per_second,
            card_tb,
        } => {
            let Some(config) = read(&config.config) else {
                return Ok(ExitCode::from(EXIT_CONFIG));
            };
            let site = bench::device::Site {
                readings_per_s: *readings_per_second,
                card_bytes: card_tb * 1e12,
            };
            let dir = dir.as_ref().unwrap_or(&config.store.dir);
            println!("{}", bench::device::run(&config, dir, site)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn look_into_queue(command: &QueueCommand) -> anyhow::Result<ExitCode> {
    let (QueueCommand::Ls(file)
    | QueueCommand::Verify(file)
    | QueueCommand::Export(Export { config: file, .. })
    | QueueCommand::Purge { config: file, .. }) = command;
    let Some(config) = read(&file.config) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    let dir = &config.store.dir;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match command {
        QueueCommand::Ls(_) => queue::list(dir, &mut out)?,
        QueueCommand::Verify(_) => {
            let items = queue::verify(dir)?;
            writeln!(out, "sound: {items} readings, summaries, alerts and gaps")?;
        }
        QueueCommand::Export(what) => {
            queue::export(dir, &what.selection(), what.format, &mut out)?;
        }
        QueueCommand::Purge { yes, .. } => return purge(&config, *yes),
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn purge(config: &Config, is_sure: bool) -> anyhow::Result<ExitCode> {
    let dir = &config.store.dir;
    let losses = if is_sure {
        let plan = config.plan().unwrap_or_default();
        let at = Timestamp(Clock::start().now().wall_ms);
        queue::purge(
            dir,
            &config.gateway.id,
            &plan,
            &config.sizes(),
            config.store_settings(),
            at,
        )?
    } else {
        queue::losses(dir)?
    };
    for loss in &losses {
        println!("{loss}");
    }
    match (losses.is_empty(), is_sure) {
        (true, _) => println!("no batch waits: nothing to purge"),
        (false, true) => println!("gone; a gap record for each lane waits in their place"),
        (false, false) => {
            eprintln!("this would be lost, and nothing is yet: add --yes");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn look_after_store(command: &StoreCommand) -> anyhow::Result<ExitCode> {
    let (StoreCommand::Check(file) | StoreCommand::Backup { config: file, .. }) = command;
    let Some(config) = read(&file.config) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    let dir = &config.store.dir;
    match command {
        StoreCommand::Check(_) => println!("{}", queue::check(dir)?),
        StoreCommand::Backup { to, .. } => {
            let bytes = queue::back_up(dir, to)?;
            println!("{bytes} bytes in {}, sound", to.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_config(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Show {
        config: file,
        set,
        origin,
    } = command;
    let Some((layers, config)) = read_layers(&file.config, set) else {
        return Ok(ExitCode::from(EXIT_CONFIG));
    };
    let stored = Stored::read(&config)?;
    let stack = stored.map_or_else(Stack::default, |stored| stored.stack(&config));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for it in layers.origins(&stack)? {
        match origin {
            true => writeln!(out, "{} = {}  # {}", it.key, it.value, it.from)?,
            false => writeln!(out, "{} = {}", it.key, it.value)?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The layers of this box and the config that they give, or its faults on standard error.
fn read_layers(path: &Path, set: &[String]) -> Option<(Layers, Config)> {
    let read = || {
        let layers = Layers::read(path, std::env::vars(), set)?;
        let config = layers.config(&Stack::default())?;
        Ok::<_, ConfigError>((layers, config))
    };
    read().map_err(|error| eprintln!("{error}")).ok()
}

/// The config, or its faults on standard error.
fn read(path: &Path) -> Option<Config> {
    Config::read(path)
        .map_err(|error| eprintln!("{error}"))
        .ok()
}

fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

/// SIGINT and SIGTERM, on a thread of their own, so that the loop needs no handler.
fn stop_on_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(async {
                let kind = tokio::signal::unix::SignalKind::terminate();
                let Ok(mut terminate) = tokio::signal::unix::signal(kind) else {
                    return;
                };
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
                // The loop may have ended already.
                let _ = stop.send(true);
            });
        })?;
    Ok(stopped)
}
