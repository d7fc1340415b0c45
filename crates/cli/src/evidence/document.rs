//! `docs/evidence.md`: what was measured, in tables and pictures, and the commands under them.

use std::collections::BTreeSet;

use super::claims::claims;
use super::plan::{Method, Profile, Setting, Unit};
use super::results::Results;
use super::store::Record;
use super::tables::{NOT_RUN, Table};
use super::{pools, races};
use heirloom_charts::Chart;
use heirloom_plan::protocol::Engine;
use heirloom_plan::protocol::statistics::SEEDS_NEEDED;

/// The document with its pictures.
pub struct Document {
    /// Markdown.
    pub text: String,
    /// Names of the pictures and their contents.
    pub pictures: Vec<(String, String)>,
}

/// What the document is made of.
pub struct Page<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// All its units.
    pub units: &'a [Unit],
    /// What they gave.
    pub results: &'a Results,
    /// Folder of the pictures, as the document names it.
    pub folder: &'a str,
    text: String,
    pictures: Vec<(String, String)>,
}

impl Page<'_> {
    /// Adds a paragraph, heading or table.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref().trim_end());
        self.text.push_str("\n\n");
    }

    /// Adds a picture, unless it would be empty.
    pub fn draw(&mut self, name: &str, chart: &Chart) {
        if chart.is_empty() {
            return;
        }
        let file = format!("{name}.svg");
        self.say(format!("![{}]({}/{file})", chart.title, self.folder));
        self.pictures.push((file, chart.svg()));
    }

    /// Adds the commands of the units that a table is made of, for the first seed.
    pub fn commands(&mut self, wanted: impl Fn(&Setting) -> bool) {
        let first = self.units.iter().filter(|unit| unit.setting.seed == 1 && wanted(&unit.setting));
        let commands: Vec<String> = first.map(Unit::command).collect();
        let seeds: Vec<String> = (2..=self.profile.seeds).map(|seed| seed.to_string()).collect();
        self.say(format!(
            "<details><summary>Commands</summary>\n\n```sh\n{}\n# and the same with --first-seed {}\n```\n\n</details>",
            commands.join("\n"),
            seeds.join(", ")
        ));
    }
}

const RULE: &str = "\
Starts are compared seed by seed. A claim is called **seen** on a set of pictures when the 95 % interval (Student's t) of \
the mean difference lies on the claimed side of 0; **the opposite** when it lies on the other side; **not seen** when it \
holds 0. A verdict needs at least";

/// Writes the document. `records` are the results in use.
pub fn document(profile: &Profile, units: &[Unit], results: &Results, records: &[(&Unit, &Record)]) -> Document {
    let folder = folder(profile);
    let mut page = Page { profile, units, results, folder, text: String::new(), pictures: Vec::new() };
    header(&mut page, records);
    worlds(&mut page);
    verdicts(&mut page);
    let sections = [
        (Method::Layers, "Learngene: whole layers, chosen by similarity"),
        (Method::Cluster, "Cluster-Learngene: clusters of heads"),
        (Method::Pool, "Learngene Pool and SN-Net"),
    ];
    for (method, title) in sections {
        page.say(format!("## {title}"));
        match method {
            Method::Pool => pools::section(&mut page),
            _ => races::section(&mut page, method),
        }
    }
    missing(&mut page, records);
    let text = format!("{}\n", page.text.trim_end());
    Document { text, pictures: page.pictures }
}

/// Folder of the pictures, beside the document.
pub fn folder(profile: &Profile) -> &'static str {
    if profile.name == "cpu" { "evidence" } else { "evidence-full" }
}

fn header(page: &mut Page<'_>, records: &[(&Unit, &Record)]) {
    let profile = page.profile;
    let option = if profile.name == "cpu" { "" } else { " --full" };
    let distinct = |pick: fn(&Record) -> &str| {
        let all: BTreeSet<&str> = records.iter().map(|(_, record)| pick(record)).collect();
        if all.is_empty() { NOT_RUN.to_owned() } else { all.into_iter().collect::<Vec<_>>().join("; ") }
    };
    let minutes = records.iter().map(|(_, record)| record.seconds).sum::<f64>() / 60.0;
    page.say("# Evidence");
    page.say(format!(
        "Written by `cargo xtask evidence{option}`, not by hand: {} of {} pieces of work are in it. Nothing is left out \
         because of what it says; what is missing is marked.",
        records.len(),
        page.units.len()
    ));
    let mut facts = Table::of_words(["", ""]);
    facts.row(["commit (`+`: with changes)".to_owned(), distinct(|record| &record.commit)]);
    facts.row(["machine".to_owned(), distinct(|record| &record.machine)]);
    facts.row(["engine".to_owned(), engine(profile.engine).to_owned()]);
    facts.row(["run time of all pieces, not compared".to_owned(), format!("{minutes:.0} min")]);
    let settings = format!(
        "{} steps, {} pictures a step, {} seeds, accuracy measured every {} steps",
        profile.steps, profile.batch, profile.seeds, profile.every
    );
    facts.row(["races".to_owned(), settings]);
    page.say(facts.markdown());
    page.say(format!(
        "Seeds are fixed: run again with the same commit on the same kind of processor, every number is the same; \
         `cargo xtask evidence{option} --check` runs pieces again and compares. Numbers are mean ± standard deviation \
         over the seeds; bands and whiskers in the pictures go from the lowest to the highest seed."
    ));
}

fn engine(engine: Engine) -> &'static str {
    match engine {
        Engine::Cpu => "CPU, one thread, SIMD",
        Engine::WebGpu => "webgpu",
    }
}

fn worlds(page: &mut Page<'_>) {
    let mut table = Table::of_words([
        "set",
        "pictures",
        "to train on",
        "to judge on",
        "ancestor",
        "picture size, px",
        "tokens",
        "layers of a descendant",
        "learning rate",
    ]);
    for (at, world) in page.profile.worlds.iter().enumerate() {
        let counts = page.results.pictures((Method::Layers, at, 100, 1.0));
        let counts = counts.map_or([NOT_RUN.to_owned(), NOT_RUN.to_owned()], |counts| {
            [counts.train.to_string(), counts.validation.to_string()]
        });
        let [train, validation] = counts;
        let tokens = world.tokens.map_or_else(|| "–".to_owned(), |tokens| tokens.to_string());
        let facts = [world.name.clone(), world.about.to_owned(), train, validation, world.ancestor.to_owned()];
        let numbers = [world.size.to_string(), tokens, world.layers.to_string(), format!("{:e}", world.lr)];
        table.row(facts.into_iter().chain(numbers));
    }
    page.say("## Pictures and ancestors");
    page.say(table.markdown());
}

fn verdicts(page: &mut Page<'_>) {
    page.say("## Claims: seen at this scale, and not");
    page.say(format!(
        "{RULE} {SEEDS_NEEDED} seeds. A seed that never reached the fixed accuracy counts with all its steps."
    ));
    let claims = claims(page.results, page.profile);
    let mut table = Table::of_words(["claim", "published", "here"]);
    for claim in &claims {
        let name = format!("{}: {}", claim.method.title(), lower(claim.name));
        table.row([name, claim.published.to_owned(), claim.verdict()]);
    }
    page.say(table.markdown());
    for method in [Method::Layers, Method::Cluster, Method::Pool] {
        let of_method = claims.iter().filter(|claim| claim.method == method);
        let lines: Vec<String> = of_method.map(|claim| format!("* {}", claim.sentence())).collect();
        page.say(format!("{}\n\n{}", method.title(), lines.join("\n")));
    }
    let option = if page.profile.name == "cpu" { "" } else { " --full" };
    page.say(format!("<details><summary>Command</summary>\n\n```sh\ncargo xtask evidence{option}\n```\n\n</details>"));
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn missing(page: &mut Page<'_>, records: &[(&Unit, &Record)]) {
    let done: BTreeSet<&str> = records.iter().map(|(unit, _)| &*unit.id).collect();
    let open: Vec<String> =
        page.units.iter().filter(|unit| !done.contains(&*unit.id)).map(|unit| format!("* `{}`", unit.id)).collect();
    if !open.is_empty() {
        page.say(format!("## Not run\n\n{}", open.join("\n")));
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, document};
    use crate::evidence::plan::{Unit, cpu};
    use crate::evidence::results::{Results, tests::made_up};
    use crate::evidence::store::Record;
    use serde_json::Value;

    fn written(made: &[(Unit, Value)], machine: &str, seconds: f64) -> Document {
        let profile = cpu();
        let units = profile.units();
        let record = |json: &Value| Record {
            version: "v".to_owned(),
            commit: "c".to_owned(),
            machine: machine.to_owned(),
            seconds,
            result: json.clone(),
        };
        let records: Vec<(Unit, Record)> = made.iter().map(|(unit, json)| (unit.clone(), record(json))).collect();
        let results = Results::of(made.iter().map(|(unit, json)| (unit, json)));
        let records: Vec<(&Unit, &Record)> = records.iter().map(|(unit, record)| (unit, record)).collect();
        document(&profile, &units, &results, &records)
    }

    #[test]
    fn every_table_of_results_has_commands_under_it_and_nothing_is_marked_missing() {
        let units = cpu().units();
        let page = written(&made_up(&units), "m", 60.0);
        assert!(!page.text.contains("not run"), "{}", page.text);
        let tables = page.text.matches("\n| ---").count();
        // Facts of the machine and of the sets are no results.
        assert_eq!(page.text.matches("```sh").count(), tables - 2, "{}", page.text);
        for (name, _) in &page.pictures {
            assert!(page.text.contains(&format!("(evidence/{name})")), "{name}");
        }
        let names: std::collections::BTreeSet<&String> = page.pictures.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), page.pictures.len());
    }

    #[test]
    fn what_was_not_run_is_marked_and_listed() {
        let units = cpu().units();
        let some: Vec<_> = made_up(&units).into_iter().filter(|(unit, _)| unit.setting.seed == 1).collect();
        let page = written(&some, "m", 60.0);
        assert!(page.text.contains("(n = 1)") && page.text.contains("## Not run"));
        assert!(page.text.contains("* `learngene/doodles/share-10/rate-1/seed-3`"));
        let nothing = written(&[], "m", 0.0);
        assert!(nothing.pictures.is_empty() && nothing.text.contains("| inherited | not run |"), "{}", nothing.text);
    }

    #[test]
    fn only_the_table_of_facts_differs_on_another_machine() {
        let made = made_up(&cpu().units());
        let (one, other) = (written(&made, "m", 60.0), written(&made, "n", 90.0));
        assert_eq!(one.pictures, other.pictures);
        let lines = one.text.lines().zip(other.text.lines()).filter(|(one, other)| one != other);
        let differing: Vec<&str> = lines.map(|(line, _)| line).collect();
        assert!(differing.iter().all(|line| line.starts_with("| machine") || line.starts_with("| run time")));
        assert_eq!(differing.len(), 2);
    }
}
