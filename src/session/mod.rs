//! Page and engine, and what they say to each other. The page's end of the wire, `link`, belongs to the page's program alone.

pub mod journal;
pub mod protocol;
