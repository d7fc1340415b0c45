//! Compute kernels, one family a file.
