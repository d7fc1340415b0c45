//! `cargo xtask evidence`: the methods raced natively, and `docs/evidence.md` written from what came of it.
//!
//! The examples do the work, as programs of their own; this one reads what they print, so it names no tensor. Every unit
//! of work is kept under `target/evidence`, so that breaking off costs one unit at most.

#[allow(dead_code, reason = "the page uses all of it")]
#[path = "../../../src/charts/axis.rs"]
mod axis;
mod chart;
mod claims;
mod document;
mod json;
#[allow(dead_code, reason = "the page uses all of it")]
#[path = "../../../src/charts/marks.rs"]
mod marks;
mod numbers;
mod plan;
mod pools;
mod races;
mod results;
mod store;
mod tables;
mod work;

use crate::house::{House, Result};
use plan::{Profile, Unit};
use results::Results;
use std::time::Duration;
use store::{Record, State, Store, Versions};

/// What is asked for.
struct Options {
    is_full: bool,
    lists: bool,
    checks: bool,
    takes_old: bool,
    only: Option<String>,
    limit: Option<Duration>,
    jobs: usize,
    data: String,
    engine: String,
}

fn options(arguments: &[String]) -> Result<Options> {
    // The CPU engine has one thread, so that as many units run side by side as there are processors.
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = Options {
        is_full: false,
        lists: false,
        checks: false,
        takes_old: false,
        only: None,
        limit: None,
        jobs,
        data: "../shared/data".to_owned(),
        engine: "cpu".to_owned(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("`{argument}` needs a value"));
        let mut number = || {
            let value = value()?;
            value.parse::<usize>().map_err(|_| format!("`{argument}` needs a number, found `{value}`"))
        };
        match argument.as_str() {
            "--full" => found.is_full = true,
            "--list" => found.lists = true,
            "--check" => found.checks = true,
            "--accept-old" => found.takes_old = true,
            "--minutes" => found.limit = Some(Duration::from_secs(60 * number()? as u64)),
            "--jobs" => found.jobs = number()?.max(1),
            "--only" => found.only = Some(value()?.clone()),
            "--data" => found.data = value()?.trim_end_matches('/').to_owned(),
            "--engine" => {
                found.engine = match value()?.as_str() {
                    engine @ ("cpu" | "webgpu") => engine.to_owned(),
                    other => return Err(format!("`{other}` is no engine; `cpu` and `webgpu` are")),
                }
            }
            other => return Err(format!("`evidence` does not know `{other}`")),
        }
    }
    Ok(found)
}

/// `cargo xtask evidence [--full] [--list] [--check] [--only PATTERN] [--minutes N] [--jobs N] [--accept-old]
/// [--data DIR] [--engine cpu|webgpu]`
pub fn evidence(house: &House, arguments: &[String]) -> Result<()> {
    let options = options(arguments)?;
    let mut profile = if options.is_full { plan::full(&house.root, &options.data) } else { plan::cpu() };
    profile.engine.clone_from(&options.engine);
    let missing = profile.worlds.iter().flat_map(|world| [&world.model, &world.pictures]);
    if let Some(path) = missing.into_iter().find(|path| !house.root.join(path).exists()) {
        return Err(format!("`{path}` is missing: the checkout is not whole"));
    }
    let units = profile.units();
    let store = Store::open(house.target.join("evidence"))?;
    let mut versions = Versions::of(&house.root)?;
    let versions = units.iter().map(|unit| versions.version(unit)).collect::<Result<Vec<_>>>()?;
    let is_wanted = |unit: &Unit| options.only.as_ref().is_none_or(|pattern| unit.id.contains(pattern));
    let states = || units.iter().zip(&versions).map(|(unit, version)| store.state(unit, version));
    if options.lists {
        list(&units, states(), is_wanted);
        return Ok(());
    }
    let todo: Vec<(&Unit, &str, State)> = units
        .iter()
        .zip(&versions)
        .zip(states())
        .filter(|((unit, _), _)| is_wanted(unit))
        .map(|((unit, version), state)| (unit, &**version, state))
        .filter(|(_, _, state)| state.record(options.takes_old).is_some() == options.checks)
        .collect();
    let workers = work::Workers { house, store: &store, jobs: options.jobs, limit: options.limit };
    let done = if options.checks { workers.check(todo) } else { workers.run(todo) };
    write(house, &profile, &units, states().collect(), options.takes_old)?;
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
fn write(house: &House, profile: &Profile, units: &[Unit], states: Vec<State>, takes_old: bool) -> Result<()> {
    let records: Vec<(&Unit, &Record)> =
        units.iter().zip(&states).filter_map(|(unit, state)| Some((unit, state.record(takes_old)?))).collect();
    let results = Results::of(records.iter().map(|(unit, record)| (*unit, &record.result)));
    let document = document::document(profile, units, &results, &records);
    let docs = house.root.join("docs");
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
    use super::options;

    fn read(words: &str) -> crate::house::Result<super::Options> {
        options(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let found = read("--full --only pool/ --minutes 5 --jobs 0 --data a/b/").unwrap();
        assert!(found.is_full && !found.checks && !found.lists);
        assert_eq!((found.only.as_deref(), found.jobs, &*found.data), (Some("pool/"), 1, "a/b"));
        assert_eq!(found.limit.map(|limit| limit.as_secs()), Some(300));
        for (wrong, said) in [
            ("--what", "`evidence` does not know `--what`"),
            ("--minutes", "`--minutes` needs a value"),
            ("--minutes x", "`--minutes` needs a number, found `x`"),
            ("--engine gpu", "`gpu` is no engine; `cpu` and `webgpu` are"),
        ] {
            assert_eq!(read(wrong).err().as_deref(), Some(said));
        }
    }
}
