//! PyTorch's own files.

use super::files::*;
use heirloom_platform::file::FileHandle;

/// `vit.safetensors` and the `.pth` files were saved from the same model.
fn check_same_weights(file: FileHandle) {
    let checkpoint = open(&[file, fixture("timm.json")]).unwrap();
    assert_eq!(checkpoint.config, tiny().into());
    assert!(checkpoint.missing.is_empty() && checkpoint.unexpected.is_empty());
    for (key, expected) in crate_tensors("vit.safetensors") {
        assert_eq!(tensor(&checkpoint, &key), expected, "{key}");
    }
}

#[test]
fn a_training_file_gives_its_model_and_leaves_the_optimiser_alone() {
    check_same_weights(fixture("vit_training.pth"));
    let checkpoint = open(&fixtures(&["vit_training.pth", "timm.json"])).unwrap();
    let said = "left alone outside `model.`: 1 tensors, an optimiser's most likely";
    assert_eq!(checkpoint.assumptions, [said]);
}

#[test]
fn a_file_of_before_1_6_opens_too() {
    check_same_weights(fixture("vit_legacy.pth"));
}

#[test]
fn views_into_a_storage_are_gathered() {
    check_same_weights(fixture("vit_views.pth"));
}

#[test]
fn mislabelled_files_are_recognised_by_content() {
    check_same_weights(FileHandle::from_bytes("vit.safetensors", fixture_bytes("vit_training.pth")));
    check_same_weights(FileHandle::from_bytes("vit.bin", fixture_bytes("vit_legacy.pth")));
    check_same_weights(FileHandle::from_bytes("vit.pth", fixture_bytes("vit.safetensors")));
}

#[test]
fn safetensors_win_over_a_pth_beside_them() {
    let checkpoint = open(&fixtures(&["vit_training.pth", "vit.safetensors", "timm.json"])).unwrap();
    assert_eq!(checkpoint.name, "vit.safetensors");
    assert_eq!(checkpoint.assumptions, ["`vit_training.pth` is not used, the safetensors file beside it is"]);
}

/// A stored zip with one `archive/data.pkl`.
fn torch_zip(pickle: &[u8]) -> Vec<u8> {
    zip_with("archive/data.pkl", pickle)
}

fn zip_with(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file(name, options).unwrap();
    std::io::Write::write_all(&mut writer, content).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_whole_python_object_is_refused_and_never_run() {
    let said = sentence(open_bytes("m.pt", torch_zip(b"ctimm.models.vision_transformer\nVisionTransformer\n)R.")));
    let found = "a whole Python object (`timm.models.vision_transformer.VisionTransformer`) that only its own code can \
                 open, so save `model.state_dict()` instead";
    assert!(said.starts_with(&format!("`m.pt` is {found}; ")), "{said}");
}

#[test]
fn hostile_pickles_are_refused_in_time() {
    // A dictionary that holds the last one twice, sixty times over: 2^60 paths.
    let mut nested = b"}q\x00".to_vec();
    for depth in 0..60_u8 {
        nested.extend([b'}', b'(', b'K', 0, b'h', depth, b'K', 1, b'h', depth, b'u', b'q', depth + 1]);
    }
    nested.push(b'.');
    // A list of 10,000 items that is handed to a call 10,000 times.
    let mut repeated = b"(".to_vec();
    repeated.extend(b")".repeat(10_000));
    repeated.extend(b"lq\x000");
    repeated.extend(b"ccollections\nOrderedDict\nh\x00\x85R0".repeat(10_000));
    repeated.extend(b"}.");
    // More values than any checkpoint has.
    let mut many = b"}".repeat(3_000_000);
    many.push(b'.');
    let storage_of_nobody = b"}X\x17\0\0\0patch_embed.proj.weightctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08tQK\0K\x02K\x04\x86K\x04K\x01\x86\x89}tRs.";
    // A call whose arguments are a list that holds itself.
    let itself = b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00]q\x01(h\x00Nh\x01eR.";
    // A name of a megabyte that a thousand objects would bear.
    let long = [b"c".to_vec(), b"x".repeat(1 << 20), b"\ny\n.".to_vec()].concat();
    let table: [(&[u8], &str); 7] = [
        (itself, "is damaged: a tensor that is rebuilt from itself"),
        (&long, "is damaged: its pickle names a class at too great length"),
        (&nested, "is a PyTorch file without a single tensor"),
        (&repeated, "is damaged: its pickle looks at the same values over and over"),
        (&many, "is damaged: it holds more than 2000000 values"),
        (storage_of_nobody, "is damaged: `patch_embed.proj.weight` lies in storage `0`, which is missing"),
        (b"\x80\x02\xffrubbish", "is damaged: the pickle instruction 0xff is not one that PyTorch writes"),
    ];
    for (pickle, expected) in table {
        let said = sentence(open_bytes("m.pth", torch_zip(pickle)));
        assert!(said.starts_with(&format!("`m.pth` {expected}")), "{said}");
    }
}

#[test]
fn a_pth_that_is_cut_off_says_so() {
    let bytes = fixture_bytes("vit_training.pth");
    let said = sentence(open_bytes("m.pth", bytes[..bytes.len() / 2].to_vec()));
    assert_eq!(
        said,
        "`m.pth` is damaged: the zip directory at its end is missing, so it is cut off; get the file again"
    );
    let bytes = fixture_bytes("vit_legacy.pth");
    let said = sentence(open_bytes("m.pth", bytes[..bytes.len() - 1000].to_vec()));
    assert!(said.contains("but the file stops after"), "{said}");
}
