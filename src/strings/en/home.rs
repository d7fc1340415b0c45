//! Words of the step `home`.

use crate::strings::{Heading, Home};

pub(super) const HOME: Home = Home {
    heading: Heading {
        title: "Take it home",
        term: "export",
        intro: "Files are written on this computer. Other programs can load them, and the first kind can be dropped into \
                step 1 here as an ancestor.",
    },
    need: "First plan a descendant (step 4).",
    save: |model| format!("Save {model} as .safetensors"),
    save_planned: "Save the untrained descendant as .safetensors",
    save_onnx: "Save it as .onnx",
    save_package: "Save it as a package (.zip)",
    save_page: "Save it as a web page (.html)",
    no_player: "The page for saved models (`player.html`) is not there. Connect to the site once more, or ask whoever keeps this copy of it.",
    save_curves: "Save the curves as .csv",
    what: "The trained model chosen in step 6 is saved.",
    which: [
        (
            ".safetensors",
            "the numbers, with timm's names: for this page, for Python (PyTorch, timm), for going on training",
        ),
        (".onnx", "the whole computation: for programs that only use the model (onnxruntime, phones, web pages)"),
        (
            ".html",
            "a web page that names pictures by itself, with no network: from a stick, on a phone; it opens here again",
        ),
        (
            ".zip",
            "for handing on: the .safetensors file, how pictures are prepared, the names of the classes, and how to load it all in Python",
        ),
    ],
    save_picture: "Save picture",
    picture_svg: "as a drawing that stays sharp at any size",
    picture_png: "as pixels, for any program",
    saved: |name| format!("{name} was saved."),
    not_saved: |name| {
        format!(
            "`{name}` could not be saved: the browser refused the download. Allow downloads for this \
                               page and try again."
        )
    },
};
