//! Files that were damaged: the store comes up, and says what it set aside.

use super::*;

fn filled(dir: &Path) -> Vec<u8> {
    let mut running = start_in(dir);
    for round in 0..40 {
        let commit = with_rows(
            chunk(round, &[9; 1000]),
            Lane::Telemetry,
            round + 1..=round + 1,
        );
        running.commit(commit).expect("durable");
    }
    running
        .commit(one_commit_of_everything_at(40))
        .expect("durable");
    running.close();
    fs::read(dir.join(FILE_NAME)).expect("the file")
}

fn one_commit_of_everything_at(position: u64) -> Commit {
    let mut commit = one_commit_of_everything();
    commit.position = position;
    commit
}

/// Opens, reads everything, writes, and opens again: at no point may there be more than a new start to make.
fn check_it_comes_up(dir: &Path) -> bool {
    let (recovered, opened) = open_in(dir);
    let mut moved = recovered.moved_aside.is_some();
    let walk = |opened: &Opened| -> Result<(), StoreError> {
        opened.for_each_chunk(0, |_, _| ControlFlow::Continue(()))?;
        opened.for_each_state(|_, _| ControlFlow::Continue(()))?;
        recovered
            .checkpoints
            .iter()
            .try_for_each(|position| opened.checkpoint(*position).map(drop))
    };
    let opened = match walk(&opened) {
        Ok(()) => opened,
        Err(error) => {
            moved = true;
            opened.give_up(&error.to_string()).expect("a new store").1
        }
    };
    let mut running = Running::start(opened);
    let first = running.commit(with_rows(chunk(1000, &[1; 9000]), Lane::Gap, 1000..=1000));
    drop(running);
    if let Err(error) = first {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let (recovered, opened) = open_in(dir);
        moved |= recovered.moved_aside.is_some();
        let mut running = Running::start(opened);
        running
            .commit(chunk(1000, b"again"))
            .expect("the new start works");
    }
    moved
}

#[test]
fn a_flipped_byte_ends_in_a_store_that_works() {
    let dir = TempDir::new().expect("a directory");
    let good = filled(dir.path());
    let mut moved = 0;
    let flips = 200;
    for round in 0..flips {
        let case = TempDir::new().expect("a directory");
        let mut bytes = good.clone();
        // Every place of the header first, then spread over the file.
        let at = if round < 100 {
            round
        } else {
            round * 7919 % bytes.len()
        };
        bytes[at] ^= 1 << (round % 8);
        fs::write(case.path().join(FILE_NAME), &bytes).expect("the damaged file");
        if check_it_comes_up(case.path()) {
            moved += 1;
            let aside = fs::read(case.path().join("tidegate.db.corrupt-1")).expect("it is kept");
            assert!(aside.len() >= bytes.len());
        }
    }
    assert!(
        moved > 20 && moved < flips,
        "{moved} of {flips} were moved aside"
    );
}

#[test]
fn a_file_cut_short_ends_in_a_store_that_works() {
    let dir = TempDir::new().expect("a directory");
    let good = filled(dir.path());
    for len in [0, 1, 99, 100, 4095, 4096, 8192, good.len() - 4096] {
        let case = TempDir::new().expect("a directory");
        fs::write(case.path().join(FILE_NAME), &good[..len]).expect("the damaged file");
        let moved = check_it_comes_up(case.path());
        assert_eq!(moved, len > 0, "cut to {len}");
    }
}

#[test]
fn a_log_without_its_database_is_kept() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    drop(running);
    let log = fs::read(dir.path().join("tidegate.db-wal")).expect("the log");
    for database in [None, Some(b"")] {
        let case = TempDir::new().expect("a directory");
        fs::write(case.path().join("tidegate.db-wal"), &log).expect("the log");
        if let Some(database) = database {
            fs::write(case.path().join(FILE_NAME), database).expect("an empty file");
        }
        let (recovered, _opened) = open_in(case.path());
        let aside = recovered.moved_aside.expect("moved aside");
        assert_eq!(
            fs::read(with_suffix(&aside.path, "-wal")).expect("it is kept"),
            log
        );
    }
}

#[test]
fn corrupt_files_are_moved_aside_beside_each_other_with_a_reason() {
    let dir = TempDir::new().expect("a directory");
    for number in 1..=3 {
        fs::write(dir.path().join(FILE_NAME), [b'x'; 5000]).expect("a file that is no database");
        fs::write(dir.path().join("tidegate.db-wal"), b"its log").expect("a log");
        let (recovered, opened) = open_in(dir.path());
        drop(opened);
        let aside = recovered.moved_aside.expect("moved aside");
        assert_eq!(
            aside.path,
            dir.path().join(format!("tidegate.db.corrupt-{number}"))
        );
        assert!(aside.why.contains("not a database"), "{}", aside.why);
        let log = fs::read(with_suffix(&aside.path, "-wal")).expect("the log goes with it");
        assert_eq!(log, b"its log");
    }
}

#[test]
fn a_store_whose_content_makes_no_sense_is_given_up_by_its_reader() {
    let dir = TempDir::new().expect("a directory");
    let mut running = start_in(dir.path());
    running.commit(one_commit_of_everything()).expect("durable");
    drop(running);
    let (_, opened) = open_in(dir.path());
    let (recovered, opened) = opened
        .give_up("chunk at 1: checksum mismatch")
        .expect("a new store");
    assert_eq!(
        recovered.moved_aside.expect("moved aside").why,
        "chunk at 1: checksum mismatch"
    );
    assert!(chunks(&opened, 0).is_empty() && recovered.epoch.is_none());
}

#[test]
fn after_corruption_was_met_the_next_start_reads_the_whole_file() {
    let dir = TempDir::new().expect("a directory");
    let mut bytes = filled(dir.path());
    // The outbox is the only table that an ordinary start does not read to the end.
    let at = bytes
        .windows(8)
        .position(|window| window == b"batch 20")
        .expect("a row");
    let page = at / 4096 * 4096;
    bytes[page] ^= 0xff;
    fs::write(dir.path().join(FILE_NAME), &bytes).expect("the damaged file");
    fs::write(
        dir.path().join("tidegate.db.suspect"),
        b"met by the last process",
    )
    .expect("the mark");
    let (recovered, _opened) = open_in(dir.path());
    assert!(recovered.moved_aside.is_some());
    assert!(!dir.path().join("tidegate.db.suspect").exists());
}

#[test]
fn a_suspicion_that_does_not_hold_is_dropped() {
    let dir = TempDir::new().expect("a directory");
    filled(dir.path());
    fs::write(
        dir.path().join("tidegate.db.suspect"),
        b"met by the last process",
    )
    .expect("the mark");
    let (recovered, _opened) = open_in(dir.path());
    assert_eq!(recovered.moved_aside, None);
    assert!(!dir.path().join("tidegate.db.suspect").exists());
}

/// A first page that came to the disk as zeros was moved aside as a corrupt store, although it never held anything.
#[test]
fn a_file_whose_making_was_cut_short_is_begun_anew() {
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join(FILE_NAME), vec![0; PAGE_BYTES as usize]).expect("a file");
    fs::write(dir.path().join("tidegate.db-journal"), vec![0; 512]).expect("a file");
    assert_eq!(open_in(dir.path()).0.moved_aside, None);
}

#[test]
fn a_large_file_whose_first_page_is_gone_is_moved_aside() {
    let dir = TempDir::new().expect("a directory");
    let mut bytes = filled(dir.path());
    bytes[..PAGE_BYTES as usize].fill(0);
    fs::write(dir.path().join(FILE_NAME), bytes).expect("a file");
    assert!(open_in(dir.path()).0.moved_aside.is_some());
}
