use super::*;
use crate::payload::sparkplug::Kind;

const NODE: Address<'_> = Address {
    group: "plant",
    kind: Kind::Birth,
    node: "line",
    device: None,
};

/// Sequence 5, and `bdSeq` 3.
const BIRTH: &[u8] = b"\x18\x05\x12\x0b\x0a\x05bdSeq\x20\x08\x58\x03";

fn born() -> (Nodes, NodeId, Name) {
    let mut nodes = Nodes::default();
    let name = node_name(&NODE).unwrap();
    let id = nodes.admit(&name).unwrap();
    nodes.begin(id, &Payload::read(BIRTH).unwrap());
    (nodes, id, name)
}

fn metric(alias: Option<u64>) -> Metric<'static> {
    let mut metric = Metric::default();
    metric.alias = alias;
    metric.datatype = Some(10);
    metric
}

#[test]
fn a_sequence_goes_on_from_the_birth_and_around_at_256() {
    let (mut nodes, id, _) = born();
    assert_eq!(nodes.follow(id, Some(6)), Order::Next);
    assert_eq!(nodes.follow(id, Some(8)), Order::Gap);
    assert_eq!(nodes.follow(id, Some(9)), Order::Next, "a gap is told once");
    assert_eq!(nodes.follow(id, Some(255)), Order::Gap);
    assert_eq!(nodes.follow(id, Some(0)), Order::Next);
    assert_eq!(nodes.follow(id, None), Order::Gap);
}

#[test]
fn a_death_belongs_to_the_life_it_was_written_for() {
    let (mut nodes, id, name) = born();
    nodes.note_death(&name, Some(2));
    assert_eq!(
        nodes.dying(),
        None,
        "the will of the connection before this one"
    );
    nodes.note_death(&name, Some(3));
    assert_eq!(nodes.dying(), Some(id));
    nodes.bury(id);
    assert_eq!(
        (nodes.dying(), nodes.follow(id, Some(6))),
        (None, Order::Unborn)
    );
}

#[test]
fn an_alias_stands_for_what_the_last_birth_said() {
    let (mut nodes, id, name) = born();
    let device = device_name(&Address {
        device: Some("pump"),
        ..NODE
    })
    .unwrap();
    nodes
        .announce(id, &name, &metric(Some(1)), Some(SensorId(10)))
        .unwrap();
    nodes
        .announce(id, &device, &metric(Some(2)), Some(SensorId(11)))
        .unwrap();
    nodes.announce(id, &device, &metric(Some(3)), None).unwrap();
    assert_eq!(
        nodes.by_alias(id, 2).and_then(|known| known.sensor),
        Some(SensorId(11))
    );
    assert_eq!(nodes.by_alias(id, 3).map(|known| known.sensor), Some(None));
    assert_eq!(nodes.by_alias(id, 4), None);
    assert_eq!(nodes.sensor(id, Some(&device), 0), Some(SensorId(11)));
    assert_eq!(nodes.sensor(id, Some(&device), 1), None);
    assert_eq!(nodes.sensor(id, None, 1), Some(SensorId(11)));
    nodes
        .announce(id, &device, &metric(Some(9)), Some(SensorId(11)))
        .unwrap();
    assert_eq!(nodes.by_alias(id, 2), None, "the device was born again");
    nodes.begin(id, &Payload::read(BIRTH).unwrap());
    assert_eq!(nodes.by_alias(id, 9), None);
}

#[test]
fn the_table_is_bounded_and_the_dead_make_room() {
    let mut nodes = Nodes::default();
    let name = |at: usize| -> Name { join(&["plant/", "n", &at.to_string()]).unwrap() };
    for at in 0..NODES_MAX {
        let id = nodes.admit(&name(at)).unwrap();
        nodes.begin(id, &Payload::read(BIRTH).unwrap());
    }
    assert_eq!(nodes.admit(&name(NODES_MAX)), Err(Full));
    nodes.note_death(&name(7), Some(3));
    nodes.bury(nodes.dying().unwrap());
    assert_eq!(nodes.admit(&name(NODES_MAX)), Ok(NodeId(7)));
    let id = nodes.admit(&name(0)).unwrap();
    for at in 0..METRICS_PER_NODE_MAX {
        let sensor = Some(SensorId(at as u16));
        nodes
            .announce(id, &name(0), &metric(Some(at as u64)), sensor)
            .unwrap();
    }
    assert_eq!(
        nodes.announce(id, &name(0), &metric(Some(9_999)), None),
        Err(Full)
    );
}

#[test]
fn a_node_is_asked_once_in_a_while() {
    let (mut nodes, id, _) = born();
    assert!(nodes.may_ask(id, Instant(50)));
    assert!(!nodes.may_ask(id, Instant(49 + REBIRTH_INTERVAL_MS)));
    assert!(nodes.may_ask(id, Instant(50 + REBIRTH_INTERVAL_MS)));
}
