//! What other tools know a call by, and how its SIP and its media travel.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;
use sidetone_store::{CallDetails, Happened};

use crate::format::shown;
use crate::layout::Shell;
use crate::text::{Texts, fill};

/// What another tool needs to find the call, and how the call travels.
pub(super) fn technical(shell: &Shell<'_>, details: &CallDetails) -> Markup {
    let (texts, call) = (shell.texts(), &details.call);
    html! {
        details.technical {
            summary { (texts.technical) }
            dl.key {
                div { dt { (texts.call_id) } dd { code { (shown(&call.id)) } } }
                div { dt { "Call-ID" } dd { code { (shown(&call.sip_call_id)) } } }
                @if let Some(node) = &call.node { div { dt { (texts.node) } dd { code { (shown(node)) } } } }
                @for (name, hash) in [(texts.caller, &call.caller), (texts.callee, &call.callee)] {
                    @if let Some(hash) = hash {
                        div { dt { (name) } dd { code { (shown(hash)) } " " span.soft { (texts.hashed) } } }
                    }
                }
                @for (leg, how) in signalled(&call.direction, &details.events) {
                    div { dt { (fill_party(texts, texts.sip_of, leg)) } dd { code { (shown(&how)) } } }
                }
                @for (leg, how) in secured(&details.events) {
                    div { dt { (fill_party(texts, texts.media_of, &leg)) } dd { code { (shown(&how)) } } }
                }
            }
        }
    }
}

/// A text with the party that it is of.
fn fill_party(texts: &Texts, text: &str, leg: &str) -> String {
    fill(text, &[if leg == "customer" { texts.customer } else { texts.agent }])
}

fn word<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name)?.as_str()
}

/// How SIP travels on each leg: the caller's as the call began, the other's as it was answered.
fn signalled(direction: &str, events: &[Happened]) -> Vec<(&'static str, String)> {
    let legs = match direction {
        "inbound" => ["customer", "agent"],
        "outbound" => ["agent", "customer"],
        // Nobody knows who has called.
        _ => return Vec::new(),
    };
    let kinds = ["call.started", "call.answered"].into_iter().zip(legs);
    let mut told: Vec<_> = kinds
        .filter_map(|(kind, leg)| {
            let event = events.iter().find(|event| event.kind == kind)?;
            let how = event.data.get("signalling")?;
            let tls = how.get("tls").filter(|tls| tls.is_object()).map(|tls| {
                let said = |name| word(tls, name).unwrap_or_default();
                format!(", TLS {}, {}", said("version"), said("cipher"))
            });
            Some((leg, format!("{}{}", word(how, "transport")?, tls.unwrap_or_default())))
        })
        .collect();
    told.sort_by_key(|(leg, _)| *leg != "customer");
    told
}

/// How the media of each leg is protected, as last told.
fn secured(events: &[Happened]) -> Vec<(String, String)> {
    let told = events.iter().filter(|event| event.kind == "call.secured");
    let last: BTreeMap<&str, &Value> =
        told.filter_map(|event| Some((word(&event.data, "leg")?, &event.data))).collect();
    last.into_iter().rev().map(|(leg, data)| (leg.to_owned(), protection(data))).collect()
}

/// The protection that `call.secured` tells of.
pub(super) fn protection(data: &Value) -> String {
    let keys = match word(data, "security") {
        Some("dtls") => "DTLS-SRTP",
        Some("sdes") => "SRTP",
        _ => return "RTP".to_owned(),
    };
    word(data, "suite").map_or_else(|| keys.to_owned(), |suite| format!("{keys}, {suite}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn events() -> Vec<Happened> {
        let tls = json!({ "version": "1.3", "cipher": "TLS_AES_256_GCM_SHA384" });
        let events = [
            ("call.started", json!({ "analysed": false, "signalling": { "transport": "wss", "tls": tls } })),
            ("call.answered", json!({ "waited_ms": 1, "signalling": { "transport": "udp", "tls": null } })),
            (
                "call.secured",
                json!({ "leg": "customer", "security": "sdes", "suite": "AES_CM_128_HMAC_SHA1_80" }),
            ),
            ("call.secured", json!({ "leg": "customer", "security": "dtls", "suite": "AEAD_AES_128_GCM" })),
        ];
        let happened = |(seq, (kind, data)): (u64, (&str, Value))| Happened {
            seq,
            at_ms: 0,
            kind: kind.to_owned(),
            data,
        };
        (1..).zip(events).map(happened).collect()
    }

    #[test]
    fn each_leg_has_its_own_transport_and_its_newest_protection() {
        let events = events();
        let told = |direction| signalled(direction, &events).into_iter().collect::<BTreeMap<_, _>>();
        let inbound = told("inbound");
        assert_eq!(inbound["customer"], "wss, TLS 1.3, TLS_AES_256_GCM_SHA384");
        assert_eq!((inbound["agent"].as_str(), told("outbound")["customer"].as_str()), ("udp", "udp"));
        assert!(told("unknown").is_empty());
        assert_eq!(secured(&events), [("customer".to_owned(), "DTLS-SRTP, AEAD_AES_128_GCM".to_owned())]);
        let before = Happened { data: json!({ "analysed": false }), ..events[0].clone() };
        assert!(signalled("inbound", &[before]).is_empty(), "an event of an older version");
    }
}
