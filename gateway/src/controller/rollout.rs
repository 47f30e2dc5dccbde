//! A rollout in stages: each box decides by its name whether it is among the first; the controller only counts.

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::Signing;
use super::session::{ControllerError, Session, Way, open, top};
use super::show::{Boxes, boxes, note};
use crate::clock::Clock;
use crate::fleet::document::{Document, Rollout};
use crate::fleet::reason::Reason;
use crate::remote::desired;

/// Exit code of a rollout that was ended because too many boxes failed.
const EXIT_ABORTED: u8 = 3;
/// Longest wait for one message before the clock is looked at, ms.
const SLICE_MS: u64 = 500;

/// How a rollout goes on, and when it ends.
pub(super) struct Stages<'a> {
    pub(super) percent: &'a [u8],
    pub(super) abort_at: u8,
    pub(super) patience_s: u64,
}

/// How the boxes of a stage do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    boxes: usize,
    confirmed: usize,
    failed: usize,
    away: usize,
}

impl Tally {
    /// Nobody waits for boxes that were away when the rollout began: they take the document when they are back.
    fn of(boxes: &Boxes, away: &BTreeSet<String>, document: &Document) -> Self {
        let what = document.scope.path();
        let mut tally = Self::default();
        for (name, (report, _)) in boxes {
            let holds = |it: &serde_json::Value| it == what.as_str();
            let is_in_scope = report["scopes"]
                .as_array()
                .is_some_and(|it| it.iter().any(holds));
            let is_first = document.rollout.as_ref().is_none_or(|it| it.includes(name));
            if !(is_in_scope && is_first) {
                continue;
            }
            let newest = &report["newest"][what.as_str()];
            let is_of_this = newest["generation"] == document.generation;
            if !is_of_this && away.contains(name) {
                tally.away += 1;
                continue;
            }
            tally.boxes += 1;
            if !is_of_this {
                continue;
            }
            match newest["code"].as_str() {
                Some("OK") => tally.confirmed += 1,
                Some(code) if code != Reason::Flap.code() => tally.failed += 1,
                _ => {}
            }
        }
        tally
    }

    const fn is_too_bad(self, abort_at: u8) -> bool {
        self.failed > 0 && self.failed * 100 >= self.boxes * abort_at as usize
    }

    const fn is_done(self) -> bool {
        self.confirmed + self.failed == self.boxes
    }
}

/// Goes through the stages. Exit code 3: too many boxes failed, and the former document is desired again.
pub(super) fn run(
    signing: &Signing,
    way: &Way,
    stages: &Stages<'_>,
) -> Result<ExitCode, ControllerError> {
    let salt = format!("{:08x}", getrandom::u32().unwrap_or_default());
    way.run(async |session: &mut Session| {
        let first = signing.document(None)?;
        let former = former(session, &first).await?;
        let mut boxes = boxes(session, &signing.fleet).await?;
        let away = boxes.iter().filter(|(_, (_, is_online))| !is_online);
        let away = away.map(|(name, _)| name.clone()).collect();
        for (nth, percent) in (0..).zip(stages.percent) {
            let mut document = first.clone();
            document.generation += nth;
            document.rollout = Some(Rollout {
                percent: *percent,
                salt: salt.clone(),
            });
            session
                .push(&document, signing.envelope(&document)?)
                .await?;
            let tally = stage(session, &mut boxes, &away, &document, stages).await?;
            println!(
                "{percent} %: {} boxes, {} confirmed, {} failed, {} away",
                tally.boxes, tally.confirmed, tally.failed, tally.away
            );
            if tally.is_too_bad(stages.abort_at) {
                take_back(session, signing, &document, former).await?;
                return Ok(ExitCode::from(EXIT_ABORTED));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn former(
    session: &mut Session,
    next: &Document,
) -> Result<Option<Document>, ControllerError> {
    let topic = desired(&top(&next.scope.fleet), &next.scope);
    session.subscribe(&topic).await?;
    let retained = session.next(super::RETAINED_MS).await;
    Ok(retained.and_then(|(_, bytes)| open(&bytes).ok()))
}

/// Counts until the stage is decided, or its time is over.
async fn stage(
    session: &mut Session,
    boxes: &mut Boxes,
    away: &BTreeSet<String>,
    document: &Document,
    stages: &Stages<'_>,
) -> Result<Tally, ControllerError> {
    let clock = Clock::start();
    let wait_ms = (u64::from(document.confirm.timeout_s) + stages.patience_s) * 1_000;
    let mut tally = Tally::of(boxes, away, document);
    while clock.now().monotonic_ms < wait_ms
        && !tally.is_done()
        && !tally.is_too_bad(stages.abort_at)
    {
        if let Some((topic, bytes)) = session.next(SLICE_MS).await {
            note(boxes, &topic, &bytes);
            tally = Tally::of(boxes, away, document);
        }
    }
    Ok(tally)
}

/// What was desired before is desired again, as a new generation; boxes that failed are back already.
async fn take_back(
    session: &mut Session,
    signing: &Signing,
    failed: &Document,
    former: Option<Document>,
) -> Result<(), ControllerError> {
    let nothing = serde_json::Value::Object(serde_json::Map::new());
    let mut document = failed.clone();
    document.generation += 1;
    document.rollout = None;
    document.config = former.map_or(nothing, |it| it.config);
    println!("aborted: what was desired before is desired again");
    session.push(&document, signing.envelope(&document)?).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_counts_the_boxes_of_its_scope_by_their_newest() {
        let document: Document = serde_json::from_value(json!({
            "scope": {"fleet": "acme", "kind": "fleet"}, "generation": 7, "issued": 0, "config": {},
        }))
        .expect("a document");
        let mut boxes = Boxes::new();
        for (name, generation, code) in [
            ("a", 7, "OK"),
            ("b", 7, "E_HEALTH:uplink"),
            ("c", 6, "OK"),
            ("d", 7, "E_FLAP"),
            ("e", 6, "OK"),
            ("f", 7, "OK"),
        ] {
            let report = json!({"scopes": ["fleet"], "newest": {"fleet": {"generation": generation, "code": code}}});
            let topic = format!("x/gw/{name}/reported");
            note(&mut boxes, &topic, report.to_string().as_bytes());
        }
        let away = ["e", "f"].map(str::to_owned).into();
        let tally = Tally::of(&boxes, &away, &document);
        let expected = Tally {
            boxes: 5,
            confirmed: 2,
            failed: 1,
            away: 1,
        };
        assert_eq!(tally, expected);
        assert!(tally.is_too_bad(20) && !tally.is_too_bad(21) && !tally.is_done());
    }
}
