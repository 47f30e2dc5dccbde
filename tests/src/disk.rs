//! A store that a test waits for.

use std::sync::mpsc::{Receiver, sync_channel};

use gateway::commit::Commit;
use gateway::store::{Opened, Reply, Request, Writer};

/// A real store, waited for.
pub struct Disk {
    writer: Writer,
    replies: Receiver<Reply>,
}

impl Disk {
    /// Gives the store to its thread.
    ///
    /// # Panics
    /// If there can be no thread.
    #[expect(clippy::expect_used, reason = "a test ends where it has no disk")]
    pub fn start(opened: Opened) -> Self {
        let (sender, replies) = sync_channel(4);
        let writer = opened.start(move |reply| {
            // The test may be over.
            let _ = sender.send(reply);
        });
        Self {
            writer: writer.expect("a thread"),
            replies,
        }
    }

    /// Makes it durable.
    ///
    /// # Panics
    /// If the store fails.
    pub fn commit(&self, commit: Box<Commit>) -> Box<Commit> {
        assert!(
            self.writer.request(Request::Commit(commit)).is_ok(),
            "the store takes it"
        );
        match self.replies.recv() {
            Ok(Reply::Committed { commit, .. }) => commit,
            other => panic!("not committed: {other:?}"),
        }
    }
}
