//! L16: linear PCM in network byte order (RFC 3551 §4.5.11).

/// Appends the samples of a payload; an odd last byte is left out.
pub(crate) fn decode(payload: &[u8], out: &mut Vec<i16>) {
    let (samples, _) = payload.as_chunks::<2>();
    out.extend(samples.iter().map(|&bytes| i16::from_be_bytes(bytes)));
}

/// Appends the bytes of samples.
pub(crate) fn encode(pcm: &[i16], out: &mut Vec<u8>) {
    out.reserve(pcm.len() * 2);
    for sample in pcm {
        out.extend_from_slice(&sample.to_be_bytes());
    }
}
