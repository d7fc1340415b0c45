//! Cluster-Learngene.
