//! Route information preprocessing and the next hop (RFC 3261 §16.4, §16.5, §16.6 step 6).

use super::local::Local;
use super::output::RouteKind;
use super::stamp;
use crate::message::{Edit, Message, Name};
use crate::name_addr::NameAddr;
use crate::uri::{Uri, UriView};

/// Where a request goes, and what that does to its Request-URI and Route.
#[derive(Debug, Clone)]
pub(super) struct RoutePlan {
    pub(super) kind: RouteKind,
    /// Another Request-URI, for the sake of a strict router before or after us.
    pub(super) request_uri: Option<Uri>,
    /// The mark in a Route value of ours.
    pub(super) mark: Option<String>,
    /// The token of a client's connection in a Route value of ours.
    pub(super) flow: Option<String>,
    routes: Routes,
}

#[derive(Debug, Clone)]
enum Routes {
    /// Take this many values from the front.
    Pop(usize),
    /// Strict routing has moved values about: all new, possibly none.
    Rebuilt(String),
}

/// A Route value or the Request-URI can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedRoute;

impl RoutePlan {
    /// Plans the way of `request`, whose Request-URI is `uri`.
    pub(super) fn of(request: &Message, uri: &UriView<'_>, local: &Local) -> Result<Self, MalformedRoute> {
        let values: Vec<&[u8]> = request.values(Name::Route).collect();
        let mut routes = Vec::with_capacity(values.len());
        for value in &values {
            let route = NameAddr::parse(value).ok().and_then(|r| r.uri().ok()).ok_or(MalformedRoute)?;
            routes.push(route);
        }
        let mut left = routes.as_slice();
        let mut target = *uri;
        let mut request_uri = None;
        let mut strict = false;
        let mut mark = None;
        // A strict router sent us our own Record-Route as Request-URI, and put the target last (§16.4).
        let is_ours = uri.userinfo().is_none() && uri.is_loose() && local.is_our_uri(uri);
        if let Some((last, before)) = left.split_last().filter(|_| is_ours) {
            mark = uri.param_value(stamp::PARAM);
            (target, left, strict) = (*last, before, true);
            request_uri = Some(last.to_owned());
        }
        let (mut by_path, mut flow) = (false, None);
        while let Some((first, rest)) = left.split_first().filter(|(first, _)| local.is_our_uri(first)) {
            by_path |= Local::is_our_path(first);
            flow = Local::flow_in_path(first).or(flow);
            mark = mark.or_else(|| first.param_value(stamp::PARAM));
            left = rest;
        }
        let pops = values.len() - left.len();
        let mut append = None;
        let kind = match left.split_first() {
            Some((next, rest)) => {
                if !next.is_loose() {
                    // The next hop is a strict router (§16.6 step 6).
                    (append, left, strict) = (Some(target), rest, true);
                    request_uri = Some(next.to_owned());
                }
                onward(next).ok_or(MalformedRoute)?
            }
            // Without more Route, in a dialog or at the end of a Path, the Request-URI is the remote target. That it
            // should be us happens with peers that ignore Record-Route: then configuration has to help.
            None if (by_path || request.to_tag().is_some()) && !local.is_our_uri(&target) => {
                onward(&target).unwrap_or(RouteKind::Initial)
            }
            None => RouteKind::Initial,
        };
        let routes = if strict {
            let kept = left.iter().chain(append.as_ref()).map(|r| format!("<{r}>"));
            Routes::Rebuilt(kept.collect::<Vec<_>>().join(", "))
        } else {
            Routes::Pop(pops)
        };
        Ok(Self { kind, request_uri, mark: mark.map(str::to_owned), flow: flow.map(str::to_owned), routes })
    }

    /// Whether nothing but ourselves stood in Route.
    pub(super) fn ends_here(&self) -> bool {
        self.kind == RouteKind::Initial
    }

    /// Brings the plan about.
    pub(super) fn apply(&self, request: &Message, edit: &mut Edit) {
        match &self.routes {
            Routes::Pop(0) => {}
            Routes::Pop(count) => {
                edit.remove_first_values(request, Name::Route, *count);
            }
            Routes::Rebuilt(value) => {
                if !value.is_empty() {
                    edit.push_first(request, Name::Route, value);
                }
                for header in request.headers_named(Name::Route) {
                    edit.remove(&header);
                }
            }
        }
    }
}

fn onward(uri: &UriView<'_>) -> Option<RouteKind> {
    uri.is_sip().then(|| RouteKind::Onward { next_hop: uri.to_owned() })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::settings::{Listener, Settings};
    use super::*;
    use crate::Transport;

    fn plan(uri: &str, routes: &[&str], to_tag: &str) -> (RoutePlan, String) {
        let mut text = format!("BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n");
        for route in routes {
            text += &format!("Route: {route}\r\n");
        }
        text +=
            &format!("From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{to_tag}\r\nCall-ID: x\r\nCSeq: 7 BYE\r\n\r\n");
        let message = Message::parse(Bytes::from(text)).unwrap();
        let settings =
            Settings::new(vec![Listener::bound(Transport::Udp, "192.0.2.1:5060".parse().unwrap())]);
        let plan = RoutePlan::of(&message, &UriView::parse(uri).unwrap(), &Local::new(&settings)).unwrap();
        let mut edit = Edit::new();
        plan.apply(&message, &mut edit);
        let out = Message::parse(edit.apply(&message)).unwrap();
        let left: Vec<_> = out.headers_named(Name::Route).map(|h| h.text().into_owned()).collect();
        (plan, left.join("|"))
    }

    fn hop(plan: &RoutePlan) -> &str {
        match &plan.kind {
            RouteKind::Onward { next_hop } => next_hop.as_str(),
            RouteKind::Initial => "initial",
            RouteKind::Flow { .. } | RouteKind::Service { .. } => "ours",
        }
    }

    const US: &str = "<sip:192.0.2.1;lr>";

    #[test]
    fn loose_routing() {
        let (p, left) =
            plan("sip:bob@pc", &[US, "<sip:192.0.2.1:5060;lr>, <sip:p2;lr>", "<sip:p3;lr>"], ";tag=2");
        assert_eq!((hop(&p), left.as_str()), ("sip:p2;lr", "<sip:p2;lr>|<sip:p3;lr>"));
        let (p, left) = plan("sip:bob@pc", &[US], ";tag=2");
        assert_eq!((hop(&p), left.as_str()), ("sip:bob@pc", ""));
        let (p, _) = plan("sip:bob@pc", &[], ";tag=2");
        assert_eq!(hop(&p), "sip:bob@pc");
    }

    #[test]
    fn out_of_dialog_configuration_decides() {
        assert_eq!(hop(&plan("sip:bob@pc", &[US], "").0), "initial");
        assert_eq!(hop(&plan("sip:bob@pc", &[], "").0), "initial");
        assert_eq!(hop(&plan("sip:bob@192.0.2.1", &[], ";tag=2").0), "initial");
        assert_eq!(hop(&plan("sip:bob@pc", &["<sip:path@192.0.2.1;lr>"], "").0), "sip:bob@pc");
        let (steered, left) = plan("sip:bob@x.invalid", &[US, "<sip:path-0a@192.0.2.1;lr;ob>"], "");
        assert_eq!((hop(&steered), left.as_str()), ("sip:bob@x.invalid", ""));
        assert_eq!(steered.flow.as_deref(), Some("0a"));
        assert_eq!(hop(&plan("sip:bob@pc", &[US, "<sip:p2;lr>"], "").0), "sip:p2;lr");
    }

    #[test]
    fn strict_routers_on_either_side() {
        // RFC 3261 §16.12.1.2: it put us into the Request-URI and the target last.
        let (p, left) = plan("sip:192.0.2.1;lr", &["<sip:p3;lr>, <sip:bob@pc>"], ";tag=2");
        assert_eq!((hop(&p), left.as_str()), ("sip:p3;lr", "<sip:p3;lr>"));
        assert_eq!(p.request_uri.unwrap().as_str(), "sip:bob@pc");
        let (p, left) = plan("sip:192.0.2.1;lr", &["<sip:bob@pc>"], ";tag=2");
        assert_eq!((hop(&p), left.as_str()), ("sip:bob@pc", ""));
        // The next hop is one: it gets itself as Request-URI, and the target last.
        let (p, left) = plan("sip:bob@pc", &[US, "<sip:p2>, <sip:p3;lr>"], ";tag=2");
        assert_eq!((hop(&p), left.as_str()), ("sip:p2", "<sip:p3;lr>, <sip:bob@pc>"));
        assert_eq!(p.request_uri.unwrap().as_str(), "sip:p2");
    }
}
