//! Words of the link and the presets.

use super::plural;
use crate::strings::Lessons;

pub(super) const LESSONS: Lessons = Lessons {
    title: "Settings",
    presets: "Presets for lessons",
    preset: |id| match id {
        "story" => (
            "The story of Show me",
            "For the shipped files on a slow laptop: a very small descendant, few pictures to check with, a very short race.",
        ),
        "quick" => (
            "Quick look (2 minutes)",
            "A tiny descendant and a short race, to see the whole story once; the numbers are rough.",
        ),
        "fair" => (
            "Fair race (a lesson)",
            "Both starts are raced three times with the same pictures and steps, so that luck can be told from learning.",
        ),
        "small" => (
            "How small can it get?",
            "Only two layers with two heads each: make it smaller or larger and see how much is lost.",
        ),
        "few" => ("Few pictures", "Only a fifth of the pictures is for learning: here inheriting should help most."),
        _ => ("The usual settings", "Six layers of six heads, one race of 100 steps."),
    },
    now: |preset| format!("Settings: {preset}."),
    now_changed: |preset, changes| format!("Settings: {preset}, with changes: {changes}."),
    change: |name, value, usual| format!("{name} {value} (there {usual})"),
    more_changes: |count| format!("and {} more", plural(count, "change", "changes")),
    chosen_preset: |preset| format!("Settings are now: {preset}."),
    sheet_title: "For teachers: a lesson of 40 minutes",
    sheet: include_str!("../../../docs/lesson.md"),
    copy: "Copy link with these settings",
    copied: "Link copied.",
    by_hand: "Your browser does not let the page copy. Copy the marked address yourself:",
    engine: "Engine",
    engine_auto: "choose by itself",
    engine_webgpu: "graphics processor (WebGPU)",
    engine_cpu: "processor (CPU)",
    engine_hint: "used when the page is loaded again",
    engine_later: "The engine of this address is used when the page is loaded again; the one that runs goes on.",
    chosen: "Inherited layers",
    on: "yes",
    off: "no",
    nothing: "none",
    expected_number: |whole, least, most| {
        format!("{} from {least} to {most}", if whole { "a whole number" } else { "a number" })
    },
    expected_flag: "0 or 1",
    expected_word: |key| match key {
        "engine" => "auto, cpu or webgpu",
        "method" => "cluster, layers, pool or stitch",
        "chosen" => "layer numbers joined by +, as 1+2+5",
        "experiment" => "race, family, sweep or shares",
        "arms" => "inherited, scratch, first, last, ends, random, selection, line, whole or frozen, joined by +",
        "sizes" => "heads x layers joined by +, as 6x6+3x3",
        "rates" => "learning rates up to 1 joined by +, as 0.00003+0.0001",
        "batches" => "numbers of pictures joined by +, as 8+16",
        "shares" => "per cents joined by +, as 5+25+100",
        "order" => "together or alone",
        "small" => "two or three small models joined by +, blocks x width, as 4x96+4x192",
        "basis" => "pca, random or learned",
        "stitches" => "maps, pinv, least or random",
        _ => "a word of this page",
    },
    bad: |piece, expected| format!("`{piece}` (expected {expected})"),
    unknown: |piece| format!("`{piece}` (no such setting)"),
    faults: |list| {
        format!(
            "Some of the settings in this address were not understood and left as usual: {list}. The link may be damaged \
             or from another version; check the settings, or ask for the link again."
        )
    },
};
