//! Running units side by side, with the time that is left.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::plan::Unit;
use super::store::{Record, State, Store};
use super::{Checkout, Result};
use serde_json::Value;

/// Keys of measured times, which no two runs share.
const TIMES: [&str; 3] = ["seconds", "steps_per_second", "seconds_per_epoch"];

/// A unit with the version its result is kept under and what there is of it.
pub type Todo<'a> = (&'a Unit, &'a str, State);

/// Who does the work.
pub struct Workers<'a> {
    /// The checkout.
    pub checkout: &'a Checkout,
    /// Where results go.
    pub store: &'a Store,
    /// Units at a time.
    pub jobs: usize,
    /// Time after which no unit is begun.
    pub limit: Option<Duration>,
}

/// How far the work is.
struct Progress {
    units: usize,
    ended: usize,
    /// Work that is not done yet.
    left: f64,
    done: f64,
    failed: Vec<String>,
}

impl Workers<'_> {
    /// Runs units and keeps what they print.
    ///
    /// # Errors
    /// When units failed; the others are run all the same.
    pub fn run(&self, todo: Vec<Todo<'_>>) -> Result<()> {
        let (commit, machine) = (commit(&self.checkout.root), machine());
        self.each(todo, |program, (unit, version, _)| {
            let (printed, result, seconds) = self.one(program, unit)?;
            let (version, commit, machine) = ((*version).to_owned(), commit.clone(), machine.clone());
            self.store.keep(unit, &Record { version, commit, machine, seconds, result }, &printed)?;
            Ok(format!("{seconds:.0} s"))
        })
    }

    /// Runs units again and compares with what was kept.
    ///
    /// # Errors
    /// When a number differs, or a unit fails.
    pub fn check(&self, todo: Vec<Todo<'_>>) -> Result<()> {
        self.each(todo, |program, (unit, _, state)| {
            let kept = state.record(true).ok_or("nothing is kept of it")?;
            let (_, result, seconds) = self.one(program, unit)?;
            match difference(&kept.result, &result) {
                None => Ok(format!("{seconds:.0} s, the same numbers")),
                Some(path) => Err(format!("other numbers than were kept, first at `{path}`")),
            }
        })
    }

    fn each(&self, todo: Vec<Todo<'_>>, work: impl Fn(&Path, &Todo<'_>) -> Result<String> + Sync) -> Result<()> {
        if todo.is_empty() {
            println!("nothing is left to run");
            return Ok(());
        }
        let program = self.program()?;
        let left = todo.iter().map(|(unit, _, _)| unit.work).sum();
        let progress = Progress { units: todo.len(), ended: 0, left, done: 0.0, failed: Vec::new() };
        let (queue, progress) = (Mutex::new(VecDeque::from(todo)), Mutex::new(progress));
        let started = Instant::now();
        let is_time = || self.limit.is_none_or(|limit| started.elapsed() < limit);
        let next = || queue.lock().ok().filter(|_| is_time()).and_then(|mut queue| queue.pop_front());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while let Some(todo) = next() {
                        let ended = work(&program, &todo);
                        if let Ok(mut progress) = progress.lock() {
                            progress.note(todo.0, ended, started.elapsed());
                        }
                    }
                });
            }
        });
        let progress = progress.into_inner().map_err(|_| "a worker broke off")?;
        let left = progress.units - progress.ended;
        if left > 0 {
            println!("the time is over: {left} units were not begun; the same command goes on with them");
        }
        match progress.failed.is_empty() {
            true => Ok(()),
            false => Err(format!("units failed:\n  {}", progress.failed.join("\n  "))),
        }
    }

    /// Runs one unit: what it printed, the same read, and the seconds it took.
    fn one(&self, program: &Path, unit: &Unit) -> Result<(String, Value, f64)> {
        let log = self.store.file(unit, "log");
        let errors =
            std::fs::File::create(&log).map_err(|error| format!("`{}` cannot be made: {error}", log.display()))?;
        let started = Instant::now();
        let output = Command::new(program)
            .arg(unit.program)
            .args(&unit.arguments)
            .current_dir(&self.checkout.root)
            .stdin(Stdio::null())
            .stderr(errors)
            .output()
            .map_err(|error| format!("`{}` did not start: {error}", program.display()))?;
        if !output.status.success() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last = said.lines().next_back().unwrap_or_default();
            return Err(format!("it ended with {}: {last} (all of it: {})", output.status, log.display()));
        }
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let result = serde_json::from_str(&printed).map_err(|error| format!("it printed no JSON: {error}"))?;
        let _ = std::fs::remove_file(log);
        Ok((printed, result, started.elapsed().as_secs_f64()))
    }

    /// This program, put aside: a build that comes between must not change it half-way.
    fn program(&self) -> Result<PathBuf> {
        let aside = self.checkout.target.join("evidence/programs");
        let to = aside.join(format!("heirloom-cli{}", std::env::consts::EXE_SUFFIX));
        let copied = std::fs::create_dir_all(&aside).and_then(|()| {
            // A program that runs cannot be written over, but it can be replaced.
            let _ = std::fs::remove_file(&to);
            std::fs::copy(std::env::current_exe()?, &to)
        });
        copied.map_err(|error| format!("`{}` cannot be filled: {error}", aside.display()))?;
        Ok(to)
    }
}

impl Progress {
    fn note(&mut self, unit: &Unit, ended: Result<String>, elapsed: Duration) {
        self.ended += 1;
        self.left -= unit.work;
        self.done += unit.work;
        let words = ended.unwrap_or_else(|sentence| {
            self.failed.push(format!("{}: {sentence}", unit.id));
            format!("FAILED: {sentence}")
        });
        let minutes = self.minutes_left(elapsed);
        println!("{} of {}  {}: {words}; about {minutes:.0} min left", self.ended, self.units, unit.id);
    }

    /// By the work done so far.
    fn minutes_left(&self, elapsed: Duration) -> f64 {
        if self.done > 0.0 { elapsed.as_secs_f64() / 60.0 * self.left.max(0.0) / self.done } else { 0.0 }
    }
}

/// The commit, with `+` behind it where files are changed.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root).args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--", "crates", "Cargo.lock", "static"]);
    let is_changed = changed.is_some_and(|files| !files.is_empty());
    if is_changed { format!("{commit}+") } else { commit }
}

/// The path of the first difference of two values, keys of measured times left out; `None` when they are the same.
fn difference(one: &Value, other: &Value) -> Option<String> {
    let number = |value: &Value| value.as_f64();
    match (one, other) {
        (Value::Object(fields), Value::Object(others)) => {
            let compared = || fields.iter().filter(|(key, _)| !TIMES.contains(&&***key));
            if compared().count() != others.keys().filter(|key| !TIMES.contains(&&***key)).count() {
                return Some("(other fields)".to_owned());
            }
            let inside = |key: &str, value: &Value| difference(value, others.get(key).unwrap_or(&Value::Null));
            compared().find_map(|(key, value)| inside(key, value).map(|path| format!(".{key}{path}")))
        }
        (Value::Array(values), Value::Array(others)) if values.len() == others.len() => {
            let mut pairs = values.iter().zip(others).enumerate();
            pairs.find_map(|(at, (value, other))| difference(value, other).map(|path| format!("[{at}]{path}")))
        }
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => (one != other).then(|| format!(": {one} and {other}")),
            _ => (one != other).then(|| ": other values".to_owned()),
        },
    }
}

/// Processor, cores and system.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{processor}, {cores} cores, {}", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::{Progress, difference};
    use crate::evidence::plan::cpu;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn time_left_follows_the_work_left() {
        let units = cpu().units();
        let left = units[..2].iter().map(|unit| unit.work).sum();
        let mut progress = Progress { units: 2, ended: 0, left, done: 0.0, failed: Vec::new() };
        progress.note(&units[0], Ok("1 s".to_owned()), Duration::from_secs(60));
        let expected = units[1].work / units[0].work;
        assert!((progress.minutes_left(Duration::from_secs(60)) - expected).abs() < 1e-9);
        progress.note(&units[1], Err("no".to_owned()), Duration::from_secs(90));
        assert_eq!((progress.minutes_left(Duration::from_secs(90)), progress.ended), (0.0, 2));
        assert_eq!(progress.failed, [format!("{}: no", units[1].id)]);
    }

    #[test]
    fn times_may_differ_and_numbers_may_not() {
        let one = json!({ "a": [{ "x": 1, "seconds": 2 }], "b": 1 });
        assert_eq!(difference(&one, &json!({ "b": 1.0, "a": [{ "x": 1, "seconds": 9 }] })), None);
        let other = json!({ "a": [{ "x": 3, "seconds": 2 }], "b": 1 });
        assert_eq!(difference(&one, &other).as_deref(), Some(".a[0].x: 1 and 3"));
        assert!(difference(&one, &json!({ "a": [], "b": 1 })).is_some());
        assert!(difference(&one, &json!({ "a": [{ "x": 1, "seconds": 2 }] })).is_some());
    }
}
