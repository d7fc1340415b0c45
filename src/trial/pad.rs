//! A drawing pad: what is drawn is named after each stroke.
//!
//! The model sees the middle 224 of 256 parts of a picture; the drawing is handed over with a margin of just that size,
//! so that it sees the whole pad and nothing but the pad.

use leptos::ev;
use leptos::html::Canvas;
use wasm_bindgen_futures::spawn_local;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, PointerEvent};

use super::answer::LiveAnswer;
use super::strokes::{Drawing, SIDE};
use crate::browser::snapshot;
use crate::prelude::*;
use crate::trial::actions::glance;

/// Side of the picture that is handed over, px: the pad and its margin.
const WHOLE: f64 = SIDE * 256.0 / 224.0;

/// The pad with its tools.
#[component]
pub fn Pad() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let drawing = RwSignal::new(Drawing::default());
    let is_keyboard = RwSignal::new(false);
    let canvas = NodeRef::<Canvas>::new();
    Effect::new(move |_| {
        let Some(pen) = canvas.get().and_then(|canvas| snapshot::pen(&canvas)) else { return };
        drawing.with(|drawing| {
            drawing.paper(&pen, SIDE);
            drawing.ink(&pen);
            if is_keyboard.get() {
                drawing.paint_pen(&pen);
            }
        });
    });
    // A stroke that ended while another drawing was on its way is named as soon as that is answered.
    Effect::new(move |_| {
        if !store.trial.is_glancing.get() && store.trial.is_stale.get_untracked() {
            name(store, drawing);
        }
    });
    let down = move |event: PointerEvent| {
        if event.button() != 0 {
            return;
        }
        is_keyboard.set(false);
        let pad = event_target::<HtmlCanvasElement>(&event);
        let _ = pad.set_pointer_capture(event.pointer_id());
        let at = place(&event, &pad);
        drawing.update(|drawing| drawing.begin(at));
    };
    let moved = move |event: PointerEvent| {
        if drawing.with_untracked(|drawing| drawing.is_down) {
            let at = place(&event, &event_target::<HtmlCanvasElement>(&event));
            drawing.update(|drawing| drawing.go_to(at));
        }
    };
    let up = move |_: PointerEvent| {
        if drawing.with_untracked(|drawing| drawing.is_down) {
            drawing.update(Drawing::end);
            name(store, drawing);
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let Some(ended) = drawing.try_update(|drawing| drawing.key(&event.key())).flatten() else { return };
        event.prevent_default();
        is_keyboard.set(true);
        if ended {
            name(store, drawing);
        }
    };
    view! {
        <div class="try-panel">
            <div class="try-picture">
                <canvas
                    node_ref=canvas
                    class="pad"
                    data-testid="pad"
                    width=SIDE.to_string()
                    height=SIDE.to_string()
                    tabindex="0"
                    role="application"
                    aria-label=t.pad
                    aria-describedby="pad-hint"
                    on:pointerdown=down
                    on:pointermove=moved
                    on:pointerup=up
                    on:pointercancel=up
                    on:keydown=key
                    on:blur=move |_| is_keyboard.set(false)
                ></canvas>
                <Tools drawing/>
                <p class="hint" id="pad-hint">{t.pad_hint}</p>
            </div>
            <LiveAnswer handle="pad-prediction" waiting=t.pad_waiting/>
        </div>
    }
}

#[component]
fn Tools(drawing: RwSignal<Drawing>) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let is_empty = Memo::new(move |_| drawing.with(Drawing::is_empty));
    let change = move |change: fn(&mut Drawing)| {
        drawing.update(change);
        name(store, drawing);
    };
    let width = move |event| {
        if let Ok(width) = event_target_value(&event).parse::<f64>() {
            drawing.update(|drawing| drawing.width = width);
        }
    };
    let colours = move |event| {
        let is_light = event_target_value(&event) == "light";
        drawing.update(|drawing| drawing.is_light_on_dark = is_light);
        name(store, drawing);
    };
    view! {
        <div class="row">
            <button type="button" class="quiet" data-testid="pad-undo" disabled=move || is_empty.get() on:click=move |_| change(Drawing::undo)>
                {t.pad_undo}
            </button>
            <button type="button" class="quiet" data-testid="pad-clear" disabled=move || is_empty.get() on:click=move |_| change(Drawing::clear)>
                {t.pad_clear}
            </button>
        </div>
        <div class="field inline">
            <label for="pad-width">{t.pad_width}</label>
            <input
                type="range"
                id="pad-width"
                data-testid="pad-width"
                min="4"
                max="48"
                step="2"
                prop:value=move || drawing.with(|drawing| drawing.width.to_string())
                on:input=width
            />
        </div>
        <div class="field inline">
            <label for="pad-colours">{t.pad_colours}</label>
            <select id="pad-colours" data-testid="pad-colours" on:change=colours>
                <option value="dark">{t.pad_dark}</option>
                <option value="light">{t.pad_light}</option>
            </select>
        </div>
    }
}

/// Has the drawing named; a blank one says nothing.
fn name(store: Store, drawing: RwSignal<Drawing>) {
    let trial = store.trial;
    if drawing.with_untracked(Drawing::is_empty) {
        trial.is_stale.set(false);
        return trial.forget_glance();
    }
    if trial.is_glancing.get_untracked() {
        return trial.is_stale.set(true);
    }
    trial.is_stale.set(false);
    let Some((canvas, pen)) = snapshot::canvas(WHOLE as u32) else { return };
    paint_whole(drawing, &pen);
    spawn_local(async move {
        if let Some(file) = snapshot::file_of(&canvas, text().trying.pad_file, "image/png").await {
            // Another stroke may have gone ahead while this one became a file.
            if !glance(store, file) {
                trial.is_stale.set(true);
            }
        }
    });
}

fn paint_whole(drawing: RwSignal<Drawing>, pen: &CanvasRenderingContext2d) {
    let margin = (WHOLE - SIDE) / 2.0;
    drawing.with_untracked(|drawing| {
        drawing.paper(pen, WHOLE);
        // A refused shift would only draw the strokes a little aside.
        let _ = pen.translate(margin, margin);
        drawing.ink(pen);
    });
}

/// Place of a pointer on the pad, whatever size the pad has on the screen.
fn place(event: &PointerEvent, pad: &HtmlCanvasElement) -> (f64, f64) {
    let shown = pad.get_bounding_client_rect();
    let along = |at: f64, start: f64, length: f64| (at - start) / length.max(1.0) * SIDE;
    let (x, y) = (f64::from(event.client_x()), f64::from(event.client_y()));
    (along(x, shown.left(), shown.width()), along(y, shown.top(), shown.height()))
}
