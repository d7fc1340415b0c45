//! Words for convolutional networks and for how pictures are prepared.

use super::plural;
use crate::strings::Cnn;

pub(super) const CNN: Cnn = Cnn {
    stages: "Stages",
    blocks: "Blocks per stage",
    widths: "Channels after each stage",
    picture_value: |size| format!("{size} × {size} px"),
    spoken: |family, stages| format!("Ancestor recognised: {family}, {}.", plural(stages, "stage", "stages")),
    no_heads: "This ancestor has no attention heads; choose the method “layers” in step 4.",
    preparation: "How its pictures are prepared",
    mean: "Mean of red, green, blue (mean)",
    mean_hint: "taken away from colours between 0 and 1; change it only if you know what the model was trained with",
    std: "Deviation of red, green, blue (std)",
    std_hint: "what is left is divided by it",
    not_three: |text| format!("“{text}” is not three numbers, such as 0.485, 0.456, 0.406."),
};
