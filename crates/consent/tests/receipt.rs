//! A receipt in words and as a vCon.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests

mod common;

use common::{moment, receipt};
use serde_json::json;
use sidetone_consent::log::find;
use sidetone_consent::policy::LawfulBasis;
use sidetone_consent::receipt::{Export, Said};
use sidetone_consent::{HashedNumber, Log, Receipt};
use sidetone_scenarios::schema::Schema;

#[test]
fn it_reads_back_as_it_was_written() {
    let receipt = receipt("call", "2026-11-23T09:00:00Z");
    let text = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&text).unwrap(), receipt);
}

#[test]
fn a_plain_number_does_not_get_in() {
    for number in ["+49301234567", "49301234567", "0123456789ABCDEF01234567", "", "0123456789abcdef0123456"] {
        assert!(number.parse::<HashedNumber>().is_err(), "{number}");
    }
    let text = serde_json::to_string(&receipt("call", "2026-11-23T09:00:00Z")).unwrap();
    let plain = text.replace("0123456789abcdef01234567", "+49301234567");
    assert!(serde_json::from_str::<Receipt>(&plain).is_err());
}

#[test]
fn it_is_told_in_words() {
    let text = receipt("call-1", "2026-11-23T09:00:00Z").to_string();
    for said in [
        "call      call-1",
        "told by Sidetone, may refuse, by consent.rules.0",
        "“notice” (en, audio abababababababab), from 2.140 s to 11.140 s, whole",
        "31.000 s opted-out, by a key (telephone-event)",
        "listened  from 11.140 s to 31.000 s",
        "erased    what had been inferred",
        "outcome   refused, by a key",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn it_is_exported_as_a_vcon_that_the_drafts_schema_takes() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), "sidetone 0.1.0", moment("2026-11-23T08:00:00Z")).unwrap().0;
    let basis = Some(LawfulBasis::LegitimateInterests);
    let written = Receipt { lawful_basis: basis, ..receipt("call-1", "2026-11-23T09:00:00Z") };
    log.append(&written).unwrap();
    log.sync().unwrap();
    let (id, lines) = find(folder.path(), "call-1").unwrap();
    let export = Export { receipt: &written, log: &id, line: &lines[0], said: &[] };
    let vcon = export.vcon();
    // The rules of draft-ietf-vcon-vcon-core-04, appendix (JSON schema), for what is used here.
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["uuid", "created_at"],
        "properties": {
            "vcon": { "const": "0.4.0" },
            "uuid": { "type": "string", "format": "uuid", "pattern": "^[0-9a-f-]{14}8[0-9a-f]{3}-[89ab]" },
            "created_at": { "type": "string", "format": "date-time" },
            "extensions": { "type": "array", "items": { "type": "string" } },
            "parties": { "type": "array", "items": { "type": "object", "properties": {
                "name": { "type": "string" }, "uuid": { "type": "string" },
            } } },
            "dialog": { "type": "array", "items": { "type": "object", "required": ["type", "start"], "properties": {
                "type": { "enum": ["recording", "text", "transfer", "incomplete", "recording-set"] },
                "start": { "type": "string", "format": "date-time" },
                "duration": { "type": "number", "minimum": 0 },
                "parties": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            } } },
            "analysis": { "type": "array", "items": { "type": "object", "required": ["type", "vendor"], "properties": {
                "type": { "type": "string" },
                "dialog": { "type": "integer", "minimum": 0 },
                "mediatype": { "type": "string" },
                "vendor": { "type": "string" },
                "product": { "type": "string" },
                "schema": { "type": "string" },
                "encoding": { "enum": ["base64url", "json", "none"] },
            } } },
            "attachments": { "type": "array", "minItems": 2, "items": {
                "type": "object",
                "required": ["start", "party", "dialog"],
                "properties": {
                    "purpose": { "type": "string" },
                    "start": { "type": "string", "format": "date-time" },
                    "party": { "type": "integer", "minimum": 0 },
                    "dialog": { "type": "integer", "minimum": 0 },
                    "mediatype": { "type": "string" },
                    "encoding": { "enum": ["base64url", "json", "none"] },
                },
            } },
        },
    });
    Schema::of(&schema).assert_valid(&vcon);

    let basis = &vcon["attachments"][0]["body"];
    assert_eq!(basis["lawful_basis"], "legitimate_interests");
    assert_eq!(basis["purpose_grants"][0]["granted"], false);
    assert_eq!(basis["purpose_grants"][0]["granted_at"], "2026-11-23T08:59:31.000Z");
    let proof = &basis["proof_mechanisms"][0]["proof_data"];
    assert_eq!((&proof["log"], &proof["sequence"]), (&json!(id), &json!(2)));
    // The line travels along, so that its hash can be checked by whoever gets it.
    assert_eq!(vcon["attachments"][1]["body"], json!(lines[0].text));
    assert_eq!(export.vcon(), vcon, "the same each time");
    assert!(vcon["analysis"].is_null());

    let said = [(true, "I want my [number] back."), (false, "Of course.")].map(|(by_customer, text)| Said {
        by_customer,
        from_ms: 4_000,
        to_ms: 5_500,
        text: text.to_owned(),
        language: "en".to_owned(),
    });
    let with_words = Export { said: &said, ..export }.vcon();
    Schema::of(&schema).assert_valid(&with_words);
    let transcript = &with_words["analysis"][0];
    assert_eq!((&transcript["type"], &transcript["dialog"]), (&json!("transcript"), &json!(0)));
    assert_eq!(
        transcript["body"][0],
        json!({ "party": 0, "start": "2026-11-23T08:59:04.000Z", "duration": 1.5, "language": "en", "text": "I want my [number] back." })
    );
    assert_eq!(transcript["body"][1]["party"], 1);
    assert_ne!(with_words["uuid"], vcon["uuid"]);
}

#[test]
fn a_vcon_claims_no_basis_that_nobody_has_stated() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::open(folder.path(), "sidetone 0.1.0", moment("2026-11-23T08:00:00Z")).unwrap().0;
    let written = receipt("call-1", "2026-11-23T09:00:00Z");
    log.append(&written).unwrap();
    log.sync().unwrap();
    let (id, lines) = find(folder.path(), "call-1").unwrap();
    let vcon = Export { receipt: &written, log: &id, line: &lines[0], said: &[] }.vcon();
    assert_eq!(vcon["extensions"], json!([]));
    let purposes: Vec<_> = vcon["attachments"].as_array().unwrap().iter().map(|it| &it["purpose"]).collect();
    assert_eq!(purposes, ["sidetone_consent_receipt"]);
    assert!(!vcon.to_string().contains("legitimate"));
    let text = serde_json::to_string(&written).unwrap();
    assert!(!text.contains("lawful_basis"), "{text}");
}
