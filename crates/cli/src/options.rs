//! Options that commands share.

use std::path::PathBuf;

use clap::Args;
use heirloom_plan::protocol::Engine;

/// What a command works on.
#[derive(Debug, Args)]
pub struct Inputs {
    /// The model: a checkpoint file, or a folder with its shards and config.json
    pub model: PathBuf,
    /// A folder or zip with a folder per class
    pub pictures: PathBuf,
    /// Prints one JSON object
    #[arg(long)]
    pub json: bool,
    /// Where it is computed: cpu or webgpu
    #[arg(long, value_parser = engine, default_value = "cpu")]
    pub engine: Engine,
}

/// An engine by its name.
pub fn engine(name: &str) -> Result<Engine, String> {
    choice(name, &[("cpu", Engine::Cpu), ("webgpu", Engine::WebGpu)])
}

/// One of several by its name.
pub fn choice<T: Copy>(name: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(one, _)| *one == name.trim());
    let names = || known.iter().map(|(one, _)| *one).collect::<Vec<_>>().join(", ");
    found.map(|(_, choice)| *choice).ok_or_else(|| format!("found `{name}`, expected one of: {}", names()))
}
