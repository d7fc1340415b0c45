//! Saving a chart as a picture: a drawing (SVG) that stays sharp, or pixels (PNG) that go everywhere.

use js_sys::{Function, Promise};
use leptos::html::Div;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlImageElement};

use super::picture;
use super::picture::Picture;
use crate::browser::files::download;
use crate::prelude::*;

/// Pixels of the picture per pixel of the page.
const SHARPNESS: f64 = 2.0;

/// Buttons that save the figure they stand in; `name` is that of the file.
#[component]
pub fn SavePicture(name: &'static str) -> impl IntoView {
    let store = expect_context::<Store>();
    let t = &text().home;
    let row = NodeRef::<Div>::new();
    let save = move |ending: &'static str| {
        let figure = row.get_untracked().and_then(|row| row.closest("figure").ok().flatten());
        let Some(picture) = figure.and_then(|figure| picture::of_figure(&figure)) else { return };
        let file = format!("heirloom-{name}.{ending}");
        spawn_local(async move {
            let (mime, bytes) = match ending {
                "png" => ("image/png", pixels(&picture).await),
                _ => ("image/svg+xml", Ok(JsValue::from_str(&picture.svg))),
            };
            match bytes.and_then(|bytes| download(&file, mime, &bytes)) {
                Ok(()) => store.says.spoken.set((t.saved)(&file)),
                Err(_) => complain(store, (t.not_saved)(&file)),
            }
        });
    };
    let button = move |ending: &'static str, label: &'static str| {
        view! {
            <button
                type="button"
                class="quiet"
                data-testid=format!("save-{name}-{ending}")
                title=if ending == "svg" { t.picture_svg } else { t.picture_png }
                on:click=move |_| save(ending)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="save-picture" node_ref=row>
            <span>{t.save_picture}</span>
            {button("svg", "SVG")}
            {button("png", "PNG")}
        </div>
    }
}

/// The picture as PNG, drawn by the browser on a canvas of this page.
async fn pixels(picture: &Picture) -> Result<JsValue, JsValue> {
    let address = format!("data:image/svg+xml;charset=utf-8,{}", js_sys::encode_uri_component(&picture.svg));
    let image = HtmlImageElement::new()?;
    image.set_src(&address);
    JsFuture::from(image.decode()).await?;
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    let (width, height) = (picture.width * SHARPNESS, picture.height * SHARPNESS);
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context = canvas.get_context("2d")?.ok_or_else(JsValue::null)?.unchecked_into::<CanvasRenderingContext2d>();
    context.draw_image_with_html_image_element_and_dw_and_dh(&image, 0.0, 0.0, width, height)?;
    let blob = Promise::new(&mut |yes: Function, no: Function| {
        if let Err(error) = canvas.to_blob(&yes) {
            let _ = no.call1(&JsValue::NULL, &error);
        }
    });
    let blob = JsFuture::from(blob).await?;
    if blob.is_null() { Err(blob) } else { Ok(blob) }
}
