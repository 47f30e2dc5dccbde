//! A few seeds of the simulation in every run of the tests; `./test sim` runs thousands.

use tests::sim;

#[track_caller]
fn check(seed: u64) -> sim::Outcome {
    match sim::run(seed, false) {
        Ok(outcome) => outcome,
        Err(why) => panic!("seed {seed}: {why}; again with: tests/sim/run --seed {seed} --seeds 1"),
    }
}

#[test]
fn what_was_sent_arrives_whatever_fails() {
    for seed in 1..=12 {
        assert!(check(seed).records > 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_digest() {
    let outcomes = [5, 5, 8].map(check);
    assert_eq!(outcomes[0], outcomes[1]);
    assert_ne!(outcomes[0].digest, outcomes[2].digest);
}

#[test]
fn a_mark_that_was_not_reached_is_told() {
    let mut marks = sim::marks::Marks::default();
    marks.hit("kill");
    let missed = marks.missed();
    assert_eq!(missed.len() + 1, sim::marks::EXPECTED.len());
    assert!(!missed.contains(&"kill"));
}
