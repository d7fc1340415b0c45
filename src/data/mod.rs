//! Pictures: finding, decoding, resizing, splitting, loading.
