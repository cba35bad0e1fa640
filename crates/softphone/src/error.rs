//! Errors of a call.

use std::io;

/// Why a call, or a request in it, came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhoneError {
    /// A socket could not be bound or used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a SIP URI, or of a transport other than UDP and TCP.
    #[error("not a SIP URI that this phone can call: {0}")]
    Uri(String),
    /// The host of a URI has no address of this phone's IP family.
    #[error("no address for {0}")]
    NoAddress(String),
    /// A final response of 300 or more.
    #[error("{status} {reason}")]
    Rejected {
        /// 300 to 699.
        status: u16,
        /// The reason phrase as received.
        reason: String,
    },
    /// A final response came where ringing was waited for.
    #[error("{0} instead of ringing")]
    NotRinging(u16),
    /// The phone has as many calls as it takes.
    #[error("too many calls")]
    Busy,
    /// An offer of this end's is under way already.
    #[error("an offer is under way already")]
    Glare,
    /// No final response in time.
    #[error("no response in time")]
    TimedOut,
    /// No ACK in time: the call was ended again.
    #[error("the answer was never acknowledged")]
    NoAck,
    /// The caller gave up before the call was answered.
    #[error("cancelled by the caller")]
    Cancelled,
    /// No codec in common, or no plain RTP audio at all.
    #[error("no audio codec in common")]
    NoCommonCodec,
    /// A message lacks what it must have.
    #[error("the other end sent a message without a usable {0}")]
    Malformed(&'static str),
    /// The call has ended, or the phone is gone.
    #[error("the call has ended")]
    Ended,
}
