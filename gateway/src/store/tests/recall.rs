//! What was written earlier is read again while the store is in use.

use super::*;

fn checkpoint(running: &Running, entries_max: u64) -> Option<u64> {
    match running.ask(Request::Recall(Recall::Checkpoint { entries_max })) {
        Reply::Recalled(Recalled::Checkpoint(found)) => found.map(|(position, state)| {
            assert_eq!(state, format!("state at {position}").into_bytes());
            position
        }),
        other => panic!("{other:?}"),
    }
}

fn recalled(running: &Running, from: u64, bytes_max: usize) -> Vec<Vec<u8>> {
    match running.ask(Request::Recall(Recall::Chunks { from, bytes_max })) {
        Reply::Recalled(Recalled::Chunks(chunks)) => chunks,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_oldest_checkpoint_near_enough_is_read_and_the_newest_if_none_is() {
    let folder = TempDir::new().expect("a folder");
    let mut running = start_in(folder.path());
    assert_eq!(checkpoint(&running, 1_000), None);
    for (position, saved) in [(0, Some(10)), (10, None), (20, Some(30)), (30, None)] {
        let mut commit = chunk(position, b"journal");
        if let Some(saved) = saved {
            commit = with_checkpoint(commit, saved);
        }
        running.commit(commit).expect("committed");
    }
    assert_eq!(checkpoint(&running, 1_000), Some(10));
    assert_eq!(checkpoint(&running, 20), Some(10));
    assert_eq!(checkpoint(&running, 19), Some(30));
    running.commit(chunk(100, b"journal")).expect("committed");
    assert_eq!(checkpoint(&running, 20), Some(30));
}

#[test]
fn chunks_come_in_order_from_the_one_that_holds_the_position_and_by_slices() {
    let folder = TempDir::new().expect("a folder");
    let mut running = start_in(folder.path());
    assert!(recalled(&running, 0, 100).is_empty());
    for (position, bytes) in [(0, b"aaaa"), (10, b"bbbb"), (20, b"cccc")] {
        running.commit(chunk(position, bytes)).expect("committed");
    }
    assert_eq!(recalled(&running, 0, 100), [b"aaaa", b"bbbb", b"cccc"]);
    assert_eq!(recalled(&running, 12, 100), [b"bbbb", b"cccc"]);
    assert_eq!(recalled(&running, 12, 7), [b"bbbb"]);
    assert_eq!(recalled(&running, 0, 1), [b"aaaa"]);
    assert_eq!(recalled(&running, 99, 100), [b"cccc"]);
}
