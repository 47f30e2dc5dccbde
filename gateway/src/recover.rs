//! The start: from what a crash left on the disk to the machine as it was.

use core::ops::ControlFlow;

use pipeline::Plan;

use crate::broker::Broker;
use crate::engine::Restored;
use crate::journal::Position;
use crate::machine::{Machine, Sizes, StateError};
use crate::replay::{Extent, Kept, Replay, ReplayError, replay};
use crate::store::{self, Opened, Recovered, StoreError};

/// Why there is no machine to go on with.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The config asks for more than its own limits give.
    #[error("{0}; raise `pipeline.sensors_max`, or ask for fewer windows")]
    State(#[from] StateError),
    /// Another release wrote the store. Going on would mean to forget what it holds.
    #[error(
        "the store was written by another release of tidegate: {what}; it is left as it is: install that release again, \
         or a later one"
    )]
    OtherRelease {
        /// What cannot be read.
        what: String,
    },
}

/// Opens the machine of a store: the newest checkpoint that can be read, and the journal behind it. A
/// store whose content makes no sense is moved aside, and a new one is begun; one of another release is left alone.
///
/// # Errors
/// [`RecoverError`] if there is no way to go on.
pub fn recover(
    recovered: Recovered,
    opened: Opened,
    plan: &Plan,
    sizes: &Sizes,
) -> Result<(Restored, Opened), RecoverError> {
    let extent = recovered.extent();
    let unusable = |position: u64, error: &StateError| {
        tracing::error!(%error, position, "a checkpoint cannot be used");
    };
    let nonsense = match replay(&extent, &opened, plan, sizes, unusable) {
        Ok(restored) => return Ok((restored, opened)),
        Err(ReplayError::Nonsense(nonsense)) => nonsense,
        Err(ReplayError::Kept(error)) => return Err(error.into()),
        Err(ReplayError::State(error)) => return Err(error.into()),
        Err(ReplayError::OtherRelease(what)) => return Err(RecoverError::OtherRelease { what }),
    };
    let why = nonsense.to_string();
    tracing::error!(%why, "the store cannot be gone on with: it is moved aside");
    let (recovered, opened) = opened.give_up(&why)?;
    let machine = Machine::new(plan, sizes)?;
    let restored = Replay::new(&recovered.extent(), machine, Position(0)).finish();
    Ok((restored, opened))
}

/// Gives the broker its retained messages and sessions.
///
/// # Errors
/// [`StoreError`] if they cannot be read.
pub fn restore_broker(opened: &Opened, broker: &mut Broker) -> Result<(), StoreError> {
    opened.for_each_state(|key, value| {
        if let Err(error) = broker.restore(key, value) {
            tracing::error!(%error, "a retained message or session cannot be restored");
        }
        ControlFlow::Continue(())
    })
}

impl Kept for Opened {
    type Error = StoreError;

    fn checkpoint(&self, position: u64) -> Result<Vec<u8>, StoreError> {
        self.checkpoint(position)
    }

    fn for_each_chunk(
        &self,
        position: u64,
        visit: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.for_each_chunk(position, visit)
    }
}

impl Recovered {
    fn extent(&self) -> Extent {
        Extent {
            epoch: self.epoch,
            checkpoints: self.checkpoints.clone(),
            last: self.last,
        }
    }
}

/// What `tidegate replay` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Position of the older checkpoint, from which the journal was replayed.
    pub from: Position,
    /// Position of the newer one.
    pub to: Position,
    /// Digest of the state that the replay arrived at.
    pub replayed: u64,
    /// Digest of the state that was saved while the gateway ran.
    pub saved: u64,
}

/// Replays the journal from the older checkpoint kept to the newer one, and compares. `None`: there are
/// no two checkpoints yet.
///
/// # Errors
/// [`RecoverError`] if store or checkpoints cannot be read.
pub fn compare(
    recovered: &Recovered,
    opened: &Opened,
    sizes: &Sizes,
) -> Result<Option<Compared>, RecoverError> {
    let [newer, older] = recovered.checkpoints[..] else {
        return Ok(None);
    };
    let goal = Machine::restore(&opened.checkpoint(newer)?, sizes)?;
    let saved = goal.digest();
    // A plan that came between them may need more memory than the older one had.
    let machine = Machine::restore(&opened.checkpoint(older)?, goal.sizes())?;
    let extent = recovered.extent();
    let mut replay = Replay::new(&extent, machine, Position(older));
    opened.for_each_chunk(older, |first, chunk| {
        if first >= newer || replay.apply(chunk).is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let compared = Compared {
        from: Position(older),
        to: Position(newer),
        replayed: replay.machine.digest(),
        saved,
    };
    Ok(Some(compared))
}

/// Opens the store of a config.
///
/// # Errors
/// [`StoreError`] if it cannot be opened.
pub fn open(
    dir: &std::path::Path,
    settings: store::Settings,
) -> Result<(Recovered, Opened), StoreError> {
    let (recovered, opened) = store::open(dir, settings)?;
    if let Some(moved) = &recovered.moved_aside {
        tracing::error!(path = %moved.path.display(), why = %moved.why, "a corrupt store was moved aside; a new one is begun");
    }
    if settings.ring_bytes > 0 && recovered.usage.ring_bytes == 0 {
        tracing::warn!(
            "the disk has no room for the store's ring, so commits cost it more; free some and restart"
        );
    }
    Ok((recovered, opened))
}
