//! The engine on the command line: the page's own code, natively.
//!
//! Every command takes a MODEL, a checkpoint file or a folder with its shards and `config.json`, and says how far it is on
//! standard error. With `--json` standard output holds one JSON object, else a table.

mod evaluate;
mod evidence;
mod layers;
mod logits;
mod measure;
mod options;
mod pool;
mod pretrain;
mod race;
mod reports;
mod session;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Whatever went wrong, as a sentence.
type Failure = Box<dyn std::error::Error>;

/// The engine of Heirloom on the command line
#[derive(Debug, Parser)]
#[command(name = "heirloom-cli")]
struct Line {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Measure(measure::MeasureOptions),
    Evaluate(evaluate::EvaluateOptions),
    Logits(logits::LogitsOptions),
    Race(race::RaceOptions),
    Layers(layers::LayersOptions),
    Pool(pool::PoolOptions),
    Pretrain(Box<pretrain::PretrainOptions>),
    Evidence(evidence::EvidenceOptions),
}

fn main() -> ExitCode {
    let done = match Line::parse().task {
        Task::Measure(options) => pollster::block_on(measure::run(&options)),
        Task::Evaluate(options) => pollster::block_on(evaluate::run(&options)),
        Task::Logits(options) => pollster::block_on(logits::run(&options)),
        Task::Race(options) => pollster::block_on(race::run(&options)),
        Task::Layers(options) => pollster::block_on(layers::run(&options)),
        Task::Pool(options) => pollster::block_on(pool::run(&options)),
        Task::Pretrain(options) => pollster::block_on(pretrain::run(&options)),
        Task::Evidence(options) => evidence::run(&options).map_err(Failure::from),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use clap::{CommandFactory, Parser};

    #[test]
    fn options_of_all_commands_fit_each_other() {
        Line::command().debug_assert();
    }

    #[test]
    fn commands_of_the_evidence_are_understood() {
        for line in [
            "race m p --arms inherited,scratch,line --size 32 --layers 4 --lr 5e-4 --share 0.1 --heads 6 --seeds 1 --json",
            "layers m p --arms inherited,whole --k 3 --pseudo-layers 3 --every 10 --engine cpu --first-seed 2 --json",
            "pool m p --blocks 6 --widths 64,128 --start least-squares --seeds 1 --json",
            "pool m p --basis random --no-standardising --no-tying --no-nesting --places three --feature-weight 3",
            "pool m p --basis learned --places published --stitch-lr 5e-4 --sn-net --label-only",
            "pool m p --sn-net --engine webgpu",
        ] {
            let words = std::iter::once("heirloom-cli").chain(line.split_whitespace());
            Line::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        assert!(Line::try_parse_from("heirloom-cli layers m p --arms tleg".split_whitespace()).is_err());
    }
}
