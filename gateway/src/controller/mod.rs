//! `tidegate fleet …`: the controller's side, on a laptop. It signs, pushes, and reads what the boxes report; it holds no state
//! but the key files.

mod key_files;
mod rollout;
mod session;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::fleet::agent::{COMMAND_TYPE, Verb};
use crate::fleet::document::{Confirm, DOCUMENT_TYPE, Document, Part, Policy, Rollout, Scope};
use crate::fleet::envelope::seal;

use session::Session;
pub use session::{ControllerError, Way};

/// How long a broker is given for what it retains, ms.
const RETAINED_MS: u64 = 1_000;
/// How long a box is given for an answer, ms.
const ANSWER_MS: u64 = 10_000;
/// How long a command holds, ms.
const COMMAND_MS: i64 = 60_000;

/// The verbs of `tidegate fleet`.
#[derive(Debug, Subcommand)]
pub enum FleetCommand {
    /// Makes the keys of a fleet: `root.key`, `config.key`, and `trust.json` for the boxes.
    Keygen {
        /// Name of the fleet.
        #[arg(long)]
        fleet: String,
        /// Folder to write into; it must not hold keys.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
    /// Signs a layer, and writes the envelope to standard output.
    Sign(Signing),
    /// Shows what a signed document would change, key by key, against what is desired now.
    Diff {
        /// The envelope.
        document: PathBuf,
        /// Where to.
        #[command(flatten)]
        way: Way,
    },
    /// Publishes a signed document on the topic of its scope.
    Push {
        /// The envelope.
        document: PathBuf,
        /// Where to.
        #[command(flatten)]
        way: Way,
    },
    /// Signs and pushes a layer in stages, and takes it back if too many boxes fail.
    Rollout {
        /// What to sign.
        #[command(flatten)]
        signing: Signing,
        /// Where to.
        #[command(flatten)]
        way: Way,
        /// The stages, percent of the boxes.
        #[arg(long, value_delimiter = ',', default_value = "10,50,100")]
        percent: Vec<u8>,
        /// Share of a stage's boxes whose failure ends it, such as `10%`.
        #[arg(long, default_value = "10%", value_parser = percent)]
        abort_at: u8,
        /// Longest wait for a stage beyond the time to confirm, s.
        #[arg(long, default_value_t = 60)]
        patience_s: u64,
    },
    /// Shows each box: what it runs, and what became of the newest.
    Status {
        /// Name of the fleet.
        #[arg(long)]
        fleet: String,
        /// Where to.
        #[command(flatten)]
        way: Way,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Follows the events of all boxes.
    Watch {
        /// Name of the fleet.
        #[arg(long)]
        fleet: String,
        /// Where to.
        #[command(flatten)]
        way: Way,
        /// For how long, s; until it is stopped if absent.
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Takes a config key out of the key list, puts a new one in its place, and publishes the list.
    Revoke {
        /// Id of the key, as `keygen` printed it.
        key_id: String,
        /// Folder of the keys.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
        /// Where to.
        #[command(flatten)]
        way: Way,
    },
    /// Asks one box: `confirm`, `rollback`, `effective`, `diag`, or `dry-run` of a layer.
    Ask {
        /// What.
        #[arg(value_parser = verb)]
        verb: Verb,
        /// Which box.
        gateway: String,
        /// For `dry-run`: the layer, with its scope.
        #[command(flatten)]
        signing: Asking,
        /// Where to.
        #[command(flatten)]
        way: Way,
    },
}

/// What is signed, and how.
#[derive(Args, Clone, Debug)]
pub struct Signing {
    /// The layer: TOML, as in gateway.toml, or JSON, in which null deletes a key.
    layer: PathBuf,
    /// Name of the fleet.
    #[arg(long)]
    fleet: String,
    /// For whom: `fleet`, `group/NAME` or `gateway/NAME`.
    #[arg(long, default_value = "fleet")]
    scope: String,
    /// The config key.
    #[arg(long, default_value = "config.key")]
    key: PathBuf,
    /// Generation; must grow with each document of the scope. The time in ms if absent.
    #[arg(long)]
    generation: Option<u64>,
    /// Confirmed by then, or taken back, s.
    #[arg(long, default_value_t = Confirm::default().timeout_s)]
    timeout_s: u32,
    /// The gates must be open for this long, s.
    #[arg(long, default_value_t = Confirm::default().settle_s)]
    settle_s: u32,
    /// A person must confirm each box, by `tidegate fleet ask confirm`.
    #[arg(long)]
    manual: bool,
    /// Not taken any more after this many seconds.
    #[arg(long)]
    expires_s: Option<i64>,
    /// Whether a technician on site may override.
    #[arg(long)]
    allow_local_override: Option<bool>,
    /// Refuse changes whose dry-run drops more readings than what holds, by more than so many percent.
    #[arg(long)]
    drop_percent_max: Option<u8>,
    /// Refuse changes whose dry-run raises more alerts than what holds, by more than so many.
    #[arg(long)]
    alerts_max: Option<u32>,
}

/// A command, and who signs it.
#[derive(Args, Clone, Debug)]
pub struct Asking {
    /// Name of the fleet.
    #[arg(long)]
    fleet: String,
    /// The config key.
    #[arg(long, default_value = "config.key")]
    key: PathBuf,
    /// For `dry-run`: the layer.
    #[arg(long)]
    layer: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// [`ControllerError`] with what to do about it.
pub fn run(command: &FleetCommand) -> Result<ExitCode, ControllerError> {
    match command {
        FleetCommand::Keygen { fleet, dir } => key_files::make(fleet, dir)?,
        FleetCommand::Sign(signing) => {
            let bytes = signing.envelope(&signing.document(None)?)?;
            println!("{}", String::from_utf8_lossy(&bytes));
        }
        FleetCommand::Diff { document, way } => show::diff(document, way)?,
        FleetCommand::Push { document, way } => {
            let bytes = key_files::read(document)?;
            let document = session::open(&bytes)?;
            way.run(async |session| session.push(&document, bytes).await)?;
        }
        FleetCommand::Rollout {
            signing,
            way,
            percent,
            abort_at,
            patience_s,
        } => {
            let stages = rollout::Stages {
                percent,
                abort_at: *abort_at,
                patience_s: *patience_s,
            };
            return rollout::run(signing, way, &stages);
        }
        FleetCommand::Status { fleet, way, json } => show::status(fleet, way, *json)?,
        FleetCommand::Watch {
            fleet,
            way,
            seconds,
        } => show::watch(fleet, way, *seconds)?,
        FleetCommand::Revoke { key_id, dir, way } => {
            let (fleet, list) = key_files::revoke(key_id, dir)?;
            let topic = format!("{}/desired/keys", session::top(&fleet));
            way.run(async |session| session.publish(topic, list).await)?;
        }
        FleetCommand::Ask {
            verb,
            gateway,
            signing,
            way,
        } => ask(*verb, gateway, signing, way)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Signing {
    fn document(&self, rollout: Option<Rollout>) -> Result<Document, ControllerError> {
        let now_ms = Clock::start().now().wall_ms;
        Ok(Document {
            scope: scope(&self.fleet, &self.scope)?,
            generation: self.generation.unwrap_or(now_ms.unsigned_abs()),
            issued: now_ms,
            expires: self.expires_s.map(|s| now_ms + s * 1_000),
            gateway_min: None,
            confirm: Confirm {
                timeout_s: self.timeout_s,
                settle_s: self.settle_s,
                manual: self.manual,
                ..Confirm::default()
            },
            rollout,
            policy: self.policy(),
            config: layer(&self.layer)?,
        })
    }

    fn policy(&self) -> Option<Policy> {
        let policy = Policy {
            allow_local_override: self.allow_local_override,
            drop_percent_max: self.drop_percent_max,
            alerts_max: self.alerts_max,
        };
        (policy != Policy::default()).then_some(policy)
    }

    fn envelope(&self, document: &Document) -> Result<Vec<u8>, ControllerError> {
        let payload = serde_json::to_vec(document).unwrap_or_default();
        let key = key_files::key(&self.key)?;
        Ok(seal(DOCUMENT_TYPE, &payload, &[key]))
    }
}

fn ask(verb: Verb, gateway: &str, asking: &Asking, way: &Way) -> Result<(), ControllerError> {
    let clock = Clock::start();
    let now_ms = clock.now().wall_ms;
    let id = format!("{:016x}", getrandom::u64().unwrap_or(now_ms.unsigned_abs()));
    let mut payload = json!({
        "fleet": asking.fleet, "gateway": gateway, "verb": verb, "id": id, "expires": now_ms + COMMAND_MS,
    });
    if let Some(path) = &asking.layer {
        payload["document"] = json!({
            "scope": scope(&asking.fleet, &format!("gateway/{gateway}"))?,
            "generation": now_ms, "issued": now_ms, "config": layer(path)?,
        });
    }
    let key = key_files::key(&asking.key)?;
    let bytes = seal(COMMAND_TYPE, payload.to_string().as_bytes(), &[key]);
    let root = format!("{}/gw/{gateway}", session::top(&asking.fleet));
    let answer = way.run(async |session: &mut Session| {
        session.subscribe(&format!("{root}/rsp/{id}")).await?;
        let topic = format!("{root}/cmd/{}/{id}", verb.name());
        session.publish_once(topic, bytes).await?;
        let no_answer = || ControllerError::Silent {
            gateway: gateway.to_owned(),
        };
        let received = session.next(ANSWER_MS).await.ok_or_else(no_answer)?;
        Ok(received.1)
    })?;
    println!("{}", String::from_utf8_lossy(&answer));
    Ok(())
}

fn scope(fleet: &str, text: &str) -> Result<Scope, ControllerError> {
    let part = match text.split_once('/') {
        None if text == "fleet" => Part::Fleet,
        Some(("group", name)) => Part::Group(name.to_owned()),
        Some(("gateway", name)) => Part::Gateway(name.to_owned()),
        _ => return Err(ControllerError::Scope(text.to_owned())),
    };
    Ok(Scope {
        fleet: fleet.to_owned(),
        part,
    })
}

fn layer(path: &std::path::Path) -> Result<Value, ControllerError> {
    let text = String::from_utf8_lossy(&key_files::read(path)?).into_owned();
    let parsed = if path.extension().is_some_and(|it| it == "json") {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    parsed.map_err(|text| ControllerError::Layer {
        path: path.to_owned(),
        text,
    })
}

fn verb(text: &str) -> Result<Verb, String> {
    let found = Verb::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| format!("use one of {}", Verb::ALL.map(Verb::name).join(", ")))
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim_end_matches('%').parse::<u8>();
    number
        .ok()
        .filter(|it| (1..=100).contains(it))
        .ok_or_else(|| "give 1% to 100%".to_owned())
}
