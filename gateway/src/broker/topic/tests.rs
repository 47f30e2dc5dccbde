use proptest::prelude::*;

use super::*;

#[test]
fn names_are_checked() {
    assert_eq!(TopicName::parse(""), Err(TopicError::Empty));
    assert_eq!(TopicName::parse("a/+"), Err(TopicError::Wildcard));
    assert_eq!(TopicName::parse("a#"), Err(TopicError::Wildcard));
    assert_eq!(TopicName::parse("a\0b"), Err(TopicError::Nul));
    assert_eq!(
        TopicName::parse(&"x".repeat(TOPIC_BYTES_MAX + 1)),
        Err(TopicError::TooLong)
    );
    assert_eq!(
        TopicName::parse(&"/".repeat(TOPIC_LEVELS_MAX)),
        Err(TopicError::TooDeep)
    );
    for name in [
        "a",
        "/",
        "a//b",
        "温度/1",
        "$SYS/x",
        " ",
        &"/".repeat(TOPIC_LEVELS_MAX - 1),
    ] {
        assert_eq!(TopicName::parse(name).map(TopicName::as_str), Ok(name));
    }
}

#[test]
fn filters_are_checked() {
    for filter in ["a/#/b", "a#", "#a", "a/b#", "+a", "a+/b", "##", "++"] {
        assert_eq!(
            TopicFilter::parse(filter),
            Err(TopicError::WildcardPlace),
            "{filter}"
        );
    }
    for (filter, wild) in [
        ("a", false),
        ("#", true),
        ("a/#", true),
        ("+/+", true),
        ("+/a/#", true),
        ("/", false),
    ] {
        assert_eq!(
            TopicFilter::parse(filter).map(TopicFilter::is_wild),
            Ok(wild),
            "{filter}"
        );
    }
}

#[test]
fn shares_are_taken_apart() {
    let shared = Subscribed::parse("$share/group/a/+/#").expect("valid");
    assert_eq!(
        (shared.share, shared.filter.as_str()),
        (Some("group"), "a/+/#")
    );
    let plain = Subscribed::parse("$shared/x").expect("valid");
    assert_eq!((plain.share, plain.filter.as_str()), (None, "$shared/x"));
    for text in [
        "$share",
        "$share/",
        "$share/g",
        "$share/g/",
        "$share//a",
        "$share/g+/a",
        "$share/#/a",
    ] {
        assert_eq!(Subscribed::parse(text), Err(TopicError::Share), "{text}");
    }
}

#[test]
fn a_filter_covers_what_it_means_in_full() {
    let covers = |wide: &str, narrow: &str| {
        TopicFilter::parse(wide)
            .expect("valid")
            .covers(TopicFilter::parse(narrow).expect("valid"))
    };
    for (wide, narrow) in [
        ("#", "a/#"),
        ("#", "+"),
        ("a/#", "a"),
        ("a/#", "a/+/b"),
        ("+/b", "a/b"),
        ("a/b", "a/b"),
        ("+/#", "a/#"),
    ] {
        assert!(covers(wide, narrow), "{wide} covers {narrow}");
    }
    for (wide, narrow) in [
        ("a/#", "#"),
        ("a/+", "a/#"),
        ("a", "+"),
        ("+", "a/b"),
        ("a/b", "a/+"),
        ("#", "$SYS/#"),
        ("+/a", "$SYS/a"),
    ] {
        assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
    }
}

fn level() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("")]
}

fn filter() -> impl Strategy<Value = String> {
    let inner = prop_oneof![Just("a"), Just("b"), Just(""), Just("+")];
    (proptest::collection::vec(inner, 1..4), any::<bool>()).prop_map(|(mut levels, all)| {
        if all {
            levels.push("#");
        }
        levels.join("/")
    })
}

proptest! {
    /// Held against all topics of up to four levels over three words.
    #[test]
    fn covering_means_matching_at_least_as_much(wide in filter(), narrow in filter()) {
        let (Ok(wide), Ok(narrow)) = (TopicFilter::parse(&wide), TopicFilter::parse(&narrow)) else { return Ok(()) };
        let mut all = true;
        for depth in 1..=4_u32 {
            for number in 0..3_usize.pow(depth) {
                let words = (0..depth).map(|nth| ["a", "b", "c"][number / 3_usize.pow(nth) % 3]);
                let name = words.collect::<Vec<_>>().join("/");
                all &= !narrow.matches(&name) || wide.matches(&name);
            }
        }
        if wide.covers(narrow) {
            prop_assert!(all, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn a_filter_covers_itself_and_matches_its_own_name(levels in proptest::collection::vec(level(), 1..6)) {
        let text = levels.join("/");
        if let Ok(filter) = TopicFilter::parse(&text) {
            prop_assert!(filter.covers(filter));
            prop_assert!(filter.matches(&text));
        }
    }
}
