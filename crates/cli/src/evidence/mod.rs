//! `evidence`: the methods raced natively, and `docs/evidence.md` written from what came of it.
//!
//! `race`, `layers` and `pool` do the work, each unit a process of its own with `--json`; this command reads what they
//! print, so it names no tensor. Every unit is kept under `target/evidence`, so that breaking off costs one unit at most.

mod claims;
mod document;
mod findings;
mod plan;
mod pools;
mod races;
mod results;
mod store;
mod tables;
mod work;

use clap::Args;
use heirloom_plan::protocol::Engine;
use plan::{Profile, Unit};
use results::Results;
use std::path::PathBuf;
use std::time::Duration;
use store::{Record, State, Store, Versions};

/// A sentence for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

/// Races all methods and writes docs/evidence.md; goes on where it was broken off
#[derive(Debug, Args)]
pub struct EvidenceOptions {
    /// Larger races, for a GPU or a night
    #[arg(long)]
    full: bool,
    /// Says what is done
    #[arg(long)]
    list: bool,
    /// Runs units again and compares with what was kept
    #[arg(long)]
    check: bool,
    /// Results of another version count
    #[arg(long)]
    accept_old: bool,
    /// Only units whose name holds this
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// Begins no unit after so many minutes
    #[arg(long)]
    minutes: Option<u64>,
    /// Units at a time; as many as there are processors, because the CPU engine has one thread
    #[arg(long)]
    jobs: Option<usize>,
    /// A folder with models and pictures for --full
    #[arg(long, default_value = "../shared/data")]
    data: String,
    /// Where it is computed: cpu or webgpu
    #[arg(long, value_parser = crate::options::engine, default_value = "cpu")]
    engine: Engine,
}

/// Where things are.
struct Checkout {
    root: PathBuf,
    /// Cargo's target directory.
    target: PathBuf,
}

impl Checkout {
    /// The checkout around the current folder, and the target directory that this program was built into.
    fn find() -> Result<Self> {
        let unknown = |error: std::io::Error| format!("neither this folder nor this program can be found: {error}");
        let (here, program) = (std::env::current_dir().map_err(unknown)?, std::env::current_exe().map_err(unknown)?);
        let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
        let root = root.ok_or("this folder is in no checkout: start the command inside one")?.to_path_buf();
        let target = program.ancestors().nth(2).ok_or("this program was not built by cargo: build it with cargo")?;
        Ok(Self { root, target: target.to_path_buf() })
    }
}

/// Runs what is asked for and writes the document.
///
/// # Errors
/// A sentence, when something is missing, units fail, or numbers differ from those that were kept.
pub fn run(options: &EvidenceOptions) -> Result<()> {
    let checkout = Checkout::find()?;
    let data = options.data.trim_end_matches('/');
    let mut profile = if options.full { plan::full(&checkout.root, data) } else { plan::cpu() };
    profile.engine = options.engine;
    let missing = profile.worlds.iter().flat_map(|world| [&world.model, &world.pictures]);
    if let Some(path) = missing.into_iter().find(|path| !checkout.root.join(path).exists()) {
        return Err(format!("`{path}` is missing: the checkout is not whole"));
    }
    let units = profile.units();
    let store = Store::open(checkout.target.join("evidence"))?;
    let mut versions = Versions::of(&checkout.root)?;
    let versions = units.iter().map(|unit| versions.version(unit)).collect::<Result<Vec<_>>>()?;
    let is_wanted = |unit: &Unit| options.only.as_ref().is_none_or(|pattern| unit.id.contains(pattern));
    let states = || units.iter().zip(&versions).map(|(unit, version)| store.state(unit, version));
    if options.list {
        list(&units, states(), is_wanted);
        return Ok(());
    }
    let todo: Vec<(&Unit, &str, State)> = units
        .iter()
        .zip(&versions)
        .zip(states())
        .filter(|((unit, _), _)| is_wanted(unit))
        .map(|((unit, version), state)| (unit, &**version, state))
        .filter(|(_, _, state)| state.record(options.accept_old).is_some() == options.check)
        .collect();
    let jobs =
        options.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |jobs| jobs.max(1));
    let limit = options.minutes.map(|minutes| Duration::from_secs(60 * minutes));
    let workers = work::Workers { checkout: &checkout, store: &store, jobs, limit };
    let done = if options.check { workers.check(todo) } else { workers.run(todo) };
    write(&checkout, &profile, &units, states().collect(), options.accept_old)?;
    done
}

fn list(units: &[Unit], states: impl Iterator<Item = State>, is_wanted: impl Fn(&Unit) -> bool) {
    let (mut done, mut seconds) = (0, 0.0);
    for (unit, state) in units.iter().zip(states).filter(|(unit, _)| is_wanted(unit)) {
        let word = match &state {
            State::Done(record) => {
                done += 1;
                seconds += record.seconds;
                format!("done in {:.0} s", record.seconds)
            }
            State::Old(record) => format!("of another version ({})", record.commit),
            State::Missing => "-".to_owned(),
        };
        println!("{:<48} {word}", unit.id);
    }
    println!("\n{done} done in {:.0} min of run time", seconds / 60.0);
}

/// Writes document and pictures from the results there are.
fn write(checkout: &Checkout, profile: &Profile, units: &[Unit], states: Vec<State>, takes_old: bool) -> Result<()> {
    let records: Vec<(&Unit, &Record)> =
        units.iter().zip(&states).filter_map(|(unit, state)| Some((unit, state.record(takes_old)?))).collect();
    let results = Results::of(records.iter().map(|(unit, record)| (*unit, &record.result)));
    let document = document::document(profile, units, &results, &records);
    let docs = checkout.root.join("docs");
    let pictures = docs.join(document::folder(profile));
    let failed = |error: std::io::Error| format!("`{}` cannot be written: {error}", docs.display());
    // Pictures of units that are gone must not stay.
    if pictures.exists() {
        std::fs::remove_dir_all(&pictures).map_err(failed)?;
    }
    std::fs::create_dir_all(&pictures).map_err(failed)?;
    for (name, svg) in &document.pictures {
        std::fs::write(pictures.join(name), svg).map_err(failed)?;
    }
    let file = docs.join(format!("{}.md", document::folder(profile)));
    std::fs::write(&file, &document.text).map_err(failed)?;
    println!("{} of {} units are in {}", records.len(), units.len(), file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::EvidenceOptions;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: EvidenceOptions,
    }

    fn read(words: &str) -> Result<EvidenceOptions, clap::Error> {
        Line::try_parse_from(format!("evidence {words}").split_whitespace()).map(|line| line.options)
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let found = read("--full --only pool/ --minutes 5 --jobs 0 --data a/b/").unwrap();
        assert!(found.full && !found.check && !found.list);
        assert_eq!((found.only.as_deref(), found.jobs, &*found.data), (Some("pool/"), Some(0), "a/b/"));
        assert_eq!(found.minutes, Some(5));
        for wrong in ["--what", "--minutes", "--minutes x", "--engine gpu"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
