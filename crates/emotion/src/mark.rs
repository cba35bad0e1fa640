//! What a stretch of decoded audio is, as the decoder saw it.

/// The kind of a stretch of PCM. Only [`Audio`](Self::Audio) and [`Concealed`](Self::Concealed) are the party's own
/// voice; everything else passes time and is heard by nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameMark {
    /// Decoded from packets that arrived.
    Audio,
    /// Made up by loss concealment.
    Concealed,
    /// Comfort noise or a gap in the sender's discontinuous transmission.
    ComfortNoise,
    /// A telephone-event (RFC 4733) was being sent.
    Dtmf,
    /// The call was on hold; what is heard may be music.
    Hold,
    /// Before the answer: ringback or a network announcement.
    Early,
    /// An announcement was being played to this party.
    Announcement,
}

impl FrameMark {
    /// Whether the samples may be this party's voice.
    pub fn is_voice(self) -> bool {
        matches!(self, Self::Audio | Self::Concealed)
    }
}
