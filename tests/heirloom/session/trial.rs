//! Trying models: naming on the way, looking at attention, judging, small pictures.
use super::*;
use heirloom_engine::{confusion, evaluate};

fn look(heard: &[(Event, Option<Vec<u8>>)]) -> Look {
    find(heard, |event| if let Event::Look(look) = event { Some(look.clone()) } else { None }).expect("a look")
}

/// The same tiny ancestor with a classifier of its own.
pub fn classifier() -> FileHandle {
    let config = VitConfig { classes: Some(2), ..config() };
    let random = RandomWeights { seed: 4 };
    let tensors = config.tensors().into_iter().map(|(key, shape)| {
        let values = random.values(&key, shape.iter().product()).into_iter();
        let scale = if key.contains("qkv.weight") { 20.0 } else { 1.0 };
        (key, HostTensor { shape, values: values.map(|value| scale * value).collect() })
    });
    let labels = Some(vec!["blue".to_owned(), "red".to_owned()]);
    let description = Description { config: config.clone().into(), labels, preprocessing: None };
    FileHandle::from_bytes("classifier.safetensors", write_safetensors(tensors, &description))
}

on_every_engine! {
    async fn an_ancestor_with_a_classifier_is_tried_like_a_descendant(_device: Device) {
        let mut engine = TestEngine::start().await;
        engine.open(classifier()).await;
        let files = pictures(5);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files.clone()).await;

        let picture = vec![files[0].clone()];
        let heard = engine.send(Command::Glance { run: None, files: refs(&picture) }, picture).await;
        assert_eq!(error(&heard), None);
        let glances: Vec<_> = heard.iter().filter_map(|(event, _)| match event {
            Event::Glance(glance) => Some(glance.clone()),
            _ => None,
        }).collect();
        let [Some(named)] = &glances[..] else { panic!("one answer: {glances:?}") };
        assert_eq!(named.picture, PictureAt::Glanced);
        let mut names: Vec<_> = named.classes.iter().map(|(class, _)| class.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["blue", "red"]);

        let at = |at| Command::Look { run: None, picture: PictureAt::Glanced, at };
        let last = look(&engine.send(at(LookAt::Last), Vec::new()).await);
        assert_eq!((last.at, last.layers, last.grid, last.is_cls), (LookAt::Layer(1), 2, 4, true));
        assert_eq!(last.maps.iter().map(Vec::len).collect::<Vec<_>>(), [16; 4]);
        let first = look(&engine.send(at(LookAt::Layer(0)), Vec::new()).await);
        assert_ne!(first.maps, last.maps, "layers look differently");
        let rolled = look(&engine.send(at(LookAt::Rollout), Vec::new()).await);
        assert_eq!(rolled.maps.len(), 1);
        for map in last.maps.iter().chain(&first.maps).chain(&rolled.maps) {
            let sum: f32 = map.iter().sum();
            // A random head may look almost only at CLS itself.
            assert!(sum > 0.0 && sum < 1.0, "patches and CLS share 1, the patches have {sum}");
        }

        let heard = engine.send(Command::Confusion { run: None }, Vec::new()).await;
        let judged = find(&heard, |event| if let Event::Confusion(all) = event { Some(all.clone()) } else { None }).unwrap();
        assert_eq!(judged.counts.iter().flatten().sum::<usize>(), 2);
        let one = judged.pictures.iter().flatten().flatten().next().expect("a judged picture").clone();
        let heard = engine.send(Command::Thumbnails { paths: vec![one.path.clone(), "gone.jpg".into()] }, Vec::new()).await;
        let urls: Vec<_> = heard.iter().filter_map(|(event, _)| match event {
            Event::Thumbnail { path, url } => Some((path.clone(), url.as_ref().is_some_and(|url| url.starts_with("data:image/")))),
            _ => None,
        }).collect();
        assert_eq!(urls, [(one.path.clone(), true), ("gone.jpg".to_owned(), false)]);
        let of_set = Command::Look { run: None, picture: PictureAt::Path(one.path), at: LookAt::Last };
        assert_eq!(look(&engine.send(of_set, Vec::new()).await).maps.len(), 4);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn checking_pictures_are_named_with_the_class_they_are_filed_under() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        let ask = |skip, count| Command::PredictValidation { run: None, skip, count };
        engine.open(classifier()).await;
        let heard = engine.send(ask(0, 4), Vec::new()).await;
        assert!(error(&heard).is_some_and(|said| said.contains("no pictures to check with")));

        let files = pictures(10);
        engine.send(Command::AddPictures { files: refs(&files), class: None }, files).await;
        let heard = engine.send(Command::Confusion { run: None }, Vec::new()).await;
        let judged =
            find(&heard, |event| if let Event::Confusion(all) = event { Some(all.clone()) } else { None }).unwrap();
        let mut checked: Vec<_> = judged.pictures.iter().flatten().flatten().map(|one| one.path.clone()).collect();
        checked.sort();
        assert_eq!(checked.len(), 4);

        let heard = engine.send(ask(1, 9), Vec::new()).await;
        assert_eq!(error(&heard), None);
        let named: Vec<_> = heard
            .iter()
            .filter_map(|(event, _)| match event {
                Event::Prediction(prediction) => Some(prediction.clone()),
                _ => None,
            })
            .collect();
        let truths: Vec<_> = named.iter().map(|one| one.truth.as_deref().unwrap()).collect();
        assert_eq!(truths, ["red", "blue", "red", "blue"]);
        let mut paths: Vec<_> = named
            .iter()
            .map(|one| match &one.picture {
                PictureAt::Path(path) => path.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        for (path, one) in paths.iter().zip(&named) {
            assert!(
                path.contains(one.truth.as_deref().unwrap()) && path.ends_with(&format!("/{}", one.name)),
                "{path}: {one:?}"
            );
            // The same answer as judging gives.
            let all = judged.pictures.iter().flatten().flatten();
            let same = all.filter(|judged| judged.path == *path).map(|one| &judged.classes[one.said]).next();
            assert_eq!(same, Some(&one.classes[0].0));
        }
        paths.sort();
        assert_eq!(paths, checked);
        let ended = find(&heard, |event| match event {
            Event::JobEnded { job: JobKind::Evaluate, finished } => Some(*finished),
            _ => None,
        });
        assert_eq!(ended, Some(true));
    });
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_glance_that_fails_is_answered_all_the_same() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        engine.open(ancestor()).await;
        let note = vec![FileHandle::from_bytes("note.jpg", &b"<!doctype html>"[..])];
        for run in [Some(0), None] {
            let heard = engine.send(Command::Glance { run, files: refs(&note) }, note.clone()).await;
            assert!(error(&heard).is_some_and(|said| said.contains("train")), "the ancestor has no classifier");
            assert!(find(&heard, |event| matches!(event, Event::Glance(None)).then_some(())).is_some());
        }
        engine.open(classifier()).await;
        let heard = engine.send(Command::Glance { run: None, files: refs(&note) }, note.clone()).await;
        assert!(error(&heard).is_some_and(|said| said.contains("note.jpg")));
        assert!(find(&heard, |event| matches!(event, Event::Glance(None)).then_some(())).is_some());
    });
}

#[test]
fn a_row_of_logits_becomes_an_answer_with_its_loss() {
    let judged = evaluate(&[0.0, (3.0_f32).ln(), f32::NEG_INFINITY], 0, "a.png".into());
    assert_eq!((judged.truth, judged.said), (0, 1));
    assert!((judged.sure - 0.75).abs() < 1e-6 && (judged.truth_share - 0.25).abs() < 1e-6);
    assert!((judged.loss - (4.0_f32).ln()).abs() < 1e-6);
}

#[test]
fn worst_mistakes_come_first_and_cells_stay_short() {
    let one = |truth: usize, sure: f32, path: String| {
        // Two classes: the answer's logit lies `sure` above the truth's, negative where the answer is right.
        let logits = if truth == 0 { [0.0, sure] } else { [sure, 0.0] };
        evaluate(&logits, truth, path)
    };
    let mistakes = (0..40).map(|i| one(i % 2, 0.1 + (i * 7 % 40) as f32 / 10.0, format!("wrong/{i:02}.png")));
    let right = (0..40).map(|i| one(0, -0.1 - (i * 3 % 40) as f32 / 10.0, format!("right/{i:02}.png")));
    let summed = confusion(vec!["a".into(), "b".into()], right.chain(mistakes).collect());
    assert_eq!(summed.counts, [[40, 20], [20, 0]]);
    assert_eq!(summed.worst.len(), 20);
    assert!(summed.worst.iter().all(|one| one.truth != one.said));
    assert!(summed.worst.windows(2).all(|pair| pair[0].loss >= pair[1].loss));
    assert_eq!(summed.worst[0].path, "wrong/17.png", "17 * 7 % 40 is 39, the most");
    let lengths: Vec<_> = summed.pictures.iter().flatten().map(Vec::len).collect();
    assert_eq!(lengths, [24, 20, 20, 0]);
    assert!(
        summed.pictures[0][0].windows(2).all(|pair| pair[0].sure <= pair[1].sure),
        "the least sure right ones first"
    );
    assert!(summed.pictures[0][1].windows(2).all(|pair| pair[0].sure >= pair[1].sure), "the surest mistakes first");
}
