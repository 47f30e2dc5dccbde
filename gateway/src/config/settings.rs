//! What each part is told: the config in the parts' own words.

use std::io;
use std::path::PathBuf;

use pipeline::Plan;
use pipeline::config::Depth;

use super::alarms::Detectors;
use super::{Config, KafkaMode};
use crate::broker;
use crate::commit::MutationRoom;
use crate::engine;
use crate::limits::CHUNK_BYTES_MAX;
use crate::machine::Sizes;
use crate::store;
use crate::uplink;

/// Alarms that each sensor has memory for at least: the fleet may add a limit and silence without a restart.
const SLOTS_LEAST: usize = 2;
/// Devices whose signals are judged together: more than any site of this size has machines.
const CHARTS: usize = 64;
/// Where the depth is `auto`, one of so many sensors may have a full detector.
const AUTO_FULL_PART: usize = 16;
/// And one of so many a standard one.
const AUTO_STANDARD_PART: usize = 4;

impl Config {
    /// For the broker.
    #[must_use]
    pub fn broker_limits(&self) -> broker::limits::Limits {
        broker::limits::Limits {
            connections_max: self.broker.connections_max,
            connections_per_user_max: self
                .broker
                .connections_per_user_max
                .unwrap_or(self.broker.connections_max),
            connect_timeout_ms: self.broker.connect_timeout.0,
            sessions_max: u32::from(self.broker.sessions_max),
            packet_bytes_max: usize::try_from(self.broker.packet_bytes_max.0).unwrap_or(usize::MAX),
            ..broker::limits::Limits::default()
        }
    }

    /// For the store.
    #[must_use]
    pub fn store_settings(&self) -> store::Settings {
        store::Settings {
            bytes_max: self.store.max_bytes.0,
            bytes_free_min: self.store.min_free_bytes.0,
            ring_bytes: self.ring_bytes(),
            ..store::Settings::default()
        }
    }

    fn ring_bytes(&self) -> u64 {
        self.store.ring_bytes.0.min(self.store.max_bytes.0 / 4)
    }

    /// Two checkpoints come within one turn of the ring, with a chunk for each of them and one that does not fit before its end:
    /// otherwise chunks would have to stand in the database.
    fn checkpoint_bytes(&self) -> u64 {
        match self.ring_bytes() {
            0 => self.store.checkpoint_bytes.0,
            ring => (ring.saturating_sub(3 * CHUNK_BYTES_MAX as u64) / 2)
                .min(self.store.checkpoint_bytes.0),
        }
    }

    /// For the pipeline's memory.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let plan = self.plan();
        // A config without a plan is refused before anything is made of it.
        let Ok(plan) = &plan else {
            return Sizes::default();
        };
        let panes = plan.panes_min();
        let sensors = self.pipeline.sensors_max;
        let places = |is_wanted: fn(&Plan) -> bool, max: Option<u16>| {
            if is_wanted(plan) {
                usize::from(max.unwrap_or(sensors).min(sensors))
            } else {
                0
            }
        };
        Sizes {
            sensors: usize::from(sensors),
            gates: places(Plan::has_cleaning, self.pipeline.cleaned_max),
            thinners: places(Plan::has_thinning, self.pipeline.thinned_max),
            miners: places(Plan::has_profiles, self.pipeline.profiled_max),
            sketched: places(Plan::has_quantiles, self.pipeline.quantiles_max),
            panes_per_sensor: usize::try_from(panes.max(1)).unwrap_or(usize::MAX),
            slots_per_sensor: plan.slots_min().max(SLOTS_LEAST),
            gauges_per_sensor: plan.gauges_min(),
            scouts: self.scouts(plan),
            rows: self.pipeline.batch_readings_max as usize,
        }
    }

    /// Detectors of each kind: as many as the plan may call for, but for `auto`, which shares what is deep among many.
    fn scouts(&self, plan: &Plan) -> [usize; 4] {
        let sensors = usize::from(self.pipeline.sensors_max);
        let share = |depth: Depth, part: usize| {
            if plan.detects(depth) {
                sensors
            } else if plan.detects(Depth::Auto) {
                sensors.div_ceil(part)
            } else {
                0
            }
        };
        let most = self.pipeline.detectors_max.unwrap_or(Detectors {
            lite: u16::MAX,
            standard: u16::MAX,
            full: u16::MAX,
        });
        [
            share(Depth::Lite, 1).min(most.lite.into()),
            share(Depth::Standard, AUTO_STANDARD_PART).min(most.standard.into()),
            share(Depth::Full, AUTO_FULL_PART).min(most.full.into()),
            if plan.charts.is_empty() {
                0
            } else {
                CHARTS.min(sensors)
            },
        ]
    }

    /// The most that one packet changes of the broker's state.
    #[must_use]
    pub fn mutation_step(&self) -> MutationRoom {
        let limits = self.broker_limits();
        MutationRoom {
            count: limits.mutations_per_step_max(),
            bytes: limits.mutation_bytes_per_step_max(),
        }
    }

    /// For the engine.
    #[must_use]
    pub fn engine_settings(&self, seed: u64) -> engine::Settings {
        engine::Settings {
            gateway: self.gateway.id.clone(),
            commit_interval_ms: self.store.commit_interval.0,
            status_interval_ms: self.broker.status_interval.0,
            checkpoint_interval_ms: self.store.checkpoint_interval.0,
            checkpoint_bytes: self.checkpoint_bytes(),
            publish_averages: self.pipeline.publish_averages,
            forward: !self.kafka.bootstrap.is_empty(),
            drain_share: self.kafka.drain_share,
            mutation_step: self.mutation_step(),
            seed,
        }
    }

    /// What of it can change while the engine runs.
    #[must_use]
    pub fn hot(&self) -> engine::Hot {
        engine::Hot {
            plan: self.plan().unwrap_or_default(),
            mapping: self.mapping(),
            commit_interval_ms: self.store.commit_interval.0,
            status_interval_ms: self.broker.status_interval.0,
            checkpoint_interval_ms: self.store.checkpoint_interval.0,
            checkpoint_bytes: self.checkpoint_bytes(),
            publish_averages: self.pipeline.publish_averages,
        }
    }

    /// For the uplink.
    ///
    /// # Errors
    /// The password's file, and why it cannot be read.
    pub fn uplink_settings(&self) -> Result<uplink::Settings, (PathBuf, io::Error)> {
        let kafka = &self.kafka;
        Ok(uplink::Settings {
            mode: match kafka.mode {
                KafkaMode::Transactional => uplink::Mode::Transactional,
                KafkaMode::Idempotent => uplink::Mode::Idempotent,
            },
            form: kafka.format,
            topics: uplink::Topics {
                telemetry: kafka.topic_telemetry.clone(),
                aggregates: kafka.topic_aggregates.clone(),
                alerts: kafka.topic_alerts.clone(),
                watermarks: kafka.topic_watermarks.clone(),
            },
            tls: kafka.tls.then(|| uplink::Tls {
                ca_file: kafka.ca_file.clone(),
                ..uplink::Tls::default()
            }),
            sasl: self.sasl()?,
            labels: kafka.labels.clone(),
            properties: kafka.properties.clone(),
            ..uplink::Settings::new(&kafka.bootstrap, &self.gateway.id)
        })
    }

    fn sasl(&self) -> Result<Option<uplink::Sasl>, (PathBuf, io::Error)> {
        let kafka = &self.kafka;
        let (Some(mechanism), Some(username), Some(file)) = (
            &kafka.sasl_mechanism,
            &kafka.sasl_username,
            &kafka.sasl_password_file,
        ) else {
            return Ok(None);
        };
        let password = std::fs::read_to_string(file).map_err(|error| (file.clone(), error))?;
        Ok(Some(uplink::Sasl {
            mechanism: match mechanism.as_str() {
                "SCRAM-SHA-256" => uplink::SaslMechanism::ScramSha256,
                "SCRAM-SHA-512" => uplink::SaslMechanism::ScramSha512,
                _ => uplink::SaslMechanism::Plain,
            },
            username: username.clone(),
            password: uplink::Password(password.trim_end_matches(['\r', '\n']).to_owned()),
        }))
    }
}
