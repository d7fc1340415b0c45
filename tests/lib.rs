//! The tests are in `heirloom/`; this library is empty.
