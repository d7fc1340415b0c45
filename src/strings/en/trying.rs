//! Words of camera, drawing pad, attention and mistakes.

use crate::strings::Trying;

pub(super) const TRYING: Trying = Trying {
    ways: "Show it",
    way_files: "pictures",
    validation: "Take pictures kept for checking",
    validation_hint: "none of them was learned from; other ones each time",
    truth: |is_right, class| if is_right { format!("right: it is {class}") } else { format!("wrong: it is {class}") },
    way_camera: "the camera",
    way_pad: "a drawing",
    ancestor_itself: |name| format!("the ancestor itself ({name})"),
    camera_start: "Switch the camera on",
    camera_asking: "Waiting for your permission …",
    camera_stop: "Switch it off",
    camera_name: "Name this",
    camera_continuous: "Go on naming, twice a second",
    camera_preview: "What the camera sees",
    camera_off_hint: "The camera is off. Its pictures stay in this page.",
    camera_waiting: "Hold something in front of the camera and choose “Name this”.",
    camera_file: "camera.jpg",
    camera_insecure: "Browsers give a camera only to pages from https or localhost, and this page came over plain http. \
                      Use https, or take a picture with another program and choose it as a file.",
    camera_denied: "The browser does not let this page use the camera. Allow it in the browser's settings for this page \
                    (often a camera sign beside the address) and try again, or choose a picture as a file.",
    camera_none: "No camera was found. Connect one and try again, or choose a picture as a file.",
    camera_busy: "The camera is there, but another program holds it. Close that program and try again.",
    camera_failed: |reason| {
        format!("The camera could not be started ({reason}). Try again, or choose a picture as a file.")
    },
    pad: "Drawing pad",
    pad_hint: "Draw with mouse, finger or pen; each stroke is named at once. With the keyboard: arrow keys move the pen, \
               space puts it down and lifts it. Or draw elsewhere and choose the picture as a file. The model sees the \
               whole pad.",
    pad_waiting: "What you draw is named here.",
    pad_file: "drawing.png",
    pad_undo: "Undo",
    pad_clear: "Clear",
    pad_width: "Pen width",
    pad_colours: "Colours",
    pad_dark: "black on white (doodles)",
    pad_light: "white on black (Fashion-MNIST)",
    look_open: "What it looks at",
    look_close: "Close",
    look_waiting: "Looking …",
    look_none: "This model has no attention: a convolutional network looks through small windows everywhere alike. Only \
                the picture it sees is shown.",
    look_layers: "Layer",
    look_layer: |layer| format!("{layer}"),
    look_rollout: "all, multiplied (rollout)",
    look_heads: "Head",
    look_head: |head| format!("{head}"),
    look_average: "average of all",
    look_opacity: "Strength of the veil",
    look_hint: "Bright and warm places get much attention (drawn as A^0.25). The rollout multiplies the layers' mean attention, \
                half of it replaced by what passes straight through (Abnar & Zuidema 2020).",
    look_cls: "What the class token (CLS) looks at, as the model sees the picture.",
    look_mean: "What the patches look at on average, as the model sees the picture.",
    look_strongest: |row, column, grid| format!("Most in row {row}, column {column} of {grid} × {grid}."),
    judged: |truth, said, sure| match truth == said {
        true => format!("{said}, {sure} sure"),
        false => format!("{truth}, called {said}, {sure} sure"),
    },
    loss: |loss| format!("loss {loss}"),
    no_picture: "no picture",
    worst: |count| match count {
        0 => "Worst mistakes".to_owned(),
        1 => "The worst mistake".to_owned(),
        count => format!("The {count} worst mistakes"),
    },
    worst_intro: "The surer it was of a wrong answer, the larger the loss (cross-entropy). Choose one to see what it looked at.",
    worst_none: "It named every checking picture rightly.",
    class_caption: "Each class by itself",
    class_column: "Class",
    class_count: "Pictures",
    class_recall: "Found (recall)",
    class_precision: "Right when it says so (precision)",
    class_share: |share, right, all| format!("{share} ({right} of {all})"),
    class_none: "–",
};
