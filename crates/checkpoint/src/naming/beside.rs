//! Network and classifier side by side: frameworks keep `backbone.…` and `head.…` apart, so that the classifier has no
//! name inside the network.

use super::Style;

/// What frameworks call the network.
const NETWORKS: [&str; 4] = ["backbone.", "encoder.", "trunk.", "model."];
/// What they call a classifier of one layer, beside the network or in it.
const CLASSIFIERS: [&str; 8] =
    ["head.layers.head", "head.fc", "head", "fc", "classifier", "linear", "heads.head", "classifier.1"];

/// The classifier beside the network that stands behind `prefix`: its name in the file, and ours. `None` where there is
/// none, or the network has its own.
pub(super) fn classifier_beside(style: Style, prefix: &str, keys: &[&str]) -> Option<(String, String)> {
    let ours = match style {
        Style::Timm | Style::HuggingFace | Style::Mmpretrain | Style::Torchvision => "head",
        Style::ResNet => "fc",
        Style::MobileNet => "classifier",
        Style::NumberedMobileNet => "classifier.1",
        Style::Vgg | Style::Stitched | Style::Dinov3 | Style::Clip | Style::OpenAiClip | Style::HuggingFaceResNet => {
            return None;
        }
    };
    let is_whole = |outer: &&str| outer.is_empty() || outer.ends_with('.');
    let outer = NETWORKS.iter().find_map(|network| prefix.strip_suffix(network)).filter(is_whole)?;
    let find = |before: &str| {
        let mut modules = CLASSIFIERS.iter().map(|classifier| format!("{before}{classifier}"));
        modules.find(|module| keys.iter().any(|key| key.strip_prefix(module.as_str()) == Some(".weight")))
    };
    match find(prefix) {
        Some(_) => None,
        None => Some((find(outer)?, ours.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classifier_beside_the_network_is_found_unless_the_network_has_its_own() {
        let keys = ["state_dict.backbone.conv1.weight", "state_dict.head.fc.weight", "state_dict.head.fc.bias"];
        let (prefix, theirs) = ("state_dict.backbone.", "state_dict.head.fc".to_string());
        assert_eq!(classifier_beside(Style::ResNet, prefix, &keys), Some((theirs, "fc".into())));
        let own = ["state_dict.backbone.fc.weight", "state_dict.head.fc.weight"];
        assert_eq!(classifier_beside(Style::ResNet, prefix, &own), None);
        let projection =
            ["teacher.backbone.norm.weight", "teacher.head.mlp.0.weight", "teacher.head.last_layer.weight"];
        assert_eq!(classifier_beside(Style::Timm, "teacher.backbone.", &projection), None);
    }
}
