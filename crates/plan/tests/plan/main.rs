//! The rules of the methods and what is told of races: native, in seconds, for there is no burn in them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod cluster_account;
mod cluster_golden;
mod cluster_plan;
mod cluster_scalars;
mod descendant;
mod experiment;
mod journal;
mod notice;
mod published_stitches;
mod settings;
mod statistics;
mod tied;
