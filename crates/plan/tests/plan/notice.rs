//! What a notice says of an error.

use heirloom_plan::protocol::{Notice, NoticeLevel};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error, Serialize)]
enum Outer {
    #[error("nothing is there")]
    Nothing,
    #[error("there is no class `{0}`")]
    NoClass(String),
    #[error(transparent)]
    Inner(Inner),
    #[error("{0} of {1}")]
    Pair(usize, usize),
    #[error("the device said {0}")]
    Device(Foreign),
}

#[derive(Debug, thiserror::Error, Serialize)]
enum Inner {
    #[error("`{path}`: {reason}")]
    Picture { path: String, reason: Cause },
    #[error("`{key}` has shape {found:?}, the nearest is {nearest:?}")]
    Shape { key: String, found: Vec<usize>, nearest: Option<String> },
}

#[derive(Debug, thiserror::Error, Serialize)]
enum Cause {
    #[error("it is empty")]
    Empty,
    #[error("{width} × {height} in {path}!")]
    TooLarge { width: u32, height: u32, path: String },
}

#[derive(Debug, thiserror::Error, Serialize)]
#[error("{0}")]
struct Foreign(String);

fn notice(reason: &Outer) -> (String, Value, String) {
    let Notice { code, values, text, .. } = Notice::of(NoticeLevel::Error, reason);
    (code, json!(values), text)
}

#[test]
fn a_variant_without_fields_is_its_name() {
    assert_eq!(notice(&Outer::Nothing), ("Nothing".into(), json!({}), "Nothing is there.".into()));
}

#[test]
fn a_text_that_looks_like_a_variant_is_a_value() {
    let text = "There is no class `Nothing`.".into();
    assert_eq!(notice(&Outer::NoClass("Nothing".into())), ("NoClass".into(), json!({ "0": "Nothing" }), text));
    let text = "The device said lost.".into();
    assert_eq!(notice(&Outer::Device(Foreign("lost".into()))), ("Device".into(), json!({ "0": "lost" }), text));
    assert_eq!(notice(&Outer::Pair(2, 3)), ("Pair".into(), json!({ "0": 2, "1": 3 }), "2 of 3.".into()));
}

#[test]
fn variants_within_variants_make_a_path_and_their_fields_lie_side_by_side() {
    let picture = |reason| Outer::Inner(Inner::Picture { path: "a.png".into(), reason });
    let (code, values, _) = notice(&picture(Cause::Empty));
    assert_eq!((code.as_str(), values), ("Inner.Picture.Empty", json!({ "path": "a.png" })));
    let (code, values, text) = notice(&picture(Cause::TooLarge { width: 3, height: 4, path: "b".into() }));
    let all = json!({ "path": "a.png", "width": 3, "height": 4, "TooLarge.path": "b" });
    assert_eq!((code.as_str(), values), ("Inner.Picture.TooLarge", all));
    assert_eq!(text, "`a.png`: 3 × 4 in b!");
}

#[test]
fn lists_and_what_is_absent_are_values() {
    let (code, values, _) = notice(&Outer::Inner(Inner::Shape { key: "w".into(), found: vec![1, 2], nearest: None }));
    assert_eq!((code.as_str(), values), ("Inner.Shape", json!({ "key": "w", "found": [1, 2], "nearest": null })));
}
