//! L16: linear PCM in network byte order (RFC 3551 §4.5.11).

use crate::coding::{CodecError, Decode, Encode};

/// A decoder or encoder of one or two channels.
#[derive(Debug)]
pub(crate) struct L16 {
    pub(crate) channels: u8,
}

impl Decode for L16 {
    fn samples(&self, bytes: usize) -> Result<usize, CodecError> {
        let each = 2 * usize::from(self.channels.max(1));
        if bytes.is_multiple_of(each) { Ok(bytes / each) } else { Err(CodecError::Malformed { bytes }) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError> {
        let (samples, _) = payload.as_chunks::<2>();
        out.extend(samples.iter().map(|&bytes| i16::from_be_bytes(bytes)));
        Ok(samples.len() / usize::from(self.channels.max(1)))
    }
}

impl Encode for L16 {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError> {
        out.reserve(pcm.len() * 2);
        for sample in pcm {
            out.extend_from_slice(&sample.to_be_bytes());
        }
        Ok(pcm.len() * 2)
    }
}
