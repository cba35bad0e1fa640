//! Why a TLS handshake failed, for metrics and the log.

use std::io;

use rustls::{CertificateError, Error};

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// The handshake took too long.
    Slow,
    /// The peer, or the network, closed the connection.
    Closed,
    /// The bytes are no TLS.
    NotTls,
    /// No version or cipher suite in common.
    Incompatible,
    /// The peer showed no certificate, and has to.
    NoCertificate,
    /// Nobody trusted vouches for the peer's certificate.
    UnknownAuthority,
    /// The peer's certificate is not valid any more, or not yet.
    Expired,
    /// The peer's certificate speaks for another name than it has to.
    WrongName,
    /// The peer's certificate is unfit in another way.
    BadCertificate,
    /// The peer has refused, by an alert.
    RefusedByPeer,
    /// No identity is configured that the peer's certificate would have to prove.
    NoIdentity,
    /// Anything else.
    Other,
}

impl Failure {
    /// Every failure.
    pub const ALL: [Self; 12] = [
        Self::Slow,
        Self::Closed,
        Self::NotTls,
        Self::Incompatible,
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::Expired,
        Self::WrongName,
        Self::BadCertificate,
        Self::RefusedByPeer,
        Self::NoIdentity,
        Self::Other,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Closed => "closed",
            Self::NotTls => "not_tls",
            Self::Incompatible => "incompatible",
            Self::NoCertificate => "no_certificate",
            Self::UnknownAuthority => "unknown_authority",
            Self::Expired => "expired",
            Self::WrongName => "wrong_name",
            Self::BadCertificate => "bad_certificate",
            Self::RefusedByPeer => "refused_by_peer",
            Self::NoIdentity => "no_identity",
            Self::Other => "other",
        }
    }

    /// What an operator can look at first.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::UnknownAuthority => "its issuer is not in sip.tls.authorities (unset: the system's list)",
            Self::NoCertificate => {
                "it was asked for a certificate, for sip.tls.client_certificates or its peer's allow_certificates"
            }
            Self::WrongName => {
                "its certificate names none that is configured (allow_certificates for clients; the host, or certificate_name, for servers)"
            }
            Self::Expired => "its certificate is not valid now; are the clocks right?",
            Self::RefusedByPeer => "the peer does not trust our certificate, or wants another one",
            Self::NotTls => "what came is no TLS: another protocol at this port?",
            Self::Incompatible => "no version or cipher suite in common; TLS 1.2 and 1.3 are spoken",
            Self::NoIdentity => "its host has no name that a certificate could prove; write certificate_name",
            Self::Slow | Self::Closed | Self::BadCertificate | Self::Other => "",
        }
    }

    /// The reason behind a failed handshake.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => Self::of_tls(error),
            None => Self::Closed,
        }
    }

    fn of_tls(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(why) => Self::of_certificate(why),
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::PeerIncompatible(_) => Self::Incompatible,
            Error::AlertReceived(_) => Self::RefusedByPeer,
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. } => Self::NotTls,
            _ => Self::Other,
        }
    }

    fn of_certificate(why: &CertificateError) -> Self {
        match why {
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            // A certificate that vouches for itself.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                Self::UnknownAuthority
            }
            _ => Self::BadCertificate,
        }
    }
}
