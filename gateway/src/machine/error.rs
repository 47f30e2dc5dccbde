//! Why a saved state cannot be gone on with.

use super::state::STATE_VERSION;

/// A saved state that cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Too short, or broken.
    #[error("the checkpoint is no state of this program")]
    Header,
    /// Another release wrote it.
    #[error("the checkpoint has version {0}, this release reads {STATE_VERSION}")]
    Version(u8),
    /// The pipeline refuses its part.
    #[error("the checkpoint's pipeline: {0}")]
    Pipeline(pipeline::RestoreError),
    /// The plan and the memory do not fit each other.
    #[error("the pipeline's plan: {0}")]
    Unusable(pipeline::Unusable),
}

impl StateError {
    /// Whether another release could go on with it.
    #[must_use]
    pub const fn is_of_another_release(&self) -> bool {
        matches!(
            self,
            Self::Version(_) | Self::Pipeline(pipeline::RestoreError::Version(_))
        )
    }
}
