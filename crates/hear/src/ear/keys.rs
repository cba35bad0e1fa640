//! Keys that a party presses, as telephone-events or tones.

use std::collections::VecDeque;

use sidetone_codec::dtmf::Detector;
use sidetone_consent::Medium;
use sidetone_emotion::mark::FrameMark;
use sidetone_rtp::telephone_event::{Change, Sources};

/// Most keys that wait to be taken. No real caller presses more.
const MOST: usize = 32;

/// A party's keys.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Detects keys in the sound.
    tones: Option<Detector>,
    pressed: VecDeque<(char, Medium)>,
}

impl Keys {
    /// Detects keys in telephone-events, and with `in_band` those in the sound too.
    pub(crate) fn new(in_band: bool) -> Self {
        Self { tones: in_band.then(Detector::new), pressed: VecDeque::new() }
    }

    /// Whether keys are detected in the sound.
    pub(super) fn hear_tones(&self) -> bool {
        self.tones.is_some()
    }

    /// Takes the state of telephone-events. A key counts from its beginning.
    pub(super) fn events(&mut self, events: &mut Sources) {
        while let Some(change) = events.poll() {
            if let Change::Started { event, .. } = change
                && let Some(digit) = event.digit()
            {
                self.press(digit, Medium::TelephoneEvent);
            }
        }
    }

    /// Takes the party's sound. During a telephone-event, its tones are the same key once more.
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
