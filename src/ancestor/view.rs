//! Step 1: the model to inherit from.

use super::preparation::PreparationFields;
use crate::ancestor::actions::open_ancestor;
use crate::ancestor::shipped_view::ShippedAncestors;
use crate::prelude::*;
use crate::widgets::{JobBar, Picker, Step};
use heirloom_plan::config::{ModelConfig, StageConfig, StitchedConfig};
use heirloom_plan::protocol::{AncestorSummary, JobKind};

/// Keys listed before the rest is only counted.
const MOST_KEYS: usize = 200;

#[component]
pub fn AncestorStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().ancestor;
    let label = Signal::derive(move || if store.ancestor.with(Option::is_some) { t.again } else { t.input });
    let has = Memo::new(move |_| store.ancestor.with(Option::is_some));
    view! {
        <Step id="ancestor" number=1 heading=&t.heading missing=None>
            <div class="drop">
                <Picker id="ancestor-input" label accept=".safetensors,.pth,.pt,.bin,.ckpt,.th,.tar,.pkl,.json,.zip,.html" on_pick=move |picked| open_ancestor(store, picked)/>
                <p class="hint">{t.hint}<br/>{text().page.drop_here}</p>
            </div>
            <ShippedAncestors/>
            <JobBar kind=JobKind::Open stop_id="ancestor-stop"/>
            <Show when=move || has.get()>
                <div data-testid="ancestor-summary" class="summary">
                    {move || store.ancestor.get().map(summary)}
                </div>
            </Show>
        </Step>
    }
}

fn summary(a: AncestorSummary) -> impl IntoView {
    let t = &text().ancestor;
    let built_of = match &a.config {
        ModelConfig::Vit(vit) => vec![
            (t.layers, vit.depth.to_string()),
            (t.heads, vit.num_heads.to_string()),
            (t.width, (t.width_value)(vit.embed_dim, vit.head_dim)),
            (t.picture, (t.picture_value)(vit.image_size, vit.patch_size)),
        ],
        ModelConfig::Stitched(of) => {
            vec![(text().pool.parts, stitched(of)), (t.picture, (text().cnn.picture_value)(of.front.image_size))]
        }
        ModelConfig::Cnn(cnn) => {
            let (c, stages) = (&text().cnn, &cnn.stages);
            let list = |of: fn(&StageConfig) -> usize| {
                stages.iter().map(|stage| of(stage).to_string()).collect::<Vec<_>>().join(", ")
            };
            vec![
                (c.stages, stages.len().to_string()),
                (c.blocks, list(|stage| stage.depth)),
                (c.widths, list(|stage| stage.width)),
                (t.picture, (c.picture_value)(cnn.image_size)),
            ]
        }
    };
    let facts = [
        (t.parameters, short(a.parameters)),
        (t.classes, a.config.classes().map_or_else(|| t.no_classes.to_owned(), |classes| classes.to_string())),
        (t.stored_as, a.dtype),
    ];
    let facts = built_of.into_iter().chain(facts);
    let facts = facts.map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    let is_complete = a.missing.is_empty() && a.unexpected.is_empty();
    let missing = keys((t.missing)(a.missing.len()), a.missing);
    let unexpected = keys((t.unexpected)(a.unexpected.len()), a.unexpected);
    let assumed = a.assumptions.into_iter().map(|line| view! { <li>{line}</li> }).collect_view();
    let has_assumed = !assumed.is_empty();
    view! {
        <p class="lead"><strong>{a.family}</strong> " " <span class="file">{a.name}</span></p>
        <dl class="facts">{facts.collect_view()}</dl>
        {is_complete.then(|| view! { <p class="hint">{t.all_keys}</p> })}
        {missing}
        {unexpected}
        {has_assumed.then(|| view! { <p class="sub">{t.assumptions}</p> <ul class="plain">{assumed}</ul> })}
        <PreparationFields said=a.preparation/>
    }
}

/// The parts of a stitched model: `2 × 96 → 3 × 192`.
fn stitched(of: &StitchedConfig) -> String {
    let behind = of.end.depth.saturating_sub(of.end_layer);
    format!("{} × {} → {behind} × {}", of.front_layer + 1, of.front.embed_dim, of.end.embed_dim)
}

fn keys(title: String, keys: Vec<(String, Option<String>)>) -> Option<impl IntoView> {
    let t = &text().ancestor;
    let rows = keys.into_iter().take(MOST_KEYS).map(|(key, nearest)| {
        view! { <li><code>{key}</code> " " {nearest.map(|nearest| view! { <small>{(t.nearest)(&nearest)}</small> })}</li> }
    });
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| {
        view! {
            <details class="more">
                <summary>{title}</summary>
                <ul class="keys">{rows}</ul>
            </details>
        }
    })
}
