//! Networks put together from stages of another.

use burn::tensor::Device;
use heirloom_nn::cnn::{CnnConfig, SeamError, Shortcut, StageConfig, Unit};

use super::{lively, small};

on_every_engine! {
    async fn inherited_stages_come_with_their_weights_and_statistics_and_the_rest_is_random(device: Device) {
        let ancestor = lively(&small(Shortcut::Projection), &device).await;
        let on_top = StageConfig { width: 5, inner: 5, ..ancestor.config.stages[1] };
        let units = [Unit::Inherited(0), Unit::Inherited(1), Unit::Random(on_top)];
        let one = ancestor.from_units(&units, 3, 8, 7).await.unwrap();
        let (old, new) = (ancestor.state().await.unwrap(), one.state().await.unwrap());
        let of = |state: &[(String, heirloom_plan::weights::HostTensor)], key: &str| {
            state.iter().find(|(name, _)| name == key).map(|(_, tensor)| tensor.clone())
        };
        for (key, tensor) in &new {
            let is_inherited = ["conv1.", "bn1.", "layer1.", "layer2."].iter().any(|part| key.starts_with(part));
            assert_eq!(of(&old, key).as_ref() == Some(tensor), is_inherited, "{key}");
        }
        assert_eq!(of(&new, "layer3.0.conv1.weight").unwrap().shape, [5, 6, 3, 3]);
        assert_eq!(of(&new, "fc.weight").unwrap().shape, [3, 5]);
        let again = ancestor.from_units(&units, 3, 8, 7).await.unwrap();
        assert_eq!(again.state().await.unwrap(), new);
    }
}

fn seam(units: &[Unit]) -> SeamError {
    small(Shortcut::Projection).from_units(units, 3, 8).expect_err("a seam that does not fit")
}

#[test]
fn stages_that_do_not_follow_are_refused_in_sentences() {
    assert_eq!(
        seam(&[Unit::Inherited(0), Unit::Inherited(2)]).to_string(),
        "stage 3 of the ancestor takes maps of 6 channels, but stage 1 of the ancestor before it gives 4; choose a stage \
         between them too, or leave one of them out"
    );
    assert_eq!(
        seam(&[Unit::Inherited(1), Unit::Inherited(1)]).to_string(),
        "stage 2 of the ancestor takes maps of 4 channels, but stage 2 of the ancestor before it gives 6; choose a stage \
         between them too, or leave one of them out"
    );
    assert_eq!(seam(&[Unit::Inherited(3)]), SeamError::Unknown { unit: 4, stages: 3 });
    assert_eq!(seam(&[]), SeamError::Empty);
    let vgg = CnnConfig::vgg([1; 5], 3);
    // 16 px are halved to 8, 4, 2 and 1; the fifth pooling has nothing left to halve.
    let vanished = SeamError::Vanished { image_size: 16, stage: "stage 5 of the ancestor".into() };
    assert_eq!(vgg.from_units(&(0..5).map(Unit::Inherited).collect::<Vec<_>>(), 3, 16), Err(vanished));
    let narrower = StageConfig { width: 2, inner: 2, shortcut: Shortcut::Zeros, ..vgg.stages[0] };
    let narrower = StageConfig { block: heirloom_nn::cnn::BlockKind::Basic, ..narrower };
    let contradictory = |stage: &str, problem| SeamError::Stage { stage: stage.into(), problem };
    assert_eq!(
        seam(&[Unit::Inherited(0), Unit::Random(narrower)]),
        contradictory("random stage 2", "a shortcut of zeros cannot lead to fewer channels")
    );
    assert_eq!(
        seam(&[Unit::Random(vgg.stages[0])]),
        contradictory("random stage 1", "plain blocks have no place behind a ResNet's stem")
    );
}

#[test]
fn any_stages_whose_widths_meet_make_a_network() {
    let config = small(Shortcut::Projection);
    let wide = StageConfig { input: 99, ..config.stages[2] };
    let made = config.from_units(&[Unit::Inherited(1), Unit::Random(wide)], 4, 12).unwrap();
    assert_eq!((made.stages[1].input, made.classes, made.image_size), (6, Some(4), 12));
    made.check().unwrap();
}
