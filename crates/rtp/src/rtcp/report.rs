//! The contents of RTCP packets (RFC 3550 §6.4 to §6.6).

/// A sender's report on its own stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock of the report: NTP, 32.32 fixed point.
    pub ntp: u64,
    /// The same instant on the stream's RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent since the SSRC began.
    pub packets: u32,
    /// Payload bytes sent since the SSRC began.
    pub octets: u32,
}

impl SenderInfo {
    pub(super) fn read(bytes: &[u8; 20]) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [rtp_timestamp, packets, octets] = words(rest);
        Self { ntp: u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), rtp_timestamp, packets, octets }
    }

    /// The middle 32 bits of the NTP time, by which receivers refer to this report.
    #[must_use]
    pub fn reference(&self) -> u32 {
        (self.ntp >> 16) as u32
    }
}

/// A receiver's report block on a stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: u32,
    /// Share of packets lost since the previous report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the stream began; negative if duplicates outnumber them.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with cycles above it.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// [`SenderInfo::reference`] of the newest sender report received, 0 if none.
    pub last_sender_report: u32,
    /// Time since that one came, in 1/65536 s.
    pub delay_since: u32,
}

impl ReportBlock {
    pub(super) fn read(bytes: &[u8; 24]) -> Self {
        let [ssrc, loss, highest_sequence, jitter, last_sender_report, delay_since] = words(bytes);
        Self {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // Sign extension of the lower 24 bits.
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            highest_sequence,
            jitter,
            last_sender_report,
            delay_since,
        }
    }

    /// Share of packets lost since the previous report, 0 to 1.
    #[must_use]
    pub fn loss_ratio(&self) -> f64 {
        f64::from(self.fraction_lost) / 256.0
    }

    /// Jitter in milliseconds at that RTP clock.
    #[must_use]
    pub fn jitter_ms(&self, clock_rate: u32) -> f64 {
        if clock_rate == 0 { 0.0 } else { f64::from(self.jitter) * 1000.0 / f64::from(clock_rate) }
    }
}

/// `N` big-endian words out of `M = 4 N` bytes.
fn words<const N: usize, const M: usize>(bytes: &[u8; M]) -> [u32; N] {
    let (chunks, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|i| chunks.get(i).map_or(0, |&word| u32::from_be_bytes(word)))
}

/// One item that describes a source (RFC 3550 §6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// The source described.
    pub ssrc: u32,
    /// The item's type: 1 is CNAME (RFC 3550 §6.5).
    pub kind: u8,
    /// The item's value, UTF-8 by the standard, any bytes in fact.
    pub value: &'a [u8],
}

/// A source description packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sdes<'a> {
    chunks: u8,
    body: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn read(chunks: u8, body: &'a [u8]) -> Self {
        Self { chunks, body }
    }

    /// The items in order; ends at the first that does not fit.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + 'a {
        let Sdes { mut chunks, body } = *self;
        let mut rest = body;
        let mut source = None;
        std::iter::from_fn(move || {
            loop {
                let Some(ssrc) = source else {
                    chunks = chunks.checked_sub(1)?;
                    let (ssrc, after) = rest.split_first_chunk::<4>()?;
                    source = Some(u32::from_be_bytes(*ssrc));
                    rest = after;
                    continue;
                };
                match *rest {
                    // A chunk ends with one to four zero bytes, up to the next word.
                    [0, ..] => {
                        let at = body.len() - rest.len();
                        rest = body.get(at / 4 * 4 + 4..)?;
                        source = None;
                    }
                    [kind, length, ref after @ ..] => {
                        let (value, after) = after.split_at_checked(usize::from(length))?;
                        rest = after;
                        return Some(SdesItem { ssrc, kind, value });
                    }
                    _ => return None,
                }
            }
        })
    }

    /// The canonical name of the first source that has one.
    #[must_use]
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == 1).map(|item| item.value)
    }
}

/// Sources that leave (RFC 3550 §6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bye<'a> {
    sources: &'a [[u8; 4]],
    reason: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn read(count: u8, body: &'a [u8]) -> Option<Self> {
        let (sources, rest) = body.split_at_checked(usize::from(count) * 4)?;
        let reason = match *rest {
            [length, ref text @ ..] => text.get(..usize::from(length))?,
            [] => &[],
        };
        Some(Self { sources: sources.as_chunks().0, reason })
    }

    /// The sources that leave.
    pub fn sources(&self) -> impl Iterator<Item = u32> + 'a {
        self.sources.iter().map(|&ssrc| u32::from_be_bytes(ssrc))
    }

    /// Why, in the sender's words; often empty.
    #[must_use]
    pub fn reason(&self) -> &'a [u8] {
        self.reason
    }
}
