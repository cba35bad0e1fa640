//! The prompter: makes announcements ready and has relay threads play them.
//!
//! Whether a call is to be told is decided by `sidetone_consent`; when and what has been played comes back from the
//! relay threads. In between, a thread of its own makes the payloads: encoding a new format takes milliseconds, which
//! no holder of a lock has.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use sidetone_announce::library::Found;
use sidetone_announce::{Announcements, Library, Mode, Playback};
use sidetone_call::{CallKey, Side, StreamPlan};
use sidetone_codec::Codec;
use sidetone_consent::Failure;
use sidetone_watch::{Alarm, Heartbeat};

use crate::{Announcer, PlayId};

/// Announcements that wait to be made ready. Making one takes milliseconds, so thousands mean a thread that hangs.
const MOST_WAITING: usize = 16_384;
/// How often the thread that makes payloads comes round when nothing is to be done.
const LOOKS_UP: Duration = Duration::from_secs(1);
/// The packet length of listeners who ask for none (RFC 3551 §4.2).
const USUAL_PTIME: u16 = 20;

/// The prompter's own end: whoever holds it may have announcements played.
pub struct Prompter {
    library: Arc<Library>,
    announcements: Announcements,
    announcer: Announcer,
    orders: SyncSender<Order>,
}

/// Something to be played.
#[derive(Debug)]
pub struct Job {
    /// Into which call.
    pub call: CallKey,
    /// Into which m-line of it.
    pub stream: usize,
    /// Which party hears it.
    pub toward: Side,
    /// By which its beginning and its end are told.
    pub id: PlayId,
    /// The recording.
    pub found: Found,
    /// What the party takes: payload types and codecs.
    pub formats: Vec<(u8, Codec)>,
    /// Packet length in milliseconds.
    pub ptime: u16,
    /// In place of what the other party says, or over it.
    pub mode: Mode,
    /// It plays already, and goes on in these formats.
    pub again: bool,
}

/// What the thread that makes payloads is asked to do, in this order.
#[derive(Debug)]
enum Order {
    Play(Job),
    Hush { call: CallKey, toward: Side, id: PlayId },
}

/// What is told of a job that can't be done.
pub type Failed = Box<dyn Fn(CallKey, PlayId, Failure) + Send>;

impl Prompter {
    /// Starts its thread. A job that can't be done is told to `failed`, on that thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        library: Arc<Library>,
        announcements: Announcements,
        announcer: Announcer,
        failed: Failed,
        epoch: Instant,
        alarm: &Alarm,
    ) -> io::Result<Self> {
        let (orders, inbox) = sync_channel(MOST_WAITING);
        let this =
            Self { library: Arc::clone(&library), announcements, announcer: announcer.clone(), orders };
        let beat = Heartbeat::new("announce", epoch.elapsed());
        let (its_beat, its_alarm) = (beat.clone(), alarm.clone());
        let work = move || {
            let beat = || its_beat.beat(epoch.elapsed());
            its_alarm.contain(&its_beat, || warm(&library, beat));
            loop {
                beat();
                match inbox.recv_timeout(LOOKS_UP) {
                    Ok(Order::Play(job)) => {
                        let done = its_alarm.contain(&its_beat, || carry_out(&library, &announcer, &job));
                        // Nothing can be played of what panics in the making.
                        if let Err(failure) = done.unwrap_or(Err(Failure::Codec)) {
                            its_alarm.contain(&its_beat, || failed(job.call, job.id, failure));
                        }
                    }
                    Ok(Order::Hush { call, toward, id }) => announcer.hush(call, toward, id),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        };
        alarm.thread(beat, false, work)?;
        Ok(this)
    }

    /// The announcements that there are.
    #[must_use]
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// What announcements sound like.
    #[must_use]
    pub const fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// Makes an announcement ready and has it played.
    pub fn play(&self, job: Job) {
        // One that there is no room for is not played; the consent's own deadline says so then, and nobody is listened
        // to.
        let _ = self.orders.try_send(Order::Play(job));
    }

    /// Stops what plays at once, and what is still being made ready as soon as it is.
    pub fn hush(&self, call: CallKey, toward: Side, id: PlayId) {
        self.announcer.hush(call, toward, id);
        let _ = self.orders.try_send(Order::Hush { call, toward, id });
    }

    /// The worker that the call's packets are copied to from now on, if any.
    pub fn tap(&self, call: CallKey, worker: Option<usize>) {
        self.announcer.tap(call, worker);
    }
}

/// Encodes what most calls will ask for, before the first one does.
fn warm(library: &Library, done: impl Fn()) {
    let names: Vec<(String, String)> =
        library.names().map(|(name, language)| (name.to_owned(), language.to_owned())).collect();
    for (name, language) in names {
        if let Some(found) = library.find(&name, Some(&language)) {
            let usual = [Codec::Pcmu, Codec::Pcma, Codec::G722].map(|codec| (0, codec));
            let _ = library.voices(&found.clip, usual, USUAL_PTIME);
        }
        done();
    }
}

fn carry_out(library: &Library, announcer: &Announcer, job: &Job) -> Result<(), Failure> {
    let voices = library.voices(&job.found.clip, job.formats.iter().copied(), job.ptime);
    if voices.is_empty() {
        return Err(Failure::Codec);
    }
    if job.again {
        announcer.revoice(job.call, job.stream, job.toward, voices);
        return Ok(());
    }
    let playback = Playback::new(voices, job.mode).ok().flatten().ok_or(Failure::Codec)?;
    announcer.play(job.call, job.stream, job.toward, job.id, playback);
    Ok(())
}

/// The formats in which a party may be sent sound: those that both parties have listed, numbered as it wants them; and
/// the packet length it asked for, in milliseconds.
#[must_use]
pub fn formats(plan: &StreamPlan, toward: Side) -> (Vec<(u8, Codec)>, u16) {
    let (target, other) = (plan.end(toward), plan.end(toward.other()));
    let both = target
        .formats
        .iter()
        .filter(|format| {
            other.formats.iter().any(|theirs| {
                theirs.encoding.eq_ignore_ascii_case(&format.encoding)
                    && theirs.clock_rate == format.clock_rate
            })
        })
        .filter_map(|format| {
            let codec =
                Codec::from_rtpmap(&format.encoding, format.clock_rate, format.channels, &format.fmtp)?;
            codec.is_audio().then_some((format.payload_type, codec))
        })
        .collect();
    (both, target.ptime_ms.unwrap_or(USUAL_PTIME))
}
