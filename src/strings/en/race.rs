//! Words of races and experiments.

use super::plural;
use crate::format::percent_with;
use crate::strings::Race;
use heirloom_plan::protocol::statistics::Range;

pub(super) const RACE: Race = Race {
    compare: "Starts to compare (arms)",
    compare_hint: "All see the same pictures, batches, random crops and steps.",
    explain: |start| match start {
        "inherited" => "what you planned in step 4",
        "scratch" => "the same model with random numbers",
        "first" => "the ancestor's first layers, whole, with all their heads",
        "last" => "the ancestor's last layers, whole",
        "ends" => "a third of them from the ancestor's beginning, the others from its end, whole",
        "random" => "any layers of the ancestor, whole; others for each seed",
        "selection" => "first layers, of which evenly spaced heads are kept (weight selection); same size as planned",
        "line" => "layers on the straight line that fits the ancestor's layers best, with all heads",
        "frozen" => {
            "the ancestor with a new last layer fitted to your pictures; nothing else changes: there in seconds"
        }
        _ => "the whole ancestor with a new last layer: larger than all others",
    },
    experiment: "What to find out",
    experiment_hint: |kind| match kind {
        "family" => "Several sizes from the same learngene, one after the other. All their models are kept.",
        "sweep" => "Every learning rate with every batch size. The best model is kept.",
        "shares" => "The same race with fewer pictures; smaller shares lie inside larger ones. The best model is kept.",
        _ => "The starts against each other, once per seed.",
    },
    kind: |kind| match kind {
        "family" => "How large must it be? (family of sizes)",
        "sweep" => "How much does tuning matter? (learning rate × batch)",
        "shares" => "How many pictures are enough? (data share)",
        _ => "Which start is better? (one race)",
    },
    sizes: "Sizes",
    sizes_hint: "heads × layers, with spaces between: 6x6 3x3",
    rates: "Learning rates, one for all",
    rates_hint: "with spaces between: 0.00001 0.0001",
    batches: "Pictures per step (batch sizes)",
    batches_hint: "with spaces between: 8 16",
    shares: "Shares of the pictures, %",
    shares_hint: "with spaces between: 5 25 100",
    interleaved: "Starts take their steps in turn",
    interleaved_hint: "off: one after the other, which needs less memory; the curves are the same",
    micro_batch: "Pictures at a time (micro-batch)",
    micro_batch_hint: "0: the whole batch; fewer need less memory, and the steps stay the same",
    accuracy: "Count steps to this accuracy, %",
    accuracy_hint: "0: nine tenths of the best",
    budget: |steps, runs, races, time| {
        let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
        let races = if races == 1 { String::new() } else { format!(" in {races} races") };
        let time = time.map_or_else(
            || "how long that takes shows once training has begun".to_owned(),
            |time| format!("about {time} on this machine"),
        );
        format!("{steps} steps ({runs}{races}): {time}.")
    },
    warming_up: "Warming up: measuring this machine. The first steps are slower than the rest.",
    race_of: |race, races| format!("race {race} of {races}"),
    size: |heads, layers| match heads {
        Some(heads) => format!("{heads} heads × {layers} layers"),
        None => format!("{layers} layers"),
    },
    relative_rate: |rate| format!("{rate} × size"),
    rate_and_batch: |rate, batch| format!("rate {rate}, batch {batch}"),
    share: |share| format!("{share} of the pictures"),
    first_blocks: |blocks| match blocks {
        0 => "all blocks".to_owned(),
        1 => "the first block".to_owned(),
        blocks => format!("the first {blocks} blocks"),
    },
    show_race: "Curves of",
    latest: "the latest race",
    retry: |pictures| {
        let pictures = if pictures == 1 { "1 picture".to_owned() } else { format!("{pictures} pictures") };
        format!(
            "Memory ran out, so training begins again with {pictures} at a time; for Vision Transformers the result is the same, only slower."
        )
    },
    numbers: "The numbers behind this",
    accuracy_used: |accuracy, is_automatic| match is_automatic {
        true => format!("Steps are counted to {accuracy}, nine tenths of the best."),
        false => format!("Steps are counted to {accuracy}."),
    },
    column_last: "Named rightly at the end",
    column_best: "Best on the way",
    column_steps: "Steps to the accuracy",
    column_area: "Mean over the training (area under the curve)",
    column_parameters: "Parameters",
    column_flops: "Work per picture (FLOPs)",
    range: |range: &Range| {
        let percent = |value| percent_with(value, 1);
        match range.count {
            1 => percent(range.mean),
            _ => format!(
                "{} ± {} ({} to {})",
                percent(range.mean),
                percent(range.deviation),
                percent(range.low),
                percent(range.high)
            ),
        }
    },
    reached: |steps, seeds, of| match steps {
        Some(steps) if seeds == of => steps.to_owned(),
        Some(steps) => format!("{steps} ({seeds} of {of} seeds)"),
        None => "not reached".to_owned(),
    },
    pace_same: |arm, other, accuracy, steps, others| {
        format!("{arm} and {other} reached {accuracy} equally soon, after {steps} and {others} steps")
    },
    pace_sooner: |arm, other, accuracy, steps, others, times| {
        let times = times.map_or_else(|| "it had it from the start".to_owned(), |times| format!("{times}× sooner"));
        format!("{arm} reached {accuracy} after {steps} steps, {other} after {others}: {times}")
    },
    pace_only: |arm, other, accuracy, steps| {
        format!("{arm} reached {accuracy} after {steps} steps, {other} not in every seed")
    },
    pace_neither: |arm, other, accuracy| format!("neither {arm} nor {other} reached {accuracy} in every seed"),
    no_steps: "takes no steps",
    end_higher: |upper, lower, points, low, high, seeds| {
        format!("{upper} ends higher than {lower} by {points} points (95 % interval {low} to {high}, {seeds} seeds)")
    },
    end_same: |arm, other, low, high, seeds| {
        format!(
            "no difference seen at the end between {arm} and {other} (95 % interval {low} to {high} points, {seeds} seeds)"
        )
    },
    few_seeds: |needed| format!("fewer than {needed} seeds, so the interval is wide"),
    single: |upper, lower, points| {
        format!("{upper} ends higher than {lower} by {points} points; one seed, so this may be chance")
    },
    single_level: |arm, other| format!("{arm} and {other} end level; one seed, so this may be chance"),
    experiment_chart: |kind| match kind {
        "family" => "Pictures named rightly against size",
        "depths" => "Pictures named rightly against what is kept of the ancestor",
        "sweep" => "Pictures named rightly for every learning rate and batch size",
        _ => "Pictures named rightly against the share of the pictures",
    },
    experiment_label: |axis| {
        format!(
            "Chart: pictures named rightly at the end (%) against {axis}, for each start. The table below holds the same numbers."
        )
    },
    axis: "Against",
    axis_name: |axis| match axis {
        "parameters" => "parameters",
        "flops" => "work per picture (FLOPs)",
        "heads" => "heads per layer",
        "layers" => "layers",
        _ => "share of the pictures, %",
    },
    whisker: "bar: lowest to highest seed",
    no_results: "The first point appears after the first race.",
    diverged: "diverged",
    heat_title: |arm| format!("Start: {arm}"),
    heat_label: |arm| {
        format!(
            "Heat map: pictures named rightly at the end (%) of start {arm}, learning rates across, batch sizes down. The table below holds the same numbers."
        )
    },
    column_heads: "Heads",
    column_layers: "Layers",
    column_rate: "Learning rate",
    column_batch: "Batch",
    column_share: "Share of pictures",
    column_lowest: "Lowest seed",
    column_highest: "Highest seed",
    column_held_out: "Held out, right",
    of: |some, all| format!("{some} of {all}"),
    best_of_family: |arm, size, accuracy, parameters| {
        format!("{arm}: best with {size}, {accuracy} with {parameters} parameters")
    },
    small_enough: |[name, parameters, share, bytes, accuracy], whole| {
        let whole = whole.map(|whole| format!("; all of it {whole}")).unwrap_or_default();
        let verb = if name.ends_with('s') { "are" } else { "is" };
        format!(
            "{name} {verb} enough: {parameters} parameters ({share} of all, {bytes}), {accuracy} of the checking pictures right{whole}"
        )
    },
    small_chosen: |pictures| {
        format!(
            "chosen by {}, each held out once, as the smallest within one standard error of the best that is small enough \
             (step 2); the checking pictures had no say",
            plural(pictures, "training picture", "training pictures")
        )
    },
    small_tuned: |accuracy| format!("trained on: {accuracy} of the checking pictures right"),
    trained_on: |name| format!("{name}, trained on"),
    small_too_large: "no depth keeps the limits of step 2: this is the smallest there is",
    small_not_chosen: "no depth was chosen: that takes a class with five training pictures, so that each can be held out \
                       once; the chart shows what the checking pictures say",
    best_of_sweep: |arm, rate, batch, accuracy| format!("{arm}: best with rate {rate} and batch {batch}, {accuracy}"),
    between: |points, count| format!("between the best and the worst of {count} lie {points} points"),
    enough: |arm, share, other, most| format!("{arm} with {share} of the pictures is as good as {other} with {most}"),
    not_enough: |arm, other, most| format!("{arm} is with no share as good as {other} with {most}"),
};
