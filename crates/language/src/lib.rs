//! What people say: speech to words, words to what they tell of the speaker, and the redaction without which nothing
//! leaves this crate. Knows nothing of calls, packets or sockets.
//!
//! | module | subject |
//! | --- | --- |
//! | [`chat`] | a chat as somebody copies it out of another program: who has said what |
//! | [`conduct`] | what an agent's words show of conduct |
//! | [`mail`] | what somebody wrote in a mail, without quotes, signatures and disclaimers |
//! | [`party`] | whose words they are, as a type |
//! | [`models`] | where the networks are installed |
//! | [`reader`] | a piece of sound to what was said, redacted, and what it tells |
//! | [`recognise`] | 16 kHz sound to a transcript |
//! | [`redact`] | numbers, names and addresses taken out of text, written or spoken |
//! | [`text`] | a text to what it tells |
//! | [`tongue`] | the languages whose words the rules know |
//! | [`written`] | a written text, stripped and redacted, to what it tells |
//! | [`utterance`] | one party's sound cut at its pauses |

#![forbid(unsafe_code)]

pub mod chat;
pub mod conduct;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod mail;
pub mod models;
pub mod party;
pub mod reader;
pub mod recognise;
pub mod redact;
pub mod text;
pub mod tongue;
pub mod utterance;
pub mod written;
