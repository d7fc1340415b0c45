//! The camera: a live picture, a button that names it, and naming on and on, one frame at a time.

use std::time::Duration;

use js_sys::{Object, Reflect};
use leptos::html::Video;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlVideoElement, MediaStream, MediaStreamConstraints, MediaStreamTrack};

use super::answer::LiveAnswer;
use crate::browser::snapshot;
use crate::prelude::*;
use crate::trial::actions::glance;

/// Side of the square that is cut out of a frame, px.
const SIDE: u32 = 320;
/// Time between two frames when naming goes on and on.
const EVERY: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, PartialEq)]
enum State {
    Off,
    Asking,
    On,
    /// Why there is no picture.
    Refused(String),
}

/// The camera's panel; leaving it switches the camera off.
#[component]
pub fn Camera() -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().trying;
    let state = RwSignal::new(State::Off);
    let goes_on = RwSignal::new(false);
    let video = NodeRef::<Video>::new();
    let stream = StoredValue::new_local(None::<MediaStream>);
    let off = move || {
        stop(stream.try_update_value(Option::take).flatten());
        state.set(State::Off);
        goes_on.set(false);
    };
    on_cleanup(move || stop(stream.try_update_value(Option::take).flatten()));
    let on = move |_| {
        state.set(State::Asking);
        spawn_local(async move {
            let opened = open().await;
            // The person may have left the panel while the browser asked.
            if state.try_get_untracked() != Some(State::Asking) {
                return stop(opened.ok());
            }
            match opened {
                Ok(opened) => {
                    if let Some(video) = video.get_untracked() {
                        video.set_src_object(Some(&opened));
                    }
                    stream.set_value(Some(opened));
                    state.set(State::On);
                }
                Err(reason) => state.set(State::Refused(reason)),
            }
        });
    };
    name_on_and_on(store, goes_on, state, video);
    let is_on = Memo::new(move |_| state.get() == State::On);
    view! {
        <div class="try-panel">
            <div class="try-picture">
                <video
                    node_ref=video
                    class="camera"
                    data-testid="camera-preview"
                    class:unseen=move || !is_on.get()
                    aria-label=t.camera_preview
                    muted
                    autoplay
                    playsinline
                ></video>
                <Show when=move || !is_on.get()>
                    <p class="camera camera-off hint">{t.camera_off_hint}</p>
                </Show>
                <div class="row">
                    <Show
                        when=move || is_on.get()
                        fallback=move || {
                            view! {
                                <button
                                    type="button"
                                    data-testid="camera-start"
                                    disabled=move || state.get() == State::Asking
                                    on:click=on
                                >
                                    {move || if state.get() == State::Asking { t.camera_asking } else { t.camera_start }}
                                </button>
                            }
                        }
                    >
                        <button type="button" data-testid="camera-name" on:click=move |_| name(store, video)>{t.camera_name}</button>
                        <button type="button" class="quiet" data-testid="camera-stop" on:click=move |_| off()>{t.camera_stop}</button>
                    </Show>
                </div>
                <div class="field check">
                    <label for="camera-on-and-on">
                        <input
                            type="checkbox"
                            id="camera-on-and-on"
                            data-testid="camera-continuous"
                            disabled=move || !is_on.get()
                            prop:checked=move || goes_on.get()
                            on:change=move |event| goes_on.set(event_target_checked(&event))
                        />
                        <span>{t.camera_continuous}</span>
                    </label>
                </div>
                <p class="missing" role="alert" data-testid="camera-refused">
                    {move || if let State::Refused(reason) = state.get() { Some(reason) } else { None }}
                </p>
            </div>
            <LiveAnswer handle="camera-prediction" waiting=t.camera_waiting/>
        </div>
    }
}

/// Names a frame every half second while that is wanted, the page is seen, and the last one was answered.
fn name_on_and_on(store: Store, goes_on: RwSignal<bool>, state: RwSignal<State>, video: NodeRef<Video>) {
    let tick = move || {
        if goes_on.get_untracked() && state.get_untracked() == State::On && !document().hidden() {
            name(store, video);
        }
    };
    if let Ok(timer) = set_interval_with_handle(tick, EVERY) {
        on_cleanup(move || timer.clear());
    }
    // A frame that cannot be named would fail twice a second, for ever. One whose answer nobody wants any more is none.
    Effect::new(move |before: Option<bool>| {
        let is_waiting = store.trial.is_glancing.get();
        let was_wanted = store.trial.asked_glance.with_value(Option::is_some);
        let has_failed = was_wanted && store.trial.glance.with_untracked(Option::is_none);
        if before == Some(true) && !is_waiting && has_failed {
            goes_on.set(false);
        }
        is_waiting
    });
}

/// Has the middle square of the frame named, unless another one is on its way.
fn name(store: Store, video: NodeRef<Video>) {
    let Some(video) = video.get_untracked() else { return };
    if store.trial.is_glancing.get_untracked() {
        return;
    }
    spawn_local(async move {
        if let Some(file) = frame(&video).await {
            glance(store, file);
        }
    });
}

async fn frame(video: &HtmlVideoElement) -> Option<web_sys::File> {
    let (width, height) = (f64::from(video.video_width()), f64::from(video.video_height()));
    let square = width.min(height);
    if square < 1.0 {
        return None;
    }
    let (canvas, pen) = snapshot::canvas(SIDE)?;
    let (left, top, side) = ((width - square) / 2.0, (height - square) / 2.0, f64::from(SIDE));
    pen.draw_image_with_html_video_element_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
        video, left, top, square, square, 0.0, 0.0, side, side,
    )
    .ok()?;
    snapshot::file_of(&canvas, text().trying.camera_file, "image/jpeg").await
}

/// Asks for a camera; the back one where there are two. Why not, in a sentence.
async fn open() -> Result<MediaStream, String> {
    let t = &text().trying;
    let navigator = window().navigator();
    let has_cameras = Reflect::get(&navigator, &"mediaDevices".into()).is_ok_and(|devices| !devices.is_undefined());
    if !has_cameras {
        return Err(if window().is_secure_context() { t.camera_none } else { t.camera_insecure }.to_owned());
    }
    let asked = async {
        let wishes = Object::new();
        Reflect::set(&wishes, &"facingMode".into(), &"environment".into())?;
        let constraints = MediaStreamConstraints::new();
        constraints.set_video(&wishes);
        JsFuture::from(navigator.media_devices()?.get_user_media_with_constraints(&constraints)?).await?.dyn_into()
    };
    asked.await.map_err(|error: JsValue| {
        let name = Reflect::get(&error, &"name".into()).ok().and_then(|name| name.as_string()).unwrap_or_default();
        match name.as_str() {
            "NotAllowedError" | "SecurityError" => t.camera_denied.to_owned(),
            "NotFoundError" | "OverconstrainedError" => t.camera_none.to_owned(),
            "NotReadableError" | "AbortError" => t.camera_busy.to_owned(),
            _ => (t.camera_failed)(&name),
        }
    })
}

fn stop(stream: Option<MediaStream>) {
    for track in stream.into_iter().flat_map(|stream| stream.get_tracks().to_vec()) {
        track.unchecked_into::<MediaStreamTrack>().stop();
    }
}
