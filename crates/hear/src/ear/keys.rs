//! Keys that a party presses, however they come.

use std::collections::VecDeque;

use sidetone_codec::dtmf::Detector;
use sidetone_consent::Medium;
use sidetone_emotion::mark::FrameMark;
use sidetone_rtp::telephone_event::{Change, Sources};

/// Keys that nobody has taken yet. More are pressed by nobody in earnest.
const MOST: usize = 32;

/// A party's keys.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Listens for keys in the sound.
    tones: Option<Detector>,
    pressed: VecDeque<(char, Medium)>,
}

impl Keys {
    /// Keys told by telephone-event, and with `in_band` those in the sound too.
    pub(crate) fn new(in_band: bool) -> Self {
        Self { tones: in_band.then(Detector::new), pressed: VecDeque::new() }
    }

    /// Whether keys are heard in the sound.
    pub(super) fn hear_tones(&self) -> bool {
        self.tones.is_some()
    }

    /// Takes what has become of telephone-events. A key counts from its beginning.
    pub(super) fn events(&mut self, events: &mut Sources) {
        while let Some(change) = events.poll() {
            if let Change::Started { event, .. } = change
                && let Some(digit) = event.digit()
            {
                self.press(digit, Medium::TelephoneEvent);
            }
        }
    }

    /// Sound of the party's. While a telephone-event goes on, its tones are the same key once more.
    pub(super) fn sound(&mut self, pcm: &[i16], mark: FrameMark) {
        let Some(tones) = self.tones.as_mut().filter(|_| mark != FrameMark::Dtmf) else { return };
        let pressed = &mut self.pressed;
        tones.push(pcm, |digit| {
            if pressed.len() < MOST {
                pressed.push_back((digit, Medium::InBand));
            }
        });
    }

    fn press(&mut self, digit: char, medium: Medium) {
        if self.pressed.len() < MOST {
            self.pressed.push_back((digit, medium));
        }
    }

    pub(super) fn poll(&mut self) -> Option<(char, Medium)> {
        self.pressed.pop_front()
    }
}
