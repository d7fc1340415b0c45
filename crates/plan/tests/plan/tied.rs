//! Tied layers: the rule, and what is stored and planned.

use heirloom_plan::config::{ModelConfig, VitConfig};
use heirloom_plan::descendant::{Basis, PlanError};
use heirloom_plan::layers::LayersError;
use heirloom_plan::protocol::*;
use heirloom_plan::settings::Settings;
use heirloom_plan::tied::stored_parameters;

use crate::cluster_account::deit;

fn plan(tying: Tying, layers: usize) -> DescendantPlan {
    TiedSettings { tying, layers, image_size: 224 }.into()
}

#[test]
fn layers_of_a_line_rise_to_the_sum_of_both_at_any_depth() {
    assert_eq!(Tying::Line.coefficients(0, 4), [1.0, 0.25]);
    assert_eq!(Tying::Line.coefficients(1, 4), [1.0, 0.5]);
    for layers in [1, 4, 12, 24] {
        assert_eq!(Tying::Line.coefficients(layers - 1, layers), [1.0, 1.0]);
    }
}

#[test]
fn stages_are_as_even_as_can_be_and_each_layer_is_one_stored_one() {
    let stages = |count: usize, layers: usize| -> Vec<usize> {
        let one = |layer| Tying::Stages(count).coefficients(layer, layers).iter().position(|share| *share == 1.0);
        (0..layers).map(|layer| one(layer).unwrap()).collect()
    };
    assert_eq!(stages(3, 6), [0, 0, 1, 1, 2, 2]);
    assert_eq!(stages(3, 7), [0, 0, 0, 1, 1, 2, 2]);
    assert_eq!(stages(3, 3), [0, 1, 2]);
    let sum: f64 = Tying::Stages(5).coefficients(9, 12).iter().sum();
    assert_eq!(sum, 1.0);
}

#[test]
fn a_line_stores_two_layers_of_twelve_whatever_its_descendants_are() {
    let ancestor = VitConfig { classes: None, ..deit(384, 6) };
    let stored = stored_parameters(&Tying::Line.learngene(&ancestor, [10, 224]).unwrap());
    // A layer of DeiT-S, and stem and norm around twelve of them.
    let layer = 12 * 384 * 384 + 13 * 384;
    assert_eq!(stored, ancestor.parameters() - 10 * layer);
    assert_eq!(stored_parameters(&Tying::Stages(3).learngene(&ancestor, [10, 224]).unwrap()), stored + layer);

    let (model, pictures) = (ModelConfig::from(ancestor.clone()), vec![[4, 1]; 10]);
    let basis = Basis { ancestor: Some(&model), pictures: &pictures, ..Basis::default() };
    for layers in [1, 6, 24] {
        let summary = basis.summary(&plan(Tying::Line, layers)).unwrap();
        assert_eq!(summary.parameters, stored + (layers as u64 * layer) - 2 * layer + 385 * 10);
        assert_eq!(summary.parts, DescendantParts::Tied { tying: Tying::Line, layers });
    }
    // The arms of a race of it take as many whole layers as are stored.
    let outline = basis.outline(&plan(Tying::Line, 6)).unwrap();
    assert_eq!(outline.start(Init::First, &model).unwrap(), outline.config);
}

#[test]
fn a_descendant_has_a_layer_for_every_stage() {
    let model = ModelConfig::from(deit(384, 6));
    let basis = Basis { ancestor: Some(&model), ..Basis::default() };
    let refused = |plan: &DescendantPlan| match basis.summary(plan) {
        Err(PlanError::Layers(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&plan(Tying::Stages(3), 2)), LayersError::TooShallow { layers: 2, chosen: 3 });
    assert_eq!(refused(&plan(Tying::Stages(0), 2)), LayersError::Zero { name: "stages" });
    assert_eq!(refused(&plan(Tying::Line, 0)), LayersError::Zero { name: "layers" });
}

#[test]
fn an_address_names_both_methods_and_what_they_plan() {
    let line = Settings::from_fragment("#method=tleg&layers=9&aux=4&temperature=2");
    assert_eq!(line.tying(), Some(Tying::Line));
    let learning = line.learning(Tying::Line, 16);
    assert_eq!((learning.layers, learning.temperature), (4, 2.0));
    let plan = line.descendant(3, 16);
    assert_eq!(plan, TiedSettings { tying: Tying::Line, layers: 9, image_size: 112 }.into());
    assert_eq!(plan.method(), Method::Tleg);
    let stages = Settings::from_fragment("#method=sws&stages=4&layers=8").descendant(12, 16);
    assert_eq!(stages.method(), Method::Sws);
    assert_eq!(serde_json::from_str::<DescendantPlan>(&serde_json::to_string(&stages).unwrap()).unwrap(), stages);
}
