//! Words of the step `home`.

use crate::ui::strings::{Heading, Home};

pub(super) const HOME: Home = Home {
    heading: Heading {
        title: "Take it home",
        term: "export",
        intro: "The file is written on this computer. It has timm's names, so other programs can load it, and it can be \
                dropped into step 1 here as an ancestor.",
    },
    need: "First plan a descendant (step 4).",
    save: |model| format!("Save {model} as .safetensors"),
    save_planned: "Save the untrained descendant as .safetensors",
    save_curves: "Save the curves as .csv",
    what: "The trained model chosen in step 6 is saved.",
    saved: |name| format!("{name} was saved."),
    not_saved: |name| {
        format!(
            "`{name}` could not be saved: the browser refused the download. Allow downloads for this \
                               page and try again."
        )
    },
};
