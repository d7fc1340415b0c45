//! Step 4 of Learngene by layers: inherited layers, random ones on top.

use crate::ancestor::shape::patch_size;
use crate::descendant::stack::{StackChart, StackTable};
use crate::descendant::view::facts;
use crate::prelude::*;
use crate::widgets::{NumberField, Step};
use heirloom_plan::settings::Key;

#[component]
pub fn StackStep() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().layers;
    let chosen = Memo::new(move |_| store.settings.with(|settings| settings.chosen.len()));
    let missing = Signal::derive(move || match store.ancestor.with(Option::is_some) {
        false => Some(t.need_ancestor),
        true => (chosen.get() == 0).then_some(t.need_choice),
    });
    let has = Memo::new(move |_| store.plans.descendant.with(Option::is_some));
    let patch = Memo::new(move |_| patch_size(store));
    view! {
        <Step id="descendant" number=4 heading=&t.plan_heading missing>
            <div class="fields">
                <NumberField id="descendant-layers" key=Key::Layers
                    label=t.layers
                    hint=Signal::derive(move || (t.layers_hint)(chosen.get()))
                    min=Signal::derive(move || chosen.get().max(1) as f64)
                    is_floored=true
                />
                <NumberField id="image-size" key=Key::ImageSize
                    label=t.size
                    hint=Signal::derive(move || (t.size_hint)(patch.get()))
                    min=Signal::derive(move || 2.0 * patch.get().max(8) as f64)
                    max=Signal::derive(move || 64.0 * patch.get().max(8) as f64)
                    step=Signal::derive(move || patch.get() as f64)
                />
                <NumberField id="freeze-epochs" key=Key::FreezeEpochs/>
            </div>
            <Show when=move || has.get()>
                <dl class="facts" data-testid="descendant-summary">
                    {move || store.plans.descendant.get().map(|planned| facts(store, &planned))}
                </dl>
                <StackChart/>
                <StackTable/>
            </Show>
        </Step>
    }
}
