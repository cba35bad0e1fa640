//! Formats of RTP that no SDP explains.

use sidetone_call::Format;
use sidetone_sip::sdp::{Description, Stream};

/// Payload types that RFC 3551 fixes and telephony uses; 101 is what practically all use for telephone-events.
const FIXED: &str = "0 3 4 8 9 10 11 13 15 18 101";

/// Why a format can't be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format: write PAYLOAD_TYPE=ENCODING/RATE[/CHANNELS], such as 111=opus/48000/2")]
pub struct FormatError(pub String);

/// Reads a format as it is written on a command line: `111=opus/48000/2`, `96=L16/16000`.
///
/// # Errors
/// When the payload type isn't from 0 to 127, or encoding and rate are missing.
pub fn format(text: &str) -> Result<Format, FormatError> {
    let refused = || FormatError(text.to_owned());
    let (payload_type, map) = text.split_once('=').ok_or_else(refused)?;
    let legible = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if payload_type.parse::<u8>().is_err() || !map.chars().all(legible) {
        return Err(refused());
    }
    let read = read(&format!("m=audio 9 RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {map}\r\n"));
    read.into_iter().find(|format| format.clock_rate > 0 && !format.encoding.is_empty()).ok_or_else(refused)
}

/// The formats that are assumed of RTP without SDP: those that the user states, then the usual ones.
pub(super) fn assumed(given: &[Format]) -> Vec<Format> {
    let fixed = read(&format!("m=audio 9 RTP/AVP {FIXED}\r\na=rtpmap:101 telephone-event/8000\r\n"));
    let is_given = |format: &Format| given.iter().any(|other| other.payload_type == format.payload_type);
    given.iter().cloned().chain(fixed.into_iter().filter(|format| !is_given(format))).collect()
}

/// The formats of an m-line.
fn read(media: &str) -> Vec<Format> {
    let text = format!("v=0\r\nc=IN IP4 192.0.2.1\r\n{media}");
    let description = Description::parse(text.as_bytes());
    description.ok().and_then(|sdp| Stream::all(&sdp).pop()).map(|stream| stream.formats).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_written_on_a_command_line() {
        let opus = format("111=opus/48000/2").unwrap();
        assert_eq!(
            (opus.payload_type, opus.encoding.as_str(), opus.clock_rate, opus.channels),
            (111, "opus", 48_000, 2)
        );
        assert_eq!(format("0=PCMA/8000").unwrap().encoding, "PCMA");
        for wrong in
            ["", "opus", "111=", "111=opus", "200=opus/48000", "x=opus/48000", "96=a/8000\r\na=sendonly"]
        {
            assert_eq!(format(wrong), Err(FormatError(wrong.to_owned())));
        }
    }

    #[test]
    fn what_is_given_goes_before_what_is_fixed() {
        let formats = assumed(&[format("101=opus/48000/2").unwrap(), format("8=PCMU/8000").unwrap()]);
        let name = |payload_type| {
            let found: Vec<_> = formats.iter().filter(|f| f.payload_type == payload_type).collect();
            assert_eq!(found.len(), 1);
            found[0].encoding.as_str()
        };
        assert_eq!([0, 8, 9, 101].map(name), ["PCMU", "PCMU", "G722", "opus"]);
    }
}
