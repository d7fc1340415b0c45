//! Models as people bring them, opened and asked as the page does it: the shares are those of PyTorch.

use std::path::Path;

use super::*;

/// The picture's shares of a small Vision Transformer prepared by timm.json, of its twin of transformers, and so on, %.
const TIMM: [f32; 5] = [24.4, 4.2, 11.0, 1.4, 59.0];
const TRANSFORMERS: [f32; 5] = [9.7, 23.3, 57.9, 1.2, 7.9];
/// One head of 32 is assumed here.
const FLAT: [f32; 5] = [23.4, 3.9, 11.5, 0.8, 60.5];
const VGG: [f32; 5] = [19.0, 20.3, 22.8, 18.9, 19.0];

/// A file that was dropped: the path it was dropped under, and where it lies here.
fn dropped(path: &str, at: &str) -> FileHandle {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/brought").join(at);
    let bytes = std::fs::read(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    FileHandle::from_bytes(path, bytes)
}

fn same(files: &[&str]) -> Vec<FileHandle> {
    files.iter().map(|file| dropped(file, file)).collect()
}

/// A checkpoint as it lies in a folder after somebody unpacked it.
fn unpacked() -> Vec<FileHandle> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/brought/whole_vit.pth");
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut files: Vec<FileHandle> = (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            FileHandle::from_bytes(entry.name().unwrap().into_owned(), bytes)
        })
        .collect();
    files.push(dropped("timm.json", "timm.json"));
    files
}

/// Opens files as the ancestor; what is said of it, or why not.
async fn open(engine: &mut TestEngine, files: Vec<FileHandle>) -> Result<AncestorSummary, String> {
    let heard = engine.send(Command::OpenAncestor { files: refs(&files) }, files).await;
    let opened = find(&heard, |event| if let Event::Ancestor(summary) = event { Some(summary.clone()) } else { None });
    opened.ok_or_else(|| error(&heard).unwrap_or_default())
}

/// Shares of the classes in their order, %, by name.
async fn asked(engine: &mut TestEngine, picture: &str) -> Vec<(String, f32)> {
    let picture = vec![dropped(picture, picture)];
    let heard = engine.send(Command::Glance { run: None, files: refs(&picture) }, picture).await;
    let found = find(&heard, |event| if let Event::Glance(glance) = event { glance.clone() } else { None });
    let mut classes = found.unwrap_or_else(|| panic!("{:?}", error(&heard))).classes;
    classes.sort_by(|a, b| a.0.cmp(&b.0));
    classes.into_iter().map(|(name, share)| (name, 100.0 * share)).collect()
}

#[test]
fn every_kind_of_checkpoint_gives_the_picture_pytorchs_shares() {
    let hub = || {
        let mut files = same(&["transformers5/config.json", "transformers5/preprocessor_config.json"]);
        files.push(dropped("vit-flowers/model.safetensors", "bom/model.safetensors"));
        files
    };
    let beside = |at: &str| dropped(&format!("vit-flowers/{}", at.rsplit('/').next().unwrap()), at);
    let described = ["transformers5/config.json", "transformers5/preprocessor_config.json"];
    let with = |files: &[&str], more: &[&str]| same(&[files, more].concat());
    let trainer: Vec<&str> = [
        "trainer/optimizer.pt",
        "trainer/pytorch_model.bin",
        "trainer/rng_state.pth",
        "trainer/scheduler.pt",
        "trainer/trainer_state.json",
        "trainer/training_args.bin",
    ]
    .to_vec();
    let mut cloned = hub();
    cloned.push(beside("hub/pytorch_model.bin"));
    let mut whole_hub = hub();
    whole_hub.extend(["hub/README.md", "hub/flax_model.msgpack", "hub/tf_model.h5"].map(beside));
    let timm = "timm.json";
    let table = [
        ("transformers 5", with(&["transformers5/vit_finetuned.pth"], &described), TRANSFORMERS),
        ("a Trainer's folder", with(&trainer, &described), TRANSFORMERS),
        ("packed", same(&["whole_vit.pth", timm]), TIMM),
        ("unpacked", unpacked(), TIMM),
        (".pth.tar", same(&["endings/model_best.pth.tar", timm]), TIMM),
        (".ckpt", same(&["endings/epoch=3-step=1200.ckpt", timm]), TIMM),
        ("compiled blocks", same(&["wrapped/vit_compiled_blocks.pth", timm]), TIMM),
        ("backbone and head", same(&["mm/vit_backbone_and_head.pth", timm]), TIMM),
        ("a flat description", same(&["flat/model.safetensors", "flat/config.json"]), FLAT),
        (
            "a byte order mark",
            with(&["bom/model.safetensors", "bom/config.json", "bom/preprocessor_config.json"], &[]),
            TRANSFORMERS,
        ),
        ("storage views", same(&["vit_flattened_2017.pth", timm]), TIMM),
        ("a folder of the Hub", whole_hub, TRANSFORMERS),
        ("a clone without its large files", cloned, TRANSFORMERS),
    ];
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        for (name, files, expected) in table {
            let summary = open(&mut engine, files).await.unwrap_or_else(|said| panic!("{name}: {said}"));
            assert_eq!(summary.parameters, 19_461, "{name}");
            let shares = asked(&mut engine, "probe.png").await;
            let names: Vec<&str> = shares.iter().map(|(name, _)| name.as_str()).collect();
            if expected != TIMM {
                assert_eq!(names, ["daisy", "dandelion", "roses", "sunflowers", "tulips"], "{name}");
            }
            let shares: Vec<f32> = shares.into_iter().map(|(_, share)| share).collect();
            assert_close(&shares, &expected, 0.06);
        }
        let files = same(&["vgg/model.safetensors", "vgg/config.json"]);
        assert_eq!(open(&mut engine, files).await.unwrap().parameters, 68_873);
        let shares: Vec<f32> = asked(&mut engine, "probe_224.png").await.into_iter().map(|(_, share)| share).collect();
        assert_close(&shares, &VGG, 0.06);
    });
}

#[test]
fn a_resnet_of_a_framework_answers_as_its_twin() {
    pollster::block_on(async {
        let mut engine = TestEngine::start().await;
        let mut answers = Vec::new();
        for file in ["mm/resnet_mm_epoch_100.pth", "mm/twin_torchvision_names.safetensors"] {
            let summary = open(&mut engine, same(&[file])).await.unwrap();
            let shares = asked(&mut engine, "probe.png").await;
            answers.push((summary.parameters, shares.into_iter().map(|(_, share)| share).collect::<Vec<_>>()));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0].1.len(), 5);
        let old = open(&mut engine, same(&["endings/resnet56-4bfd9763.th"])).await.unwrap();
        assert_eq!(old.parameters, 2_697);
    });
}

#[test]
fn pytorchs_first_format_opens_or_says_how_to_save_it_again() {
    pollster::block_on(async {
        let said = open(&mut TestEngine::start().await, same(&["vit_2016.pth"])).await.unwrap_err();
        assert!(said.contains("0.1.10") && !said.contains("unpack"), "{said}");
    });
}
