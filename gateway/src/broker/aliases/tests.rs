use super::*;

#[test]
fn an_alias_stands_for_the_last_topic_it_was_given() {
    let mut tables = AliasTables::new(1, 2);
    let table = tables.lend().expect("one is free");
    assert_eq!(tables.topic(&table, 1), None);
    assert!(tables.set(&table, 1, "a/long/topic"));
    assert!(tables.set(&table, 1, "b"));
    assert_eq!(tables.topic(&table, 1), Some("b"));
    assert!(!tables.set(&table, 0, "x"));
    assert!(!tables.set(&table, 3, "x"));
}

#[test]
fn tables_are_lent_empty_and_come_back() {
    let mut tables = AliasTables::new(2, 1);
    let (first, second) = (tables.lend().expect("free"), tables.lend().expect("free"));
    assert_eq!(tables.lend(), None);
    assert!(tables.set(&first, 1, "a"));
    assert!(tables.set(&second, 1, "b"));
    assert_eq!(
        (tables.topic(&first, 1), tables.topic(&second, 1)),
        (Some("a"), Some("b"))
    );
    tables.take_back(first);
    let third = tables.lend().expect("free again");
    assert_eq!(tables.topic(&third, 1), None);
}

#[test]
fn topics_are_assigned_until_the_client_takes_no_more() {
    let mut tables = AliasTables::new(1, 4);
    let table = tables.lend().expect("one is free");
    assert_eq!(tables.assign(&table, 2, "a", true), Some((1, false)));
    assert_eq!(tables.assign(&table, 2, "a", true), Some((1, true)));
    assert_eq!(tables.assign(&table, 2, "b", true), Some((2, false)));
    assert_eq!(tables.assign(&table, 2, "c", true), None);
    assert_eq!(tables.assign(&table, 3, "c", false), None);
    assert_eq!(tables.assign(&table, 3, "b", false), Some((2, true)));
    assert_eq!(tables.assign(&table, 2, "b", true), Some((2, true)));
}

#[test]
fn the_longest_topic_fits() {
    let mut tables = AliasTables::new(1, 1);
    let table = tables.lend().expect("one is free");
    let topic = "x".repeat(TOPIC_BYTES_MAX);
    assert!(tables.set(&table, 1, &topic));
    assert_eq!(tables.topic(&table, 1), Some(topic.as_str()));
}

#[test]
fn without_aliases_there_is_no_table() {
    assert_eq!(AliasTables::new(4, 0).lend(), None);
}
