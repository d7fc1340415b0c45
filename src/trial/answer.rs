//! What a model says of a picture: the class it is surest of, and bars of the likeliest.

use crate::prelude::*;
use crate::trial::actions::open_look;
use heirloom_plan::protocol::Prediction;

/// Classes drawn for each picture.
const MOST_CLASSES: usize = 5;

/// The surest class in words.
pub fn said(prediction: &Prediction) -> String {
    let first = prediction.classes.first();
    first.map(|(class, share)| (text().trial.is)(class, &percent(f64::from(*share)))).unwrap_or_default()
}

/// Whether the surest class is the one that the picture is filed under.
pub fn is_right(prediction: &Prediction) -> bool {
    prediction.truth.is_some() && prediction.truth.as_ref() == prediction.classes.first().map(|(class, _)| class)
}

/// Bars of the likeliest classes.
pub fn bars(prediction: &Prediction) -> impl IntoView + use<> {
    let bar = |(class, share): &(String, f32)| {
        view! {
            <li>
                <span>{class.clone()}</span>
                <svg class="bar" width="100%" height="8" aria-hidden="true">
                    <rect class="bar-all" width="100%" height="8" rx="4"></rect>
                    <rect class="bar-part" width=format!("{:.1}%", share.clamp(0.0, 1.0) * 100.0) height="8" rx="4"></rect>
                </svg>
                <span class="number">{percent(f64::from(*share))}</span>
            </li>
        }
    };
    view! { <ol>{prediction.classes.iter().take(MOST_CLASSES).map(bar).collect_view()}</ol> }
}

/// A button that opens a picture with what the model looks at.
pub fn look_button(store: Store, prediction: &Prediction) -> impl IntoView + use<> {
    let (picture, title) = (prediction.picture.clone(), format!("{}: {}", prediction.name, said(prediction)));
    view! {
        <button
            type="button"
            class="quiet small"
            data-testid="look-open"
            on:click=move |_| open_look(store, picture.clone(), title.clone())
        >
            {text().trying.look_open}
        </button>
    }
}

/// A named file.
pub fn answer(store: Store, prediction: &Prediction) -> impl IntoView + use<> {
    let truth = prediction.truth.as_ref().map(|truth| {
        view! { <p class="hint" data-testid="prediction-truth">{(text().trying.truth)(is_right(prediction), truth)}</p> }
    });
    view! {
        <article class="prediction" data-testid="prediction">
            <img src=prediction.thumbnail.clone() alt=prediction.name.clone() width="96"/>
            <div>
                <p class="lead"><strong>{said(prediction)}</strong> " " <span class="file">{prediction.name.clone()}</span></p>
                {truth}
                {bars(prediction)}
                {look_button(store, prediction)}
            </div>
        </article>
    }
}

/// What is said of the last camera frame or drawing. It changes twice a second, so a screen reader hears only of another
/// class, and `handle` tells the two places apart.
#[component]
pub fn LiveAnswer(handle: &'static str, waiting: &'static str) -> impl IntoView {
    let store = expect_context::<Store>();
    let class = Memo::new(move |_| {
        store
            .trial
            .glance
            .with(|glance| glance.as_ref().and_then(|glance| glance.classes.first().map(|one| one.0.clone())))
    });
    view! {
        <div class="live" data-testid=handle>
            {move || {
                store.trial.glance.with(|glance| match glance {
                    None => view! { <p class="hint">{waiting}</p> }.into_any(),
                    Some(glance) => {
                        view! {
                            <p class="lead"><strong>{said(glance)}</strong></p>
                            <div class="prediction">{bars(glance)}</div>
                            {look_button(store, glance)}
                        }
                            .into_any()
                    }
                })
            }}
            <p class="unseen" role="status">{move || class.get()}</p>
        </div>
    }
}
