//! From one shape of the database to the next.

use super::*;

#[test]
fn migrations_lead_from_any_version_to_the_newest_once() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    let connection = connect(&path, &Settings::default()).expect("version 2");
    connection
        .execute("INSERT INTO state VALUES (x'6b', x'76')", [])
        .expect("a row of version 2");
    let more = [
        MIGRATIONS[0],
        MIGRATIONS[1],
        "ALTER TABLE state ADD COLUMN since INTEGER NOT NULL DEFAULT 5;",
        "CREATE TABLE added (value INTEGER) STRICT; INSERT INTO added VALUES (1);",
    ];
    for _ in 0..2 {
        migrate(&connection, &path, &more).expect("newer");
        let added: i64 = connection
            .query_row(
                "SELECT (SELECT sum(value) FROM added) + since FROM state",
                [],
                |row| row.get(0),
            )
            .expect("the row of version 2 in the shape of version 4");
        assert_eq!(added, 6);
    }
    drop(connection);
    match open(dir.path(), Settings::default()) {
        Err(
            error @ StoreError::Newer {
                found: 4, known: 2, ..
            },
        ) => {
            assert!(error.to_string().contains("install the newer version"));
        }
        other => panic!("{other:?}"),
    }
    assert!(path.exists(), "a newer program's file stays where it is");
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join(FILE_NAME);
    let connection = connect(&path, &Settings::default()).expect("version 1");
    let broken = [
        MIGRATIONS[0],
        MIGRATIONS[1],
        "CREATE TABLE added (value INTEGER); INSERT INTO missing VALUES (1);",
    ];
    migrate(&connection, &path, &broken).expect_err("there is no such table");
    drop(connection);
    let (recovered, _opened) = open_in(dir.path());
    assert_eq!(recovered.moved_aside, None);
}
