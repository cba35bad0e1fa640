//! The methods that are shown by name.

use sidetone_sip::Method;

/// Methods that have names of their own; any other one might be anything.
pub(crate) const METHODS: [Method<'static>; 14] = [
    Method::ACK,
    Method::BYE,
    Method::CANCEL,
    Method::INFO,
    Method::INVITE,
    Method::MESSAGE,
    Method::NOTIFY,
    Method::OPTIONS,
    Method::PRACK,
    Method::PUBLISH,
    Method::REFER,
    Method::REGISTER,
    Method::SUBSCRIBE,
    Method::UPDATE,
];
