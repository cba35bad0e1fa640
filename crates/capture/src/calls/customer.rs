//! Which of a call's two parties is the customer, and how that is known.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Which of the two parties is the customer: the one whose feelings may be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customer {
    /// The one who placed the call; without signalling, the one whose audio came first.
    Caller,
    /// The one who was called; without signalling, the one whose audio came second.
    Callee,
    /// The one whose audio has this address.
    At(Place),
}

/// An IP address, with a port or with any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    ip: IpAddr,
    port: Option<u16>,
}

impl Place {
    /// Whether an address is there.
    #[must_use]
    pub fn is(&self, address: SocketAddr) -> bool {
        self.ip == address.ip().to_canonical() && self.port.is_none_or(|port| port == address.port())
    }
}

/// Why a word names no party.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no party: say caller or left, callee or right, or the address that the customer's audio comes from"
)]
pub struct CustomerError(pub String);

impl FromStr for Customer {
    type Err = CustomerError;

    fn from_str(text: &str) -> Result<Self, CustomerError> {
        let place = |ip: IpAddr, port| Self::At(Place { ip: ip.to_canonical(), port });
        match text {
            "caller" | "left" => Ok(Self::Caller),
            "callee" | "right" => Ok(Self::Callee),
            other => {
                let with_port = other.parse::<SocketAddr>().map(|at| place(at.ip(), Some(at.port())));
                let without = || other.trim_matches(['[', ']']).parse().map(|ip| place(ip, None));
                with_port.or_else(|_| without()).map_err(|_| CustomerError(other.to_owned()))
            }
        }
    }
}

/// How it is known who the customer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Somebody who has the recording has said so.
    Named,
    /// The capture shows who placed the call, and nobody has said that the customer was called.
    Signalled,
    /// The customer isn't known: the sides are a guess, and nobody may be judged.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_named_by_role_or_address() {
        let at = |text: &str| match text.parse() {
            Ok(Customer::At(place)) => move |address: &str| place.is(address.parse().unwrap()),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!("caller".parse(), Ok(Customer::Caller));
        assert_eq!("callee".parse(), Ok(Customer::Callee));
        assert!(at("10.0.0.1")("10.0.0.1:4000") && !at("10.0.0.1")("10.0.0.2:4000"));
        assert!(at("10.0.0.1:4000")("10.0.0.1:4000") && !at("10.0.0.1:4000")("10.0.0.1:4002"));
        assert!(at("2001:db8::1")("[2001:db8::1]:4") && at("[2001:db8::1]:4")("[2001:db8::1]:4"));
        assert!(at("::ffff:10.0.0.1")("10.0.0.1:4000"));
        let told = "agent".parse::<Customer>().unwrap_err().to_string();
        assert!(
            ["caller or left", "callee or right", "address"].iter().all(|word| told.contains(word)),
            "{told}"
        );
    }
}
