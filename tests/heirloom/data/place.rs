use heirloom_data::{Level, Side, is_junk, read};

#[test]
fn a_path_alone_has_its_last_folder_that_is_no_side_as_class() {
    let cases = [
        ("flowers5/train/daisy/1.jpg", Some("daisy"), Some(Side::Train)),
        ("flowers5/daisy/Validation/1.jpg", Some("daisy"), Some(Side::Validation)),
        ("TEST/roses/1.jpg", Some("roses"), Some(Side::Test)),
        ("test/train/roses/1.jpg", Some("roses"), Some(Side::Train)),
        ("a/b/c/1.jpg", Some("c"), None),
        ("train/1.jpg", None, Some(Side::Train)),
        ("1.jpg", None, None),
        ("daisy.zip/1.jpg", Some("daisy"), None),
        ("all.ZIP/val/daisy/1.jpg", Some("daisy"), Some(Side::Validation)),
        ("train.zip/daisy/1.jpg", Some("daisy"), Some(Side::Train)),
        ("training pictures/1.jpg", Some("training pictures"), None),
        ("blüten/1.jpg", Some("blüten"), None),
        ("äöü/1.jpg", Some("äöü"), None),
    ];
    for (path, class, side) in cases {
        let place = &read(&[path], Level::Fitting).places[0];
        assert_eq!((place.class.as_deref(), place.side), (class, side), "{path}");
    }
}

#[test]
fn leftovers_of_systems_are_junk() {
    for path in [
        "a/.DS_Store",
        "__MACOSX/a/1.jpg",
        "a/Thumbs.db",
        "a/._1.jpg",
        ".git/a",
        "a/desktop.ini",
        "a/@eaDir/1.jpg/S.jpg",
    ] {
        assert!(is_junk(path), "{path}");
    }
    for path in ["a/1.jpg", "a.b/1.jpg", "./a/1.jpg", "a/thumbs.jpg"] {
        assert!(!is_junk(path), "{path}");
    }
}
