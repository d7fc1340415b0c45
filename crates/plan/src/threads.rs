//! Threads that compute a step together.

/// Parts of a batch on the CPU engine, whatever computes them: a property of the race, so that all machines get the same
/// curves. More of them would cost a single thread more than helpers gain.
pub const PARTS: usize = 4;

/// Threads beyond which a step gets no faster.
pub const MOST_CORES: usize = PARTS;
