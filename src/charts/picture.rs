//! A chart as a picture of its own: what stands in its figure, placed as on the screen, with the colours it has there.
//!
//! The style sheet does not travel with a file, so every shape gets its computed colours as plain attributes; an inline
//! `style` would be against the page's content-security policy, and drawing programs read attributes better anyway.

use std::fmt::Write;

use leptos::prelude::window;
use wasm_bindgen::JsCast;
use web_sys::{CssStyleDeclaration, DomRect, Element, Node};

/// Room around the picture, px.
const MARGIN: f64 = 16.0;
/// Width of a letter against its size, on average; people's fonts differ.
const LETTER: f64 = 0.54;
/// What the style sheet may say of a shape, and the value that need not be written.
const OF_SHAPES: [(&str, &str); 8] = [
    ("fill", ""),
    ("stroke", "none"),
    ("stroke-width", "1px"),
    ("stroke-dasharray", "none"),
    ("stroke-linejoin", "miter"),
    ("fill-opacity", "1"),
    ("opacity", "1"),
    ("shape-rendering", "auto"),
];
/// What it may say of writing.
const OF_TEXT: [&str; 4] = ["font-family", "font-size", "font-weight", "font-style"];
/// Attributes that mean something on the page only.
const LEFT_OUT: [&str; 4] = ["class", "style", "data-testid", "tabindex"];

/// A drawing and its size, px.
pub struct Picture {
    pub svg: String,
    pub width: f64,
    pub height: f64,
}

/// The picture of a figure: caption, drawings and legend. `None` when nothing is drawn in it.
pub fn of_figure(figure: &Element) -> Option<Picture> {
    let frame = figure.get_bounding_client_rect();
    let mut body = String::new();
    let (mut right, mut bottom): (f64, f64) = (0.0, 0.0);
    let parts = figure.query_selector_all("figcaption, svg, .legend li, .legend p").ok()?;
    let mut has_drawing = false;
    for part in (0..parts.length()).filter_map(|at| parts.item(at)?.dyn_into::<Element>().ok()) {
        let rect = part.get_bounding_client_rect();
        if rect.width() <= 0.0 || rect.height() <= 0.0 {
            continue;
        }
        let place = (rect.left() - frame.left() + MARGIN, rect.top() - frame.top() + MARGIN);
        if part.local_name() == "svg" {
            has_drawing |= !part.class_list().contains("swatch");
            drawing(&part, place, &rect, &mut body);
        } else {
            words(&part, place, &rect, &mut body);
        }
        (right, bottom) = (right.max(place.0 + rect.width()), bottom.max(place.1 + rect.height()));
    }
    if !has_drawing {
        return None;
    }
    let (width, height) = ((right + MARGIN).ceil(), (bottom + MARGIN).ceil());
    let paper = leptos::prelude::document().body().and_then(|body| style_of(&body));
    let paper = paper.map(|style| value(&style, "background-color")).unwrap_or_default();
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>{body}</svg>",
        escaped(&paper)
    );
    Some(Picture { svg, width, height })
}

/// A drawing where it stands on the page, and as large.
fn drawing(svg: &Element, (x, y): (f64, f64), rect: &DomRect, out: &mut String) {
    let view = svg.get_attribute("viewBox").unwrap_or_else(|| format!("0 0 {} {}", rect.width(), rect.height()));
    let _ = write!(
        out,
        "<svg x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" viewBox=\"{}\" overflow=\"visible\">",
        rect.width(),
        rect.height(),
        escaped(&view)
    );
    children(svg, out);
    out.push_str("</svg>");
}

fn children(element: &Element, out: &mut String) {
    let nodes = element.child_nodes();
    for node in (0..nodes.length()).filter_map(|at| nodes.item(at)) {
        match node.node_type() {
            Node::TEXT_NODE => out.push_str(&escaped(&node.text_content().unwrap_or_default())),
            Node::ELEMENT_NODE => {
                if let Some(child) = node.dyn_ref::<Element>() {
                    shape(child, out);
                }
            }
            // The marks that the page's framework leaves between its parts.
            _ => {}
        }
    }
}

fn shape(element: &Element, out: &mut String) {
    let tag = element.local_name();
    let _ = write!(out, "<{tag}");
    let is_computed = |name: &str| OF_SHAPES.iter().any(|(one, _)| *one == name) || OF_TEXT.contains(&name);
    for name in element.get_attribute_names().iter().filter_map(|name| name.as_string()) {
        if !LEFT_OUT.contains(&name.as_str()) && !is_computed(&name) && !name.starts_with("aria-") {
            attribute(&name, &element.get_attribute(&name).unwrap_or_default(), out);
        }
    }
    if let Some(style) = style_of(element).filter(|_| tag != "title") {
        for (name, usual) in OF_SHAPES {
            let value = value(&style, name);
            if !value.is_empty() && value != usual {
                attribute(name, &value, out);
            }
        }
        if tag == "text" {
            OF_TEXT.into_iter().for_each(|name| attribute(name, &value(&style, name), out));
        }
    }
    out.push('>');
    children(element, out);
    let _ = write!(out, "</{tag}>");
}

/// Words of the page, in as many lines as they take there, right of the marks they explain.
fn words(element: &Element, (x, y): (f64, f64), rect: &DomRect, out: &mut String) {
    let (Some(style), Some(text)) = (style_of(element), element.text_content()) else { return };
    let number = |name: &str| value(&style, name).trim_end_matches("px").parse::<f64>().ok();
    let size = number("font-size").unwrap_or(13.0);
    let height = number("line-height").unwrap_or(1.5 * size);
    let mark = element.query_selector("svg").ok().flatten().map(|mark| mark.get_bounding_client_rect());
    let indent = mark.map_or(0.0, |mark| mark.right() - rect.left() + 0.4 * size);
    let lines = (rect.height() / height).round().max(1.0) as usize;
    let letters = if lines == 1 { usize::MAX } else { ((rect.width() - indent) / (LETTER * size)) as usize };
    for (row, line) in broken(text.trim(), letters).into_iter().enumerate() {
        let (x, y) = (x + indent, y + (row as f64 + 0.5) * height + 0.35 * size);
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\"");
        attribute("fill", &value(&style, "color"), out);
        OF_TEXT.into_iter().for_each(|name| attribute(name, &value(&style, name), out));
        let _ = write!(out, ">{}</text>", escaped(&line));
    }
}

/// Lines of at most so many letters, broken between words.
fn broken(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > letters {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

fn style_of(element: &Element) -> Option<CssStyleDeclaration> {
    window().get_computed_style(element).ok().flatten()
}

fn value(style: &CssStyleDeclaration, name: &str) -> String {
    style.get_property_value(name).unwrap_or_default()
}

fn attribute(name: &str, value: &str, out: &mut String) {
    let _ = write!(out, " {name}=\"{}\"", escaped(value));
}

/// Text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
