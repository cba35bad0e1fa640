//! What people say: speech to words, words to what they tell of the speaker, and the redaction without which nothing
//! leaves this crate. Knows nothing of calls, packets or sockets.
//!
//! | module | subject |
//! | --- | --- |
//! | [`recognise`] | 16 kHz sound to a transcript |
//! | [`redact`] | numbers, names and addresses taken out of text, written or spoken |
//! | [`text`] | a text to what it tells |
//! | [`tongue`] | the languages whose words the rules know |
//! | [`utterance`] | one party's sound cut at its pauses |

#![forbid(unsafe_code)]

pub mod recognise;
pub mod redact;
pub mod text;
pub mod tongue;
pub mod utterance;
