//! What of a call's sound its worker may have: of packets that the kernel forwards no others are copied. Key presses
//! that are events come to the worker in any case, and it hears no more than it may, whatever it is given.

/// A change of what the worker may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heed {
    /// Whether keys are looked for in the sound, consent or not.
    Tones(bool),
    /// Whether there is consent to listen.
    Sound(bool),
}

/// What it may have.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heeded {
    tones: bool,
    sound: bool,
}

impl Heeded {
    pub(crate) fn take(&mut self, heed: Heed) {
        match heed {
            Heed::Tones(tones) => self.tones = tones,
            Heed::Sound(sound) => self.sound = sound,
        }
    }

    pub(crate) fn any(self) -> bool {
        self.tones || self.sound
    }
}
