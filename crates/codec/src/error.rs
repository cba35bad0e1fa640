//! Errors of a payload.

use crate::resample::UnsupportedRate;

/// Why a decoder or encoder could not be made, or did not take its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The format carries no audio: telephone-events are parsed by `sidetone_rtp`, comfort noise is
    /// not encoded by an [`Encoder`](crate::Encoder).
    #[error("{0} is no audio coding")]
    NotAudio(&'static str),
    /// The payload holds more than [`MAX_PACKET`](crate::MAX_PACKET).
    #[error("payload of {bytes} bytes holds more than {most}", most = crate::MAX_PACKET.as_millis())]
    TooLong {
        /// Length of the payload.
        bytes: usize,
    },
    /// The payload is not a whole number of samples, or libopus finds it corrupt.
    #[error("payload of {bytes} bytes is malformed")]
    Malformed {
        /// Length of the payload.
        bytes: usize,
    },
    /// The number of samples to encode is none that the format can put into a packet.
    #[error("{samples} samples make no packet")]
    FrameSize {
        /// Samples given, all channels together.
        samples: usize,
    },
    /// The format does not know this sample rate.
    #[error(transparent)]
    Rate(#[from] UnsupportedRate),
    /// libopus refused to work.
    #[error("libopus: {0}")]
    Opus(String),
}
