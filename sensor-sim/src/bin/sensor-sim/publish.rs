//! `sensor-sim publish`: simulated devices, each with its own connection.

use core::net::SocketAddr;
use std::fs;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use sensor_sim::device::{Device, Recipe};
use sensor_sim::dialect::Dialect;
use sensor_sim::fault::FaultPlan;
use sensor_sim::limits::DEVICES_MAX;
use sensor_sim::payload;
use sensor_sim::profile::{Profile, is_name};
use sensor_sim::truth::Kind;

use crate::cli::{Faults, Mqtt, Publish};
use crate::dry::{self, Until};
use crate::edge::EdgeNode;
use crate::feed::{DeviceFeed, Feed};
use crate::figures::Figures;
use crate::fleet::{Entry, Fleet, Plan};
use crate::run::{Transport, Username};

/// Signals of a run that goes as fast as it can, over all devices: a sensor has one time each ms.
const FLAT_OUT_SIGNALS: u32 = 128;
/// Messages of one signal each second, above which it has no times left.
const SIGNAL_HZ_MAX: f64 = 950.0;

/// Kinds of devices that take turns, with the names of their files.
type Profiles = Vec<(String, Arc<Profile>)>;

/// Publishes, and gives the exit code.
pub(crate) fn publish(options: &Publish) -> Result<u8> {
    let profiles = profiles(options)?;
    if let Some(path) = &options.dry_run {
        return dry_run(options, path, &profiles);
    }
    let plan = Plan {
        transport: transport(&options.mqtt, options.flat_out)?,
        devices: options.devices,
        duration_us: u64::try_from(options.duration.as_micros())?,
        seed: options.seed,
        ledger: options.mqtt.ledger.as_deref(),
        labels: options.faults.labels.as_deref(),
    };
    let mut fleet = Fleet::prepare(&plan)?;
    let mut recipe = recipe(options)?;
    recipe.start = fleet.start();
    recipe.boots = fleet.boots();
    for number in options.first..options.first + options.devices {
        let (name, device) = device(number, &profiles, &mut recipe);
        let feed = DeviceFeed::new(device, options.payload_bytes.into(), options.count);
        let mut entry = entry(name, &recipe.profile, options.topic.as_deref());
        if recipe.profile.payload == Dialect::SparkplugB {
            let (topic, _) = &entry.streams[0];
            entry.edge = Some(EdgeNode::new(topic, feed.signals(), recipe.boots)?);
        }
        fleet.add(entry, Feed::Device(Box::new(feed)));
    }
    let (figures, seconds) = fleet.go()?;
    finish(&figures, seconds, &options.mqtt)
}

fn dry_run(options: &Publish, path: &Path, profiles: &Profiles) -> Result<u8> {
    let mut recipe = recipe(options)?;
    recipe.start = options.start;
    let devices = (0..options.devices)
        .map(|at| device(options.first + at, profiles, &mut recipe).1)
        .collect();
    let until = Until {
        duration_us: u64::try_from(options.duration.as_micros())?,
        count: options.count,
    };
    dry::write(
        devices,
        options.start,
        until,
        path,
        options.faults.labels.as_deref(),
    )?;
    Ok(0)
}

/// What all devices have in common; the profile is that of each.
fn recipe(options: &Publish) -> Result<Recipe> {
    ensure!(options.first <= DEVICES_MAX * 100, "--first is too large");
    Ok(Recipe {
        profile: Arc::new(Profile::shipped("dht22")?),
        plan: Arc::new(fault_plan(&options.faults)?),
        seed: options.seed,
        start: 0,
        rate_hz: options.rate,
        boots: 0,
    })
}

/// The device of a number, with its name.
fn device(number: u32, profiles: &Profiles, recipe: &mut Recipe) -> (String, Device) {
    let (name, profile) = &profiles[number as usize % profiles.len()];
    recipe.profile = Arc::clone(profile);
    let name = format!("{name}-{number}");
    let device = Device::new(&name, recipe);
    (name, device)
}

/// Prints the figures and gives the exit code.
pub(crate) fn finish(figures: &Figures, seconds: f64, mqtt: &Mqtt) -> Result<u8> {
    let report = figures.report(seconds);
    if mqtt.json {
        crate::say(format_args!("{:#}", report.json()));
    } else {
        crate::say(format_args!("{report}"));
    }
    ensure!(
        figures.connects > 0,
        "no connection to {} was ever accepted",
        mqtt.broker
    );
    Ok(0)
}

/// How messages go, as the command line says.
pub(crate) fn transport(mqtt: &Mqtt, is_flat_out: bool) -> Result<Transport> {
    let password = match (&mqtt.password_file, &mqtt.password) {
        (Some(path), _) => Some(read_password(path)?),
        (None, password) => password.as_ref().map(|text| text.clone().into_bytes()),
    };
    let per_device = mqtt.user_per_device.clone().map(Username::Prefix);
    Ok(Transport {
        broker: resolve(&mqtt.broker)?,
        username: per_device.or_else(|| mqtt.username.clone().map(Username::Same)),
        password,
        qos: mqtt.qos,
        window: mqtt.window,
        keep_alive_s: u16::try_from(mqtt.keep_alive.as_secs())
            .context("--keep-alive is above 18 hours")?,
        is_flat_out,
        drain_us: u64::try_from(mqtt.drain.as_micros())?,
        sources: mqtt.sources,
    })
}

/// The password in a file, without the end of its line.
pub(crate) fn read_password(path: &Path) -> Result<Vec<u8>> {
    let text = fs::read(path)
        .with_context(|| format!("cannot read the password from {}", path.display()))?;
    let end = text
        .iter()
        .position(|byte| b"\r\n".contains(byte))
        .unwrap_or(text.len());
    Ok(text[..end].to_vec())
}

/// The first address of `host:port`.
pub(crate) fn resolve(broker: &str) -> Result<SocketAddr> {
    let mut found = broker
        .to_socket_addrs()
        .with_context(|| format!("{broker:?} is no address; write host:port"))?;
    found
        .next()
        .with_context(|| format!("{broker} has no address"))
}

fn profiles(options: &Publish) -> Result<Profiles> {
    let mut profiles = Vec::new();
    for name in &options.profile {
        let path = Path::new(name);
        let mut profile = if path.extension().is_some_and(|it| it == "toml") {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the profile {name}"))?;
            Profile::parse(name, &text)?
        } else {
            Profile::shipped(name)?
        };
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .filter(|stem| is_name(stem));
        let stem =
            stem.with_context(|| format!("{name} can't be a part of a topic; rename the file"))?;
        if let Some(dialect) = options.payload {
            profile.payload = dialect;
        }
        let profile = with_signals(profile, options);
        if let Err(reason) = payload::check(&profile) {
            bail!("profile {name}: {reason}");
        }
        check_rate(&profile, options)?;
        profiles.push((stem.to_owned(), Arc::new(profile)));
    }
    Ok(profiles)
}

fn with_signals(profile: Profile, options: &Publish) -> Profile {
    match options.signals {
        Some(count) => profile.with_signals(count.into()),
        None if options.flat_out && !profile.payload.joins_signals() => {
            profile.with_signals(FLAT_OUT_SIGNALS.div_ceil(options.devices) as usize)
        }
        None => profile,
    }
}

fn check_rate(profile: &Profile, options: &Publish) -> Result<()> {
    let messages = if profile.payload.joins_signals() {
        1.0
    } else {
        profile.signal.len() as f64
    };
    let rate = options
        .rate
        .map_or(1000.0 / profile.period_ms, |rate| rate / messages);
    let step_ms = profile.payload.time_step_ms();
    if rate * step_ms as f64 > SIGNAL_HZ_MAX {
        bail!(
            "{rate} readings of a signal each second need more times than a clock with steps of {step_ms} ms has; give more --signals, or a lower --rate"
        );
    }
    Ok(())
}

fn fault_plan(faults: &Faults) -> Result<FaultPlan> {
    let mut kinds = Vec::new();
    for word in &faults.faults {
        match word.as_str() {
            "all" => kinds.extend(Kind::ALL),
            _ => kinds.push(word.parse()?),
        }
    }
    Ok(FaultPlan {
        kinds,
        every_s: faults.fault_every.as_secs_f64(),
        lasts_s: [
            faults.fault_lasts.0.as_secs_f64(),
            faults.fault_lasts.1.as_secs_f64(),
        ],
        orders: faults.fault.clone(),
    })
}

fn entry(name: String, profile: &Profile, topic: Option<&str>) -> Entry {
    let topic = topic.unwrap_or(profile.payload.topic());
    let names: Vec<String> = profile
        .signal
        .iter()
        .map(|signal| signal.name.clone())
        .collect();
    let streams = if profile.payload.joins_signals() {
        vec![(topic_of(&topic.replace("/{signal}", ""), &name, ""), names)]
    } else {
        names
            .into_iter()
            .map(|signal| (topic_of(topic, &name, &signal), vec![signal]))
            .collect()
    };
    Entry {
        name,
        streams,
        edge: None,
    }
}

/// The topic of a device's signal.
pub(crate) fn topic_of(template: &str, device: &str, signal: &str) -> String {
    template
        .replace("{device}", device)
        .replace("{signal}", signal)
}
