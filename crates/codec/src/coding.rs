//! What a coding has to offer: [`Decode`], [`Encode`], its errors.

use std::fmt::Debug;
use std::time::Duration;

use crate::resample::UnsupportedRate;

/// The longest packet that is decoded. RFC 3551 §4.2 asks receivers to accept 200 ms.
pub const MAX_PACKET: Duration = Duration::from_millis(200);

/// Payloads of one stream to PCM. A new codec implements this and [`Encode`], and is named in `codec.rs`.
pub(crate) trait Decode: Debug + Send {
    /// Samples a channel in a payload of that length, as far as the length says it. Longer ones than [`MAX_PACKET`] are
    /// refused before they are decoded.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] for a length that no payload has.
    fn samples(&self, bytes: usize) -> Result<usize, CodecError>;

    /// Appends a payload's PCM, interleaved; how many samples a channel.
    ///
    /// # Errors
    /// [`CodecError::Malformed`]; `out` is then as it was.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError>;

    /// The coding's own way to fill gaps. Without one they are filled as [`conceal`](crate::conceal) does.
    fn gaps(&mut self) -> Option<&mut dyn Gaps> {
        None
    }
}

/// How a coding fills time for which no payload came. Samples are counted a channel.
pub(crate) trait Gaps {
    /// Appends what stands for a lost payload.
    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>);

    /// The same with the help of the payload that follows the gap.
    fn recover(&mut self, samples: usize, _following: &[u8], out: &mut Vec<i16>) {
        self.conceal(samples, out);
    }

    /// Appends what stands for time in which nothing was sent.
    fn idle(&mut self, samples: usize, out: &mut Vec<i16>) {
        self.conceal(samples, out);
    }
}

/// PCM to payloads of one stream.
pub(crate) trait Encode: Debug + Send {
    /// Appends the payload of one packet; its length, 0 if it need not be sent.
    ///
    /// # Errors
    /// [`CodecError::FrameSize`], [`CodecError::Opus`]; `out` is then as it was.
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError>;
}

/// Why a decoder or encoder could not be made, or did not take its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The format carries no audio: telephone-events are parsed by `sidetone_rtp`, comfort noise is
    /// not encoded by an [`Encoder`](crate::Encoder).
    #[error("{0} is no audio coding")]
    NotAudio(&'static str),
    /// The payload holds more than [`MAX_PACKET`].
    #[error("payload of {bytes} bytes holds more than {most}", most = MAX_PACKET.as_millis())]
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
