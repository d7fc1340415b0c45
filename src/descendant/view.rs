//! Step 4: what the small model shall look like.

use crate::ancestor::shape::{has_no_heads, of_vit};
use crate::descendant::sharing::{SharingChart, SharingTable};
use crate::descendant::survival::SurvivalView;
use crate::prelude::*;
use crate::widgets::{Check, ChoiceField, More, NumberField, Step, fact};
use heirloom_plan::protocol::{CopyScale, DescendantSummary};
use heirloom_plan::settings::Key;

#[component]
pub fn DescendantStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let missing = Signal::derive(move || match has_no_heads(store) {
        true => Some(text().cnn.no_heads),
        false => store.plans.clusters.with(Option::is_none).then_some(t.need),
    });
    let has = Memo::new(move |_| store.plans.descendant.with(Option::is_some));
    let most_layers = move || of_vit(store, 1, |a| a.depth);
    let most_heads = move || of_vit(store, 1, |a| a.num_heads * 2);
    view! {
        <Step id="descendant" number=4 heading=&t.heading missing>
            <div class="fields">
                <NumberField id="descendant-heads" key=Key::Heads max=Signal::derive(move || most_heads() as f64)/>
                <NumberField id="descendant-layers" key=Key::Layers
                    hint=Signal::derive(move || (t.layers_hint)(most_layers()))
                    max=Signal::derive(move || most_layers() as f64)
                />
                <ImageSize/>
            </div>
            <MoreOfDescendant/>
            <Show when=move || has.get()>
                <dl class="facts" data-testid="descendant-summary">
                    {move || store.plans.descendant.get().map(|planned| facts(store, &planned))}
                </dl>
                <SharingChart/>
                <SharingTable/>
                <SurvivalView/>
            </Show>
        </Step>
    }
}

#[component]
fn MoreOfDescendant() -> impl IntoView {
    let scales = CopyScale::ALL.map(|scale| (scale.name(), (text().descendant.scale_name)(scale))).to_vec();
    view! {
        <More>
            <Check id="depth-even" key=Key::Even/>
            <Check id="compensate" key=Key::Compensate/>
            <ChoiceField id="copy-scale" key=Key::CopyScale options=scales/>
            <Check id="ffn-maps" key=Key::FfnMaps/>
        </More>
    }
}

/// The size of the pictures that are trained on.
#[component]
pub fn ImageSize() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().descendant;
    let patch = Memo::new(move |_| of_vit(store, 16, |a| a.patch_size));
    view! {
        <NumberField id="image-size" key=Key::ImageSize
                    hint=Signal::derive(move || (t.size_hint)(patch.get()))
                    min=Signal::derive(move || 2.0 * patch.get() as f64)
                    max=Signal::derive(move || 64.0 * patch.get() as f64)
                    step=Signal::derive(move || patch.get() as f64)
                />
    }
}

/// Size, work, memory and time of a planned descendant.
pub fn facts(store: Store, planned: &DescendantSummary) -> impl IntoView + use<> {
    let t = &text().descendant;
    let all = store.ancestor.with(|a| a.as_ref().map(|a| a.parameters)).filter(|all| *all > 0);
    let share = all.map(|all| (t.of_ancestor)(&percent(planned.parameters as f64 / all as f64)));
    let epoch = planned.seconds_per_epoch.map_or_else(|| t.epoch_unknown.to_owned(), duration);
    let facts = [
        (t.parameters, short(planned.parameters), share),
        (t.flops, (t.flops_value)(&short(planned.flops)), None),
        (t.bytes, bytes(planned.bytes), None),
        (t.training_bytes, bytes(planned.training_bytes), None),
        (t.epoch, epoch, None),
    ];
    facts.map(fact).into_iter().collect_view()
}
