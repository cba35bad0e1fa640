//! Contacts that can't be reached, replaced by where their sender is reached.
//!
//! A PBX in a container writes its host's name there, one behind a NAT its private address: an ACK or BYE for that
//! address would be lost. For neighbours that the shell names (`fix_contact`), host and port of Contact become those
//! that the message came from, as a registrar's outbound flow would have it (RFC 5626 §5.3); user and parameters stay.
//! Later requests then come back with that address as their Request-URI, and are sent there.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::message::{Edit, Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::uri::{Scheme, UriView};
use crate::{Flow, Transport};

type Of = dyn Fn(SocketAddr) -> bool + Send + Sync;

/// The neighbours whose Contacts are replaced, by source address. None, until the shell names some.
#[derive(Clone, Default)]
pub(super) struct ContactFixes(Option<Arc<Of>>);

impl fmt::Debug for ContactFixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ContactFixes").field(&self.0.is_some()).finish()
    }
}

impl ContactFixes {
    pub(super) fn of(of: Arc<Of>) -> Self {
        Self(Some(of))
    }

    /// Edits the Contact of a message that came from `source`, if it is one to be edited.
    pub(super) fn apply(&self, message: &Message, source: &Flow, edit: &mut Edit) {
        if !self.0.as_ref().is_some_and(|of| of(source.remote)) || !names_its_sender(message) {
            return;
        }
        let mut contacts = message.headers_named(Name::Contact);
        let (Some(header), None) = (contacts.next(), contacts.next()) else { return };
        if header.values().nth(1).is_some() {
            return;
        }
        let Ok(contact) = NameAddr::parse(header.value) else { return };
        let fixed = UriView::parse(contact.uri).ok().and_then(|uri| fixed(&uri, source));
        if let Some(fixed) = fixed {
            let at = header.value_range().start;
            edit.splice(at + contact.uri_range.start..at + contact.uri_range.end, fixed);
        }
    }
}

/// Contact says where its sender is reached: not in a REGISTER, where it is a binding that the registrar knows by its
/// text, nor in a redirection, where it names somebody else.
fn names_its_sender(message: &Message) -> bool {
    let register = message.cseq().is_some_and(|cseq| cseq.method == Method::REGISTER);
    !register && message.status().is_none_or(|status| status < 300)
}

/// The URI as its sender is reached; none if it is right already, or of a kind that has no host.
fn fixed(uri: &UriView<'_>, source: &Flow) -> Option<String> {
    if uri.scheme() != Scheme::Sip {
        return None;
    }
    let ip = source.remote.ip().to_canonical();
    let transport = uri.transport().unwrap_or(Transport::Udp);
    let stated = (uri.host_ip(), uri.port().unwrap_or(transport.default_port()), transport);
    if stated == (Some(ip), source.remote.port(), source.transport) {
        return None;
    }
    // The port that a connection comes from ends with it; the one that its own host states outlives it.
    if source.transport.is_reliable() && stated.0 == Some(ip) {
        return None;
    }
    let mut text = String::from("sip:");
    if let Some(user) = uri.userinfo() {
        text += user;
        text.push('@');
    }
    text += &SocketAddr::new(ip, source.remote.port()).to_string();
    for (name, value) in uri.params() {
        let superseded = ["transport", "maddr"].iter().any(|gone| name.eq_ignore_ascii_case(gone));
        if !superseded {
            text.push(';');
            text += name;
            if let Some(value) = value {
                text.push('=');
                text += value;
            }
        }
    }
    if source.transport != Transport::Udp {
        text += ";transport=";
        text += source.transport.as_param();
    }
    if !uri.headers().is_empty() {
        text.push('?');
        text += uri.headers();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_become_the_source_s() {
        let flow = |transport| Flow {
            transport,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "198.51.100.7:40123".parse().unwrap(),
        };
        let led = |uri: &str, transport| fixed(&UriView::parse(uri).unwrap(), &flow(transport));
        for (uri, udp) in [
            ("sip:asterisk@019f9ae299f5:5060", "sip:asterisk@198.51.100.7:40123"),
            ("sip:y@10.255.255.1", "sip:y@198.51.100.7:40123"),
            ("sip:10.0.0.1;transport=tcp;ob", "sip:198.51.100.7:40123;ob"),
            ("sip:a:b@[fd00::1]:5070;x=y;maddr=10.0.0.1?h=v", "sip:a:b@198.51.100.7:40123;x=y?h=v"),
        ] {
            assert_eq!(led(uri, Transport::Udp).as_deref(), Some(udp));
        }
        assert_eq!(
            led("sip:y@10.255.255.1", Transport::Tcp).as_deref(),
            Some("sip:y@198.51.100.7:40123;transport=tcp")
        );
        assert_eq!(led("sip:y@198.51.100.7:5070;transport=tcp", Transport::Tcp), None);
        for right in ["sip:y@198.51.100.7:40123", "tel:+1555", "sips:y@10.0.0.1"] {
            assert_eq!(led(right, Transport::Udp), None, "{right}");
        }
    }
}
