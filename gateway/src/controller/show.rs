//! What the boxes say: tables, events, differences.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::RETAINED_MS;
use super::key_files;
use super::session::{ControllerError, Session, Way, open, top};
use crate::fleet::merge::leaves;
use crate::remote::desired;

/// Boxes of one fleet that are looked at.
pub(super) const BOXES_MAX: usize = 10_000;

/// What is known of each box, by its name: the report, and whether it is online.
pub(super) type Boxes = BTreeMap<String, (Value, bool)>;

/// Collects what the boxes have retained.
pub(super) async fn boxes(session: &mut Session, fleet: &str) -> Result<Boxes, ControllerError> {
    session
        .subscribe(&format!("{}/gw/+/reported", top(fleet)))
        .await?;
    session
        .subscribe(&format!("{}/gw/+/online", top(fleet)))
        .await?;
    let mut boxes = Boxes::new();
    while let Some((topic, bytes)) = session.next(RETAINED_MS).await {
        note(&mut boxes, &topic, &bytes);
        if boxes.len() >= BOXES_MAX {
            break;
        }
    }
    Ok(boxes)
}

/// Takes a report, or whether the box is online.
pub(super) fn note(boxes: &mut Boxes, topic: &str, bytes: &[u8]) {
    let mut levels = topic.rsplit('/');
    let (Some(kind), Some(name)) = (levels.next(), levels.next()) else {
        return;
    };
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let known = boxes.entry(name.to_owned()).or_default();
    match kind {
        "reported" => known.0 = value,
        "online" => known.1 = value["online"] == true,
        _ => {}
    }
}

pub(super) fn status(fleet: &str, way: &Way, json: bool) -> Result<(), ControllerError> {
    let boxes = way.run(async |session| boxes(session, fleet).await)?;
    if !json {
        println!(
            "{:<20} {:<7} {:<11} {:<10} newest",
            "gateway", "online", "state", "digest"
        );
    }
    for (name, (report, is_online)) in &boxes {
        if json {
            println!("{report}");
            continue;
        }
        let text = |key: &str| report[key].as_str().unwrap_or("-");
        let newest = report["newest"].as_object().into_iter().flatten();
        let newest: Vec<String> = newest
            .map(|(what, it)| {
                format!(
                    "{what}@{} {}",
                    it["generation"],
                    it["code"].as_str().unwrap_or("-")
                )
            })
            .collect();
        let digest = text("digest").get(..8).unwrap_or("-");
        let online = if *is_online { "yes" } else { "no" };
        println!(
            "{name:<20} {online:<7} {:<11} {digest:<10} {}",
            text("state"),
            newest.join(", ")
        );
    }
    println!("{} boxes", boxes.len());
    Ok(())
}

pub(super) fn watch(fleet: &str, way: &Way, seconds: Option<u64>) -> Result<(), ControllerError> {
    let clock = crate::clock::Clock::start();
    way.run(async |session: &mut Session| {
        session
            .subscribe(&format!("{}/gw/+/event", top(fleet)))
            .await?;
        loop {
            let now_ms = clock.now().monotonic_ms;
            let left = seconds.map_or(60_000, |it| (it * 1_000).saturating_sub(now_ms));
            if left == 0 {
                return Ok(());
            }
            if let Some((topic, bytes)) = session.next(left).await {
                let gateway = topic.rsplit('/').nth(1).unwrap_or("-").to_owned();
                println!("{gateway} {}", String::from_utf8_lossy(&bytes));
            }
        }
    })
}

pub(super) fn diff(path: &Path, way: &Way) -> Result<(), ControllerError> {
    let next = open(&key_files::read(path)?)?;
    let topic = desired(&top(&next.scope.fleet), &next.scope);
    let now = way.run(async |session: &mut Session| {
        session.subscribe(&topic).await?;
        Ok(session.next(RETAINED_MS).await)
    })?;
    let now = now.and_then(|(_, bytes)| open(&bytes).ok());
    let generation = now.as_ref().map_or(0, |it| it.generation);
    println!(
        "{}: generation {generation} -> {}",
        next.scope.path(),
        next.generation
    );
    let empty = Value::Object(serde_json::Map::new());
    let before = now.as_ref().map_or(&empty, |it| &it.config);
    let keys: std::collections::BTreeSet<String> = leaves(before)
        .into_iter()
        .chain(leaves(&next.config))
        .map(|leaf| leaf.0)
        .collect();
    for key in keys {
        let (old, new) = (before.pointer(&key), next.config.pointer(&key));
        if old != new {
            let text = |it: Option<&Value>| it.map_or_else(|| "-".to_owned(), Value::to_string);
            println!("  {key}: {} -> {}", text(old), text(new));
        }
    }
    Ok(())
}
