//! The prompter: encodes announcements and has relay threads play them.
//!
//! `sidetone_consent` decides whether a call is told; the relay threads report what has been played. In between, a
//! thread of its own makes the payloads: encoding a new format takes milliseconds, too long for the holder of a lock.

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

use crate::{Announcer, Heed, PlayId};

/// Most announcements that wait for encoding. One takes milliseconds, so thousands mean a thread that hangs.
const MOST_WAITING: usize = 16_384;
/// The longest that the thread that makes payloads sleeps without an order.
const LOOKS_UP: Duration = Duration::from_secs(1);
/// The packet length for a party whose SDP states none (RFC 3551 §4.2).
const USUAL_PTIME: u16 = 20;

/// The handle of the prompter, for playing announcements.
pub struct Prompter {
    library: Arc<Library>,
    announcements: Announcements,
    announcer: Announcer,
    orders: SyncSender<Order>,
}

/// An announcement to be played.
#[derive(Debug)]
pub struct Job {
    /// The call.
    pub call: CallKey,
    /// The index of the m-line.
    pub stream: usize,
    /// The side of the party that hears it.
    pub toward: Side,
    /// The identifier by which its beginning and its end are reported.
    pub id: PlayId,
    /// The recording.
    pub found: Found,
    /// The party's formats: payload types and codecs.
    pub formats: Vec<(u8, Codec)>,
    /// Packet length in milliseconds.
    pub ptime: u16,
    /// Whether it replaces the other party's sound or is mixed over it.
    pub mode: Mode,
    /// The announcement plays already, and continues in these formats.
    pub again: bool,
}

/// The orders of the thread that makes payloads, carried out in sequence.
#[derive(Debug)]
enum Order {
    Play(Job),
    Hush { call: CallKey, toward: Side, id: PlayId },
}

/// Called with a job that can't be done.
pub type Failed = Box<dyn Fn(CallKey, PlayId, Failure) + Send>;

impl Prompter {
    /// Starts the thread. A failed job is reported to `failed`, on that thread.
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
                        // A panic while encoding means that nothing can be played.
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

    /// The existing announcements.
    #[must_use]
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// How announcements sound.
    #[must_use]
    pub const fn announcements(&self) -> &Announcements {
        &self.announcements
    }

    /// Encodes an announcement and has it played.
    pub fn play(&self, job: Job) {
        // If there is no room, the announcement is not played; then the consent's own deadline passes, and the customer
        // is not listened to.
        let _ = self.orders.try_send(Order::Play(job));
    }

    /// Stops a playing announcement at once, and one that is being encoded as soon as that is done.
    pub fn hush(&self, call: CallKey, toward: Side, id: PlayId) {
        self.announcer.hush(call, toward, id);
        let _ = self.orders.try_send(Order::Hush { call, toward, id });
    }

    /// The worker that the call's packets are copied to from now on, if any.
    pub fn tap(&self, call: CallKey, worker: Option<usize>) {
        self.announcer.tap(call, worker);
    }

    /// See [`Announcer::heed`].
    pub fn heed(&self, call: CallKey, heed: Heed) {
        self.announcer.heed(call, heed);
    }
}

/// Encodes the formats that most calls will need, before the first call needs them.
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

/// The formats in which sound can be sent to a party: those that both parties have listed, under the party's own
/// payload types; and the packet length that it asked for, in milliseconds.
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
