//! A file that is not this build's model, or not whole, is refused with a reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{fs, path::PathBuf};

use proptest::prelude::*;
use sidetone_emotion::{
    Model,
    model::{ModelError, card_checksum},
};

fn folder_with_model(card: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    common::write_random_model(&path, card);
    (folder, path)
}

/// The file's bytes after a change of its header's text.
fn with_header(bytes: &[u8], change: impl Fn(String) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header = change(String::from_utf8(bytes[8..8 + length].to_vec()).unwrap());
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend_from_slice(header.as_bytes());
    changed.extend_from_slice(&bytes[8 + length..]);
    changed
}

#[test]
fn the_embedded_model_opens_and_is_small() {
    let model = Model::embedded().unwrap();
    assert!(model.parameters() <= 4_000_000);
    assert_eq!(model.sha256().len(), 64);
}

/// `make model-tables` writes there which weights its figures are of.
#[test]
fn the_tables_are_of_the_weights_that_are_shipped() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = fs::read_to_string(root.join("docs/MODEL.md")).unwrap();
    for kind in ["open", "research"] {
        let model = Model::open(&root.join(format!("models/{kind}/model.safetensors"))).unwrap();
        let told = format!("{kind} `{}`", &model.sha256()[..12]);
        assert!(document.contains(&told), "docs/MODEL.md has no figures of {told}: make model-tables");
    }
}

#[test]
fn what_was_written_is_read_back() {
    let (_folder, path) = folder_with_model("");
    let model = Model::open(&path).unwrap();
    assert_eq!(model.meta().name, "random");
}

#[test]
fn a_missing_or_foreign_file_is_named() {
    let (folder, path) = folder_with_model("");
    let missing = Model::open(&folder.path().join("none.safetensors"));
    assert!(matches!(missing, Err(ModelError::Read { .. })));
    fs::write(&path, b"RIFF....WAVE").unwrap();
    assert!(matches!(Model::open(&path), Err(ModelError::NotSafetensors(_))));
    let foreign = safetensors::serialize(
        [("x", safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap())],
        None,
    )
    .unwrap();
    assert!(matches!(Model::from_bytes(&foreign), Err(ModelError::NotAModel(_))));
}

#[test]
fn a_file_without_an_end_is_refused() {
    assert!(matches!(Model::open(std::path::Path::new("/dev/zero")), Err(ModelError::TooLarge(_))));
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let (_folder, path) = folder_with_model("");
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        assert!(Model::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn one_flipped_bit_of_the_weights_is_found() {
    let (_folder, path) = folder_with_model("");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(matches!(Model::from_bytes(&bytes), Err(ModelError::Damaged { .. })));
}

#[test]
fn another_format_another_front_end_and_an_edited_header_are_told_apart() {
    let (_folder, path) = folder_with_model("");
    let bytes = fs::read(&path).unwrap();
    let older = with_header(&bytes, |header| {
        header.replace("\"sidetone.format\":\"1\"", "\"sidetone.format\":\"0\"")
    });
    assert!(matches!(Model::from_bytes(&older), Err(ModelError::Format { found }) if found == "0"));
    let other = with_header(&bytes, |header| header.replace(r#"\"mel_bands\":40"#, r#"\"mel_bands\":41"#));
    assert!(matches!(Model::from_bytes(&other), Err(ModelError::FrontEnd(_))));
    let edited = with_header(&bytes, |header| {
        header.replace(r#"\"licence\":\"open\""#, r#"\"licence\":\"research\""#)
    });
    assert!(matches!(Model::from_bytes(&edited), Err(ModelError::Damaged { .. })));
}

#[test]
fn a_card_of_another_model_is_refused() {
    let (folder, path) = folder_with_model(&card_checksum("the card"));
    fs::write(folder.path().join("CARD.md"), "the card").unwrap();
    assert!(Model::open(&path).is_ok());
    fs::write(folder.path().join("CARD.md"), "another card").unwrap();
    assert!(matches!(Model::open(&path), Err(ModelError::Card { .. })));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
    }

    #[test]
    fn a_changed_byte_never_panics(place in 0usize..6000, value in any::<u8>()) {
        let (_folder, path) = folder_with_model("");
        let mut bytes = fs::read(&path).unwrap();
        let place = place.min(bytes.len() - 1);
        bytes[place] = value;
        let _ = Model::from_bytes(&bytes);
    }
}
