//! The ledger's file: opened to be gone on with, its torn end cut off.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use sensor_sim::ledger::{LedgerWriter, Record, Records};

/// Opens the ledger at `path`, or begins one; gives the number of the run that begins, from 1, too.
pub(crate) fn open(path: &Path) -> Result<(LedgerWriter<Box<dyn Write>>, u32)> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path);
    let mut file = file.with_context(|| format!("cannot open the ledger {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!(
                "the ledger {} is being written by another run; give this one its own",
                path.display()
            )
        }
        Err(std::fs::TryLockError::Error(error)) => {
            return Err(error).context("cannot lock the ledger");
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the ledger {}", path.display()))?;
    let mut records = Records::new(&bytes).with_context(|| path.display().to_string())?;
    let mut boot = 1;
    for record in records.by_ref() {
        if let Record::Run(run) = record.with_context(|| path.display().to_string())? {
            boot = boot.max(run.boot + 1);
        }
    }
    let whole_bytes = records.whole_bytes() as u64;
    file.set_len(whole_bytes)
        .context("cannot cut off the torn end of the ledger")?;
    file.seek(SeekFrom::Start(whole_bytes))?;
    // Less than the magic is as good as nothing.
    let ledger = if whole_bytes < 8 {
        file.set_len(0)?;
        file.rewind()?;
        let out: Box<dyn Write> = Box::new(file);
        LedgerWriter::create(out).context("cannot write the ledger")?
    } else {
        LedgerWriter::append(Box::new(file) as Box<dyn Write>)
    };
    Ok((ledger, boot))
}
