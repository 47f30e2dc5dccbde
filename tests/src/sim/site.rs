//! What a seed's site is like: its sensors, its plan, its limits, and which troubles it has. Each seed has some of them only,
//! so that one trouble does not hide another.

use gateway::broker::Limits;
use gateway::commit::MutationRoom;
use gateway::engine::Settings;
use gateway::machine::Sizes;
use gateway::mapping::{Form, Mapping, Rule};
use pipeline::Plan;
use pipeline::config::{
    Cleaning, Range, SensorConfig, SensorRule, Side, SilenceRule, Sliding, Threshold,
};
use sensor_sim::dialect::Dialect;

use super::chance::Chance;
use super::client::Client;
use super::packets::Version;
use super::source::{Source, source};

/// The true time at which every world begins, ms since the Unix epoch.
pub const BEGIN_MS: i64 = 1_764_000_000_000;
/// Id of the gateway.
pub const GATEWAY: &str = "sim";
/// The name of the rule that every limit has.
pub const RULE: &str = "high";

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The power is gone, and comes back.
    PowerCut,
    /// kill -9.
    Kill,
    /// Asked to stop.
    Stop,
    /// Commits take seconds.
    DiskSlow,
    /// Commits are refused for want of room.
    DiskFull,
    /// fsync fails.
    DiskFailed,
    /// A read fails.
    DiskUnreadable,
    /// The disk calls durable what is not, and the power is cut.
    DiskLies,
    /// Kafka is away.
    KafkaAway,
    /// Kafka takes its time.
    KafkaSlow,
    /// A transfer is committed, and nobody is told.
    AnswerLost,
    /// What became of a transfer is decided later.
    Unknown,
    /// A leader changes under a transfer.
    LeaderChange,
    /// Somebody else takes the transactional id.
    Fenced,
    /// The transactional id expires.
    Expired,
    /// The rights are taken away for a while.
    AuthRevoked,
    /// A topic takes smaller records only.
    TooLarge,
    /// The clock jumps.
    ClockJump,
    /// A client's connection is cut.
    ClientCut,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::PowerCut,
        Self::Kill,
        Self::Stop,
        Self::DiskSlow,
        Self::DiskFull,
        Self::DiskFailed,
        Self::DiskUnreadable,
        Self::DiskLies,
        Self::KafkaAway,
        Self::KafkaSlow,
        Self::AnswerLost,
        Self::Unknown,
        Self::LeaderChange,
        Self::Fenced,
        Self::Expired,
        Self::AuthRevoked,
        Self::TooLarge,
        Self::ClockJump,
        Self::ClientCut,
    ];
}

/// A seed's site.
#[derive(Debug)]
pub struct Site {
    /// Devices; each has the client of the same place.
    pub sources: Vec<Source>,
    /// The clients: one for each device, and a subscriber to the alerts.
    pub clients: Vec<Client>,
    /// What the pipeline shall do.
    pub plan: Box<Plan>,
    /// Its memory.
    pub sizes: Sizes,
    /// What the engine is told.
    pub settings: Settings,
    /// Bounds of the broker.
    pub limits: Limits,
    /// What goes wrong here.
    pub troubles: Vec<Trouble>,
    /// How long things go wrong, ms.
    pub trouble_ms: u64,
    /// Mean time between two troubles, ms.
    pub trouble_every_ms: u64,
    /// The box has no clock that runs without power.
    pub boots_in_1970: bool,
}

impl Site {
    /// The site of a seed.
    ///
    /// # Panics
    /// If a profile of the sensor simulator is gone.
    #[must_use]
    pub fn of(seed: u64, chance: &mut Chance) -> Self {
        let sources: Vec<Source> = (0..chance.within(2, 4))
            .map(|number| source(seed, number, chance))
            .collect();
        let mut clients: Vec<Client> = sources
            .iter()
            .map(|source| {
                let window = chance.pick(&[2, 4, 16, 20]);
                let qos = chance.pick(&[1, 1, 2]);
                let name = source.device.name();
                let client = Client::publisher(name, version(chance), qos, window);
                // The same text under the same id is beyond telling at QoS 1: see the gateway's deliveries.
                let is_plain = qos == 1 && source.writer.dialect() == Dialect::Bare;
                if chance.one_in(2) && !is_plain {
                    client.thrifty()
                } else {
                    client
                }
            })
            .collect();
        clients.push(Client::subscriber(
            "panel",
            version(chance),
            "tidegate/sim/alert/#",
        ));
        let plan = Box::new(plan(&sources, chance));
        let limits = limits();
        Self {
            sizes: sizes(&plan),
            settings: settings(&limits, seed, chance),
            troubles: troubles(chance),
            trouble_ms: chance.within(30_000, 90_000),
            trouble_every_ms: chance.pick(&[1_500, 4_000, 10_000]),
            boots_in_1970: chance.one_in(4),
            sources,
            clients,
            plan,
            limits,
        }
    }

    /// From topics to devices and signals.
    #[must_use]
    pub fn mapping() -> Mapping {
        let rules = ["sensors/{device}/{signal}", "sensors/{device}"];
        Mapping::new(rules.map(|topic| (topic, Rule::Readings(Form::Plain)))).unwrap_or_default()
    }
}

fn version(chance: &mut Chance) -> Version {
    chance.pick(&[Version::V3, Version::V5])
}

fn troubles(chance: &mut Chance) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Trouble::ALL
        .into_iter()
        .filter(|_| chance.one_in(3))
        .collect();
    // A disk that lies breaks what is promised, so most seeds have none.
    if chance.below(4) > 0 {
        troubles.retain(|trouble| *trouble != Trouble::DiskLies);
    }
    troubles
}

fn plan(sources: &[Source], chance: &mut Chance) -> Plan {
    let mut plan = Plan {
        gateway: name(GATEWAY),
        ..Plan::default()
    };
    plan.batch.readings_max = chance.pick(&[8, 40, 200]) as u32;
    plan.batch.ms_max = chance.pick(&[500, 3_000, 8_000]) as u32;
    for source in sources {
        for signal in source.device.profile().signal.iter() {
            let usual = signal.usual.unwrap_or(1.0);
            let rule = SensorRule {
                device: name(source.device.name()),
                signal: name(&signal.name),
                config: sensor(signal.range, usual, chance),
            };
            // A site has less than a dozen signals.
            let _ = plan.rules.push(rule);
        }
    }
    if plan.has_cleaning() {
        // So many may follow from one reading of a sensor with a gate.
        plan.batch.readings_max = plan.batch.readings_max.max(66);
    }
    plan
}

fn sensor(range: [f64; 2], usual: f64, chance: &mut Chance) -> SensorConfig {
    let [min, max] = range;
    let mut config = SensorConfig {
        range: Some(Range { min, max }),
        lateness_ms: chance.pick(&[0, 2_000]) as u32,
        future_ms_max: 60_000,
        gap_ms_max: chance.pick(&[3_000, 300_000]) as u32,
        tumbling_ms: Some(chance.pick(&[5_000, 10_000]) as u32),
        silence: chance.one_in(2).then_some(SilenceRule {
            after_ms: 8_000,
            severity: wire::Severity::Warning,
        }),
        cleaning: chance.one_in(5).then(|| Cleaning {
            wait_ms_max: 4_000,
            ..Cleaning::default()
        }),
        ..SensorConfig::default()
    };
    if chance.one_in(2) {
        let (window_ms, hop_ms) = (10_000, 5_000);
        config.sliding = Some(Sliding { window_ms, hop_ms });
    }
    let threshold = Threshold {
        rule: name(RULE),
        side: chance.pick(&[Side::Above, Side::Below]),
        // Around where the shipped profiles begin, so that noise and faults cross it.
        limit: chance.pick(&[2.3, 5.0, 21.0, 45.0]),
        hysteresis: usual * chance.pick(&[0.0, 0.3]),
        ..Threshold::default()
    };
    // The first of four.
    let _ = config.thresholds.push(threshold);
    config
}

fn sizes(plan: &Plan) -> Sizes {
    Sizes {
        sensors: 32,
        gates: if plan.has_cleaning() { 32 } else { 0 },
        slots_per_sensor: plan.slots_min().max(1),
        gauges_per_sensor: plan.gauges_min(),
        panes_per_sensor: usize::try_from(plan.panes_min().max(1)).unwrap_or(usize::MAX),
        rows: 256,
        ..Sizes::default()
    }
}

fn limits() -> Limits {
    Limits {
        connections_max: 24,
        sessions_max: 12,
        packet_bytes_max: 4_096,
        subscriptions_max: 16,
        subscriptions_per_session_max: 4,
        filter_nodes_max: 64,
        share_groups_max: 4,
        retained_max: 64,
        retained_bytes_max: 64 << 10,
        messages_max: 512,
        message_bytes_max: 256 << 10,
        deliveries_max: 512,
        queued_per_session_max: 400,
        queued_bytes_per_session_max: 128 << 10,
        inbound_inflight_max: 16,
        receipts_max: 256,
        incoming_per_session_max: 64,
        topic_aliases_max: 2,
        alias_tables_max: 4,
        ..Limits::default()
    }
}

fn settings(limits: &Limits, seed: u64, chance: &mut Chance) -> Settings {
    Settings {
        gateway: GATEWAY.to_owned(),
        commit_interval_ms: chance.pick(&[0, 5, 50, 1_000]),
        status_interval_ms: 60_000,
        checkpoint_interval_ms: chance.pick(&[2_000, 15_000, 600_000]),
        checkpoint_bytes: chance.pick(&[4_000, 1 << 20]),
        publish_averages: chance.one_in(2),
        forward: true,
        drain_share: chance.pick(&[10, 50, 100]) as u8,
        mutation_step: MutationRoom {
            count: limits.mutations_per_step_max(),
            bytes: limits.mutation_bytes_per_step_max(),
        },
        seed,
    }
}

fn name<const N: usize>(text: &str) -> heapless::String<N, u8> {
    heapless::String::try_from(text).unwrap_or_default()
}
