//! The message filter that watches dialogs with the PBX, translates CSeq numbers in them, and lets no request of our
//! package through to the other side.

use std::time::Duration;

use super::{Legs, PACKAGE};
use crate::message::{Edit, Header, Message, Method, Name};
use crate::proxy::{ForwardContext, MessageFilter, Refusal, Requester};

/// A message filter that keeps [`Legs`], around another filter.
#[derive(Debug)]
pub struct InfoFilter<F> {
    inner: F,
    legs: Legs,
    guards: bool,
}

impl<F> InfoFilter<F> {
    /// Around `inner`, which sees every message as if nothing were ever slipped in. If it `guards`, requests of our
    /// package don't pass; where we make none ourselves, they are nobody's business.
    #[must_use]
    pub const fn new(inner: F, legs: Legs, guards: bool) -> Self {
        Self { inner, legs, guards }
    }

    /// The filter within.
    pub const fn inner(&mut self) -> &mut F {
        &mut self.inner
    }

    /// The same, to look at only.
    #[must_use]
    pub const fn inner_ref(&self) -> &F {
        &self.inner
    }

    /// The dialogs.
    pub const fn legs(&mut self) -> &mut Legs {
        &mut self.legs
    }

    /// The same, to look at only.
    #[must_use]
    pub const fn legs_ref(&self) -> &Legs {
        &self.legs
    }
}

impl<F: MessageFilter> MessageFilter for InfoFilter<F> {
    fn request(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        if self.guards && is_ours(request) {
            // Only we make these, and only for the PBX. One that comes by is forged, or was sent back to us by a PBX
            // that passes calls on; neither is to be believed, nor to be told to the carrier.
            return Err(Refusal { status: 403, reason: "Not For Relay".to_owned() });
        }
        self.inner.request(ctx, request, edit)?;
        if self.legs.enabled() {
            self.legs.request(ctx, request, edit);
        }
        Ok(())
    }

    fn number(&mut self, ctx: &ForwardContext, request: &Message) -> Option<u32> {
        if self.legs.enabled() { self.legs.number(ctx, request) } else { self.inner.number(ctx, request) }
    }

    fn response(&mut self, ctx: &ForwardContext, response: &Message, edit: &mut Edit) {
        if self.legs.enabled() {
            self.legs.response(ctx, response);
        }
        self.inner.response(ctx, response, edit);
    }

    fn concluded(&mut self, now: Duration, requester: Requester, request: &Message, status: u16) {
        if self.legs.enabled() {
            self.legs.concluded(now, requester, request, status);
        }
        self.inner.concluded(now, requester, request, status);
    }

    fn undelivered(&mut self, now: Duration, requester: Requester, response: &Message) -> bool {
        self.inner.undelivered(now, requester, response)
    }
}

/// Whether a request is of our package, or might be taken for it: by its name in any case, whatever follows.
fn is_ours(request: &Message) -> bool {
    let named = |header: Header<'_>| {
        let name = header.value.split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(PACKAGE.as_bytes())
    };
    match request.method() {
        Some(Method::INFO) => request.headers_called("Info-Package").any(named),
        Some(Method::NOTIFY) => request.headers_named(Name::Event).any(named),
        _ => false,
    }
}
