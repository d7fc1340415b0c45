//! Names for what is opened and trained.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tells apart what was ever opened or trained, so that the store knows what it has written already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u64);

impl Default for Id {
    /// One that nothing else has.
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
