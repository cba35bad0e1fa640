//! A text to what it tells: how its writer or speaker feels by the words, what it is about, how soon something has to
//! happen, and how content they are with the service. The same text gives the same scores, always.
//!
//! | module | subject |
//! | --- | --- |
//! | `tokens`, `features`, `linear` | words and letters of a text, their n-grams, and a model over those |
//! | `pieces` | a long text in pieces of the length that the models know |
//! | [`Scorer`] | all of it together |
//! | `labels`, `affect` | the 28 labels of GoEmotions, and how they stand on the voice's scale |
//! | `topics` | what a text is about, and the phrase that carries it |
//! | `service` | urgency and satisfaction |
//! | [`Thread`] | several messages of one person |
//! | `tongue` | which language it is, roughly |
//! | `weights` | the file that training writes |
//! | [`train`] | how that file is made |

mod affect;
mod features;
mod heads;
mod labels;
mod linear;
mod pieces;
mod scorer;
mod service;
mod thread;
mod tokens;
mod tongue;
mod topics;
pub mod train;
mod weights;

pub use scorer::{LONGEST, Reading, Scorer};
pub use thread::Thread;
pub use tongue::Tongue;
pub use weights::WeightsError;
