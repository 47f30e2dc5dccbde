//! A signed document: the config of one layer, whom it is for, and how it wants to be tried.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::limits::{CONFIRM_S, CONFIRM_S_MAX, SETTLE_S};
use super::reason::{Gate, Reason, Refusal};

/// Type of the payload in the envelope.
pub const DOCUMENT_TYPE: &str = "application/vnd.tidegate.config.v1+json";

/// Whom a document is for. It stands inside of the signature, so that no document can be moved to another topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Name of the fleet.
    pub fleet: String,
    /// Which of its boxes.
    #[serde(flatten)]
    pub part: Part,
}

/// Which boxes of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Part {
    /// All.
    Fleet,
    /// Those of a group.
    Group(String),
    /// One.
    Gateway(String),
}

impl Scope {
    /// The end of its topic, and its name for people: `fleet`, `group/NAME`, `gateway/NAME`.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.part {
            Part::Fleet => "fleet".to_owned(),
            Part::Group(name) => format!("group/{name}"),
            Part::Gateway(name) => format!("gateway/{name}"),
        }
    }
}

/// How a change is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Confirm {
    /// Not confirmed by then: rolled back, s.
    pub timeout_s: u32,
    /// The gates must be open for this long, s.
    pub settle_s: u32,
    /// Which gates.
    pub gates: Vec<Gate>,
    /// Whether a person must say so too.
    pub manual: bool,
}

impl Default for Confirm {
    fn default() -> Self {
        Self {
            timeout_s: CONFIRM_S,
            settle_s: SETTLE_S,
            gates: Gate::ALL.into(),
            manual: false,
        }
    }
}

/// Which share of the boxes takes it; each decides for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// 0 to 100.
    pub percent: u8,
    /// Chooses other boxes for another rollout.
    pub salt: String,
}

impl Rollout {
    /// Whether the box is among the first `percent`. A larger share has all boxes of a smaller one.
    #[must_use]
    pub fn includes(&self, gateway: &str) -> bool {
        let hash = Sha256::new()
            .chain_update(gateway)
            .chain_update([0])
            .chain_update(&self.salt)
            .finalize();
        let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        number % 100 < u32::from(self.percent)
    }
}

/// What the fleet allows; of each rule the strongest layer that has it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether a technician may override.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_local_override: Option<bool>,
    /// A change is refused if its dry-run drops more readings than what holds does, by more than so many percent of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_percent_max: Option<u8>,
    /// A change is refused if its dry-run raises more alerts than what holds does, by more than so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts_max: Option<u32>,
}

/// The payload of an envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Whom it is for.
    pub scope: Scope,
    /// Grows with every document of the scope.
    pub generation: u64,
    /// When it was signed, ms since the epoch.
    pub issued: i64,
    /// After this it is not taken any more, ms since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// The oldest version of the gateway that knows its keys, `MAJOR.MINOR.PATCH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_min: Option<String>,
    /// How it is confirmed.
    #[serde(default)]
    pub confirm: Confirm,
    /// Which boxes take it; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// What it allows; as the layers below say if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The layer, a merge patch (RFC 7396).
    pub config: Value,
}

impl Document {
    /// Reads a payload whose signature and shape were checked.
    ///
    /// # Errors
    /// [`Refusal`] if it is no document, or cannot be tried as it says.
    pub fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let document: Self = serde_json::from_slice(payload)
            .map_err(|error| Refusal::whole(Reason::Envelope, format!("no document: {error}")))?;
        let schema = |pointer: &str, text: String| Err(Refusal::at(Reason::Schema, pointer, text));
        if !document.config.is_object() {
            return schema("", "`config` must be an object".to_owned());
        }
        let confirm = &document.confirm;
        if !(1..=CONFIRM_S_MAX).contains(&confirm.timeout_s)
            || confirm.settle_s >= confirm.timeout_s
        {
            let text =
                format!("confirm.timeout_s must be 1 to {CONFIRM_S_MAX}, and settle_s below it");
            return schema("", text);
        }
        if document.rollout.as_ref().is_some_and(|it| it.percent > 100) {
            return schema("", "rollout.percent must be 0 to 100".to_owned());
        }
        let percent = document.policy.and_then(|it| it.drop_percent_max);
        if percent.is_some_and(|percent| percent > 100) {
            return schema("", "policy.drop_percent_max must be 0 to 100".to_owned());
        }
        Ok(document)
    }
}

/// The identity of a payload: SHA-256, hex.
#[must_use]
pub fn payload_digest(payload: &[u8]) -> String {
    super::merge::hex(&Sha256::digest(payload))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_larger_share_has_all_boxes_of_a_smaller_one() {
        let share = |percent, box_: usize| {
            let rollout = Rollout {
                percent,
                salt: "r1".to_owned(),
            };
            rollout.includes(&format!("edge-{box_}"))
        };
        let mut ten = 0;
        for box_ in 0..1_000 {
            ten += usize::from(share(10, box_));
            assert!(!share(10, box_) || share(50, box_));
            assert!(share(100, box_) && !share(0, box_));
        }
        assert!((50..150).contains(&ten), "{ten}");
    }

    #[test]
    fn the_scope_is_written_with_fleet_kind_and_name() {
        let scope = Scope {
            fleet: "acme".to_owned(),
            part: Part::Group("north".to_owned()),
        };
        let json = json!({"fleet": "acme", "kind": "group", "name": "north"});
        assert_eq!(serde_json::to_value(&scope).expect("JSON"), json);
        assert_eq!(serde_json::from_value::<Scope>(json).expect("scope"), scope);
    }
}
