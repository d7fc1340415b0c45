//! Step 3 of Cluster-Learngene: how far every head looks, and which of them are alike.

pub mod actions;
mod attention;
mod chart;
pub mod state;
pub mod view;
