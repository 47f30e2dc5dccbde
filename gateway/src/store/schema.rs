//! Shape of the database: how it is opened, its tables, and the way there from older versions.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use core::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Settings, StoreError, suspicion, with_suffix};

/// Marks the file as ours in its header ("TGat").
pub(super) const APPLICATION_ID: u32 = u32::from_be_bytes(*b"TGat");
/// One block of the usual file systems and SD cards.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Bytes of SQLite's header (https://sqlite.org/fileformat2.html, section 1.3).
const HEADER_BYTES: usize = 100;

/// `MIGRATIONS[n]` leads from version n to n + 1; entries are never changed, only added.
pub(super) const MIGRATIONS: &[&str] = &[
    // A key of `outbox` holds the lane in its upper 8 bits and the sequence in the lower 56: one B-tree,
    // in the order in which rows are forwarded.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE journal (position INTEGER PRIMARY KEY, chunk BLOB NOT NULL) STRICT;
     CREATE TABLE checkpoint (position INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT;
     CREATE TABLE outbox (
         place INTEGER PRIMARY KEY,
         key TEXT NOT NULL,
         readings INTEGER NOT NULL,
         bytes BLOB NOT NULL
     ) STRICT;
     CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    // Whose ring it is. The tables are the same, but a program that does not know the ring would miss what stands in it.
    "INSERT INTO meta VALUES ('ring', random());",
];

/// Tables that are read at start; the outbox can be gigabytes and is only read when it is sent.
const CHECKED_AT_START: [&str; 4] = ["meta", "journal", "checkpoint", "state"];

/// Opens the file, makes it if there is none, and brings it to the newest version.
pub(super) fn connect(path: &Path, settings: &Settings) -> Result<Connection, StoreError> {
    check_header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection =
        Connection::open_with_flags(path, flags).map_err(StoreError::sqlite(path, "open it"))?;
    configure(&connection, settings).map_err(StoreError::sqlite(path, "configure it"))?;
    migrate(&connection, path, MIGRATIONS)?;
    check_content(&connection, path)?;
    Ok(connection)
}

/// SQLite takes some damaged headers for a file that it may only read, and a file without one for a new
/// file whose log it deletes. So these are refused first.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let tried = "read its header";
    let mut header = Vec::with_capacity(HEADER_BYTES);
    match File::open(path).and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut header))
    {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::io(path, tried)(error)),
    }
    let bytes_of = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let has_log = bytes_of(&with_suffix(path, "-wal")) > 0;
    if header.is_empty() && !has_log || is_our_header(&header) {
        Ok(())
    } else if header.iter().all(|byte| *byte == 0) && !has_log && bytes_of(path) <= PAGE_BYTES {
        // The power failed while the file was made: its first page has its length and no content. With a log, or
        // with more pages, it would have been in use.
        start_over(path)
    } else {
        Err(StoreError::corrupt(
            path,
            tried,
            "not a database of tidegate",
        ))
    }
}

fn start_over(path: &Path) -> Result<(), StoreError> {
    for file in [with_suffix(path, "-journal"), path.to_path_buf()] {
        if file.exists() {
            std::fs::remove_file(&file).map_err(StoreError::io(&file, "remove it"))?;
        }
    }
    Ok(())
}

fn is_our_header(header: &[u8]) -> bool {
    let in_wal_mode = header.get(18..20) == Some(&[2, 2]);
    // The mark stands in the log until the first checkpoint.
    let new_or_ours = [0, APPLICATION_ID].map(u32::to_be_bytes);
    header.len() == HEADER_BYTES
        && header.starts_with(b"SQLite format 3\0")
        && in_wal_mode
        && new_or_ours
            .iter()
            .any(|mark| header.get(68..72) == Some(mark))
}

fn configure(connection: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    // A close without a checkpoint must leave the files as a crash would: they may be about to be moved aside.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Exclusive before the first access: then the index of the log is in memory and no -shm file exists.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "page_size", PAGE_BYTES.cast_signed())?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -i64::from(settings.cache_bytes / 1024))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let pages = (settings.database_bytes_max() / PAGE_BYTES).clamp(1, u64::from(u32::MAX - 1));
    connection.pragma_update(None, "max_page_count", pages.cast_signed())?;
    Ok(())
}

/// Runs the migrations that are missing, each in its own transaction.
pub(super) fn migrate(
    connection: &Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<(), StoreError> {
    let failed = || StoreError::sqlite(path, "migrate its schema");
    let found = schema_version(connection, path)?;
    let known = migrations.len() as u64;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known,
        });
    }
    for (version, sql) in (1..)
        .zip(migrations)
        .skip(usize::try_from(found).unwrap_or(usize::MAX))
    {
        let migration = format!(
            "BEGIN IMMEDIATE;
             PRAGMA application_id = {APPLICATION_ID};
             {sql}
             PRAGMA user_version = {version};
             INSERT OR REPLACE INTO meta VALUES ('schema', {version});
             COMMIT;"
        );
        connection.execute_batch(&migration).map_err(failed())?;
    }
    Ok(())
}

/// The version stands in the header and in a table: a damaged header must not pass for a newer program's file.
pub(super) fn schema_version(connection: &Connection, path: &Path) -> Result<u64, StoreError> {
    let failed = || StoreError::sqlite(path, "read its schema version");
    let header: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed())?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed())?;
    if header == 0 && tables == 0 {
        return Ok(0);
    }
    let table: i64 = connection
        .query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| {
            row.get(0)
        })
        .map_err(failed())?;
    match u64::try_from(header) {
        Ok(version) if header == table => Ok(version),
        _ => Err(StoreError::corrupt(
            path,
            "read its schema version",
            format!("the header says {header}, the content {table}"),
        )),
    }
}

/// Reads what the start depends on; all of it if the last process met corruption.
fn check_content(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let suspicion = suspicion(path);
    if !suspicion.exists() {
        return CHECKED_AT_START.iter().try_for_each(|table| {
            run_check(connection, path, &format!("PRAGMA quick_check({table})"))
        });
    }
    run_check(connection, path, "PRAGMA integrity_check")?;
    std::fs::remove_file(&suspicion).map_err(StoreError::io(&suspicion, "remove it"))
}

pub(super) fn run_check(
    connection: &Connection,
    path: &Path,
    pragma: &str,
) -> Result<(), StoreError> {
    let tried = "check its content";
    let finding: String = connection
        .query_row(pragma, [], |row| row.get(0))
        .map_err(StoreError::sqlite(path, tried))?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(StoreError::corrupt(path, tried, finding))
    }
}
