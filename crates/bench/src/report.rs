//! The results, as a table for people and as JSON for machines.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::machine::{Bustle, Machine};
use crate::median::Median;
use crate::{analysis, media, signalling};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) conditions: Conditions,
    pub(crate) forwarding: Vec<Forwarding>,
    pub(crate) signalling: Vec<Signalling>,
    pub(crate) analysis: Option<Analysis>,
    pub(crate) runs: Runs,
    /// Runs that came to nothing, and why.
    pub(crate) failures: Vec<String>,
}

/// Under what it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Conditions {
    pub(crate) runs: u8,
    pub(crate) window_seconds: f64,
    pub(crate) pinned: bool,
    pub(crate) real_time: bool,
    pub(crate) before: Bustle,
    pub(crate) after: Bustle,
    pub(crate) stolen: f64,
    pub(crate) took_seconds: f64,
}

/// Each run by itself.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Runs {
    pub(crate) forwarding: Vec<media::Run>,
    pub(crate) signalling: Vec<signalling::Run>,
    pub(crate) analysis: Vec<analysis::Run>,
    pub(crate) announcing: Vec<media::announcing::Run>,
    pub(crate) reaction: Vec<media::reaction::Run>,
    pub(crate) desks: Vec<media::desks::Run>,
    pub(crate) handshakes: Vec<media::handshakes::Run>,
}

/// One relay with one number of calls.
#[derive(Debug, Serialize)]
pub(crate) struct Forwarding {
    subject: media::Subject,
    calls: usize,
    relay_us: Median,
    whole_us: Median,
    /// `whole_us` over rtpengine's with as many calls.
    beside_rtpengine: Option<f64>,
    /// `whole_us` without the listening, and what sender, receiver and kernel take more than they do with nobody
    /// between them: all that the subject costs.
    everything_us: Option<f64>,
    /// That, over rtpengine's with as many calls.
    everything_beside_rtpengine: Option<f64>,
    around_us: Median,
    /// `relay_us` over that of Sidetone hearing nobody, with as many calls.
    beside_deaf: Option<f64>,
    delay_p50_us: Median,
    delay_p99_us: Median,
    /// The generator's own.
    late_p99_us: Median,
    /// Over all runs.
    sent: u64,
    lost: u64,
    altered: u64,
    hearing_ms: Median,
    rest_ms: Median,
    unheard: Median,
    heard_share: Median,
}

/// One proxy with one kind of call.
#[derive(Debug, Serialize)]
pub(crate) struct Signalling {
    subject: signalling::Subject,
    sdp: bool,
    calls_per_cpu_second: Median,
    /// Over Kamailio's with the same kind of call.
    beside_kamailio: Option<f64>,
    /// Over Sidetone's own by UDP, with the same kind of call.
    beside_udp: Option<f64>,
    load: Median,
    /// 99 % of the times that the core was locked are below this, in µs.
    locked_p99_us: Option<Median>,
    failed: u32,
    retransmissions: u32,
}

/// Recordings.
#[derive(Debug, Serialize)]
pub(crate) struct Analysis {
    ms_per_second: Median,
    start_ms: Median,
    audio_seconds: f64,
}

/// Both directions of a call.
const PACKETS_PER_CALL_SECOND: f64 = 100.0;

/// Sums runs of the same thing up.
pub(crate) fn forwarding(runs: &[media::Run]) -> Vec<Forwarding> {
    let mut groups: BTreeMap<_, Vec<&media::Run>> = BTreeMap::new();
    for run in runs {
        groups.entry((run.subject, run.calls)).or_default().push(run);
    }
    let mut rows: Vec<Forwarding> = groups
        .into_iter()
        .filter_map(|((subject, calls), runs)| {
            let median = |figure: fn(&media::Run) -> f64| Median::of(runs.iter().map(|run| figure(run)));
            let sum = |figure: fn(&media::Run) -> u64| runs.iter().map(|run| figure(run)).sum();
            Some(Forwarding {
                subject,
                calls,
                relay_us: median(|run| run.relay_us)?,
                whole_us: median(|run| run.whole_us)?,
                beside_rtpengine: None,
                everything_us: None,
                everything_beside_rtpengine: None,
                around_us: median(|run| run.around_us)?,
                beside_deaf: None,
                delay_p50_us: median(|run| run.travelled.delay_p50_us)?,
                delay_p99_us: median(|run| run.travelled.delay_p99_us)?,
                late_p99_us: median(|run| run.travelled.late_p99_us)?,
                sent: sum(|run| run.travelled.sent),
                lost: sum(|run| run.travelled.lost),
                altered: sum(|run| run.travelled.altered),
                hearing_ms: median(|run| run.hearing_ms)?,
                rest_ms: median(|run| run.rest_ms)?,
                unheard: median(|run| run.unheard)?,
                heard_share: median(|run| run.heard_share)?,
            })
        })
        .collect();
    let find = |rows: &[Forwarding], subject, calls, figure: fn(&Forwarding) -> f64| {
        rows.iter().find(|row| row.subject == subject && row.calls == calls).map(figure)
    };
    for number in 0..rows.len() {
        let Some(row) = rows.get(number) else { continue };
        let (calls, whole, relay) = (row.calls, row.whole_us.median, row.relay_us.median);
        let rtpengine = find(&rows, row.subject.peer(), calls, |row| row.whole_us.median);
        let deaf = find(&rows, media::Subject::Sidetone, calls, |row| row.relay_us.median);
        if let Some(row) = rows.get_mut(number) {
            row.beside_rtpengine = rtpengine.map(|other| whole / other);
            row.beside_deaf = deaf.map(|other| relay / other);
        }
    }
    for number in 0..rows.len() {
        let Some(row) = rows.get(number) else { continue };
        let nobody = find(&rows, media::Subject::Nobody, row.calls, |row| row.around_us.median);
        let hearing = row.hearing_ms.median * 1e3 / PACKETS_PER_CALL_SECOND;
        let whole = row.whole_us.median - hearing + row.around_us.median;
        if let Some(row) = rows.get_mut(number) {
            row.everything_us = nobody.map(|nobody| whole - nobody);
        }
    }
    for number in 0..rows.len() {
        let Some(row) = rows.get(number) else { continue };
        let rtpengine =
            rows.iter().find(|other| other.subject == media::Subject::Rtpengine && other.calls == row.calls);
        let beside = rtpengine.and_then(|other| Some(row.everything_us? / other.everything_us?));
        if let Some(row) = rows.get_mut(number) {
            row.everything_beside_rtpengine = beside;
        }
    }
    rows
}

/// Sums runs of the same thing up.
pub(crate) fn signalling(runs: &[signalling::Run]) -> Vec<Signalling> {
    let mut groups: BTreeMap<_, Vec<&signalling::Run>> = BTreeMap::new();
    for run in runs {
        groups.entry((run.sdp, run.subject)).or_default().push(run);
    }
    let rates: BTreeMap<_, Median> = groups
        .iter()
        .filter_map(|(key, runs)| Some((*key, Median::of(runs.iter().map(|run| run.calls_per_cpu_second))?)))
        .collect();
    groups
        .into_iter()
        .filter_map(|((sdp, subject), runs)| {
            let rate = *rates.get(&(sdp, subject))?;
            let kamailio = rates.get(&(sdp, signalling::Subject::Kamailio));
            Some(Signalling {
                subject,
                sdp,
                calls_per_cpu_second: rate,
                beside_kamailio: kamailio.map(|other| rate.median / other.median),
                beside_udp: rates
                    .get(&(sdp, signalling::Subject::Sidetone))
                    .filter(|_| subject == signalling::Subject::SidetoneTls)
                    .map(|other| rate.median / other.median),
                load: Median::of(runs.iter().map(|run| run.load))?,
                locked_p99_us: Median::of(runs.iter().filter_map(|run| run.locked_p99_us)),
                failed: runs.iter().map(|run| run.failed).sum(),
                retransmissions: runs.iter().map(|run| run.retransmissions).sum(),
            })
        })
        .collect()
}

/// Sums runs up.
pub(crate) fn analysis(runs: &[analysis::Run]) -> Option<Analysis> {
    Some(Analysis {
        ms_per_second: Median::of(runs.iter().map(|run| run.ms_per_second))?,
        start_ms: Median::of(runs.iter().map(|run| run.start_ms))?,
        audio_seconds: runs.first()?.audio_seconds,
    })
}

impl Report {
    /// Writes the tables.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Conditions { runs, window_seconds, pinned, real_time, before, after, stolen, took_seconds } =
            &self.conditions;
        writeln!(out, "\n{}, {} CPUs, Linux {}", self.machine.cpu, self.machine.cpus, self.machine.kernel)?;
        let versions: Vec<String> =
            self.machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        writeln!(out, "{}", versions.join(", "))?;
        writeln!(
            out,
            "Medians of {runs} runs (least to most); load {:.1} before, {:.1} after; {:.1} % of CPU time stolen; {took_seconds:.0} s in all",
            before.load,
            after.load,
            stolen * 100.0
        )?;
        if !pinned || !real_time {
            writeln!(
                out,
                "NOT pinned to a CPU each or without real-time priority: figures depend on what else ran"
            )?;
        }
        if !self.forwarding.is_empty() {
            self.print_forwarding(out, *window_seconds)?;
        }
        if !self.signalling.is_empty() {
            self.print_signalling(out)?;
        }
        self.print_handshakes(out)?;
        self.print_announcing(out)?;
        self.print_reaction(out)?;
        self.print_desks(out)?;
        self.print_analysis(out)?;
        self.failures
            .iter()
            .try_for_each(|failure| writeln!(out, "\nFAILED, and not in the figures: {failure}"))
    }

    /// Prints the forwarding table in two parts: calls that are also listened to have no counterpart in rtpengine.
    fn print_forwarding(&self, out: &mut impl Write, window: f64) -> io::Result<()> {
        writeln!(
            out,
            "\nForwarding: a call is 50 RTP packets of 172 bytes a second each way; windows of {window} s"
        )?;
        writeln!(
            out,
            "{:<22}{:>6}  {:<22}{:>12}{:>10}{:>10}  lost",
            "", "calls", "CPU µs per packet", "x rtpengine", "p50 µs", "p99 µs"
        )?;
        let hearing = |row: &&Forwarding| row.subject.hears();
        let somebody = |row: &&Forwarding| row.subject != media::Subject::Nobody;
        for row in self.forwarding.iter().filter(|row| !hearing(row)).filter(somebody) {
            writeln!(
                out,
                "{:<22}{:>6}  {:<22}{:>12}{:>10}{:>10}  {}",
                name(row.subject),
                row.calls,
                spread(&row.whole_us, 2),
                ratio(row.beside_rtpengine),
                delay(row, &row.delay_p50_us),
                delay(row, &row.delay_p99_us),
                lost(row)
            )?;
        }
        self.print_everything(out)?;
        if !self.forwarding.iter().any(|row| hearing(&row)) {
            return Ok(());
        }
        writeln!(out, "\nListening, live: the same calls, speech both ways, the customer's leg judged")?;
        writeln!(
            out,
            "{:<22}{:>6}  {:<22}{:>10}{:>10}  {:<24}{:>10}{:>10}{:>10}  lost",
            "",
            "calls",
            "relay µs per packet",
            "x deaf",
            "p99 µs",
            "listening ms per call s",
            "rest ms",
            "heard",
            "unheard"
        )?;
        for row in self.forwarding.iter().filter(hearing) {
            writeln!(
                out,
                "{:<22}{:>6}  {:<22}{:>10}{:>10}  {:<24}{:>10.2}{:>9.0}%{:>9.1}%  {}",
                name(row.subject),
                row.calls,
                spread(&row.relay_us, 2),
                ratio(row.beside_deaf),
                delay(row, &row.delay_p99_us),
                spread(&row.hearing_ms, 2),
                row.rest_ms.median,
                row.heard_share.median * 100.0,
                row.unheard.median * 100.0,
                lost(row)
            )?;
        }
        Ok(())
    }

    /// What the kernel forwards costs the relay's process next to nothing, so all else must be counted.
    fn print_everything(&self, out: &mut impl Write) -> io::Result<()> {
        let rows = || self.forwarding.iter().filter(|row| row.everything_us.is_some());
        if !rows().any(|row| row.subject.by_kernel()) {
            return Ok(());
        }
        writeln!(
            out,
            "\nThe same, everything counted: what sender, receiver and kernel take more than with nobody between, and \
             the program (without the listening)"
        )?;
        writeln!(
            out,
            "{:<22}{:>6}{:>19}{:>13}{:>16}{:>10}",
            "", "calls", "CPU µs per packet", "x rtpengine", "in the program", "p99 µs"
        )?;
        for row in rows().filter(|row| row.subject != media::Subject::Nobody) {
            writeln!(
                out,
                "{:<22}{:>6}{:>19.2}{:>13}{:>16.2}{:>10}",
                name(row.subject),
                row.calls,
                row.everything_us.unwrap_or_default(),
                ratio(row.everything_beside_rtpengine),
                row.whole_us.median - row.hearing_ms.median * 1e3 / PACKETS_PER_CALL_SECOND,
                delay(row, &row.delay_p99_us)
            )?;
        }
        Ok(())
    }

    fn print_signalling(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "\nSignalling: INVITE/100/180/200/ACK/BYE/200, record-routed; by UDP, and by TLS on two kept connections"
        )?;
        writeln!(
            out,
            "{:<15}{:<10}  {:<24}{:>12}{:>8}{:>10}{:>14}{:>8}{:>16}",
            "",
            "",
            "calls per CPU-second",
            "x Kamailio",
            "x UDP",
            "CPU used",
            "locked p99",
            "failed",
            "retransmissions"
        )?;
        for row in &self.signalling {
            let who = match row.subject {
                signalling::Subject::Kamailio => "kamailio",
                signalling::Subject::Sidetone => "sidetone",
                signalling::Subject::SidetoneTls => "sidetone, TLS",
            };
            writeln!(
                out,
                "{who:<15}{:<10}  {:<24}{:>12}{:>8}{:>9.0}%{:>14}{:>8}{:>16}",
                if row.sdp { "SDP" } else { "no SDP" },
                spread(&row.calls_per_cpu_second, 0),
                ratio(row.beside_kamailio),
                ratio(row.beside_udp),
                row.load.median * 100.0,
                row.locked_p99_us
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), |us| format!("< {:.0} us", us.median)),
                row.failed,
                row.retransmissions
            )?;
        }
        writeln!(
            out,
            "With SDP Sidetone also opens, rewrites and closes four media ports a call; Kamailio does not."
        )
    }

    fn print_handshakes(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(first) = self.runs.handshakes.first() else { return Ok(()) };
        writeln!(
            out,
            "\nHandshakes of DTLS-SRTP beside {} calls that are up, one CPU: delay of those calls' packets, in ms",
            first.calls
        )?;
        for run in &self.runs.handshakes {
            writeln!(
                out,
                "{:>4} a second: median {:.3}, 99 % {:.3}, longest {:.3}; {} of {} packets lost; {} of {} handshakes, {:.2} CPU ms each",
                run.rate,
                run.travelled.delay_p50_us / 1e3,
                run.travelled.delay_p99_us / 1e3,
                run.travelled.delay_most_us / 1e3,
                run.travelled.lost,
                run.travelled.sent,
                run.done,
                run.begun,
                run.each_ms
            )?;
        }
        Ok(())
    }

    fn print_announcing(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(first) = self.runs.announcing.first() else { return Ok(()) };
        writeln!(
            out,
            "\nAnnouncements, {} callers at once: how far from 20 ms the packets come apart, in ms",
            first.calls
        )?;
        for run in &self.runs.announcing {
            writeln!(
                out,
                "median {:.3}, 99 % {:.3}, 99.9 % {:.3}; {} packets, {} seams; {:.1} CPU us a packet",
                run.off_p50_us / 1e3,
                run.off_p99_us / 1e3,
                run.off_p999_us / 1e3,
                run.packets,
                run.seams,
                run.whole_us
            )?;
        }
        Ok(())
    }

    fn print_reaction(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(first) = self.runs.reaction.first() else { return Ok(()) };
        writeln!(
            out,
            "\nReaction, {} calls: from the arrival of the last packet of the evidence to the event at its reader, in ms",
            first.calls
        )?;
        for run in &self.runs.reaction {
            writeln!(
                out,
                "median {:.0}, 95 % {:.0}, 99 % {:.0}, longest {:.0}; {} events; {} packets lost",
                run.p50_ms, run.p95_ms, run.p99_ms, run.most_ms, run.events, run.lost
            )?;
        }
        Ok(())
    }

    fn print_desks(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(first) = self.runs.desks.first() else { return Ok(()) };
        writeln!(out, "\nDesks, {} calls that are listened to: CPU ms a second", first.calls)?;
        for run in &self.runs.desks {
            writeln!(
                out,
                "{:>4} desks open: {:.0} in all, {:.1} of it neither relays nor hears; {:.2} messages and {:.0} bytes a second \
                 to each; {} packets lost",
                run.desks, run.whole_ms, run.rest_ms, run.messages, run.bytes, run.lost
            )?;
        }
        Ok(())
    }

    fn print_analysis(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(analysis) = &self.analysis else { return Ok(()) };
        writeln!(
            out,
            "\nListening, recorded: `sidetone analyze` of {:.0} s of a caller's speech",
            analysis.audio_seconds
        )?;
        writeln!(
            out,
            "{} CPU ms per second of audio, after {:.0} ms for the start",
            spread(&analysis.ms_per_second, 2),
            analysis.start_ms.median
        )
    }
}

fn name(subject: media::Subject) -> &'static str {
    match subject {
        media::Subject::Nobody => "nobody",
        media::Subject::SidetoneKernel => "sidetone, kernel",
        media::Subject::SidetoneKernelHearing => "kernel, listening",
        media::Subject::Rtpengine => "rtpengine, user space",
        media::Subject::Sidetone => "sidetone, deaf",
        media::Subject::SidetoneHearing => "sidetone, listening",
        media::Subject::RtpengineSecured => "rtpengine, SRTP to RTP",
        media::Subject::SidetoneSecured => "sidetone, SRTP to RTP",
    }
}

fn spread(figure: &Median, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$} to {:.digits$})", figure.median, figure.least, figure.most)
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// A generator that is later than this, in µs, sends in bursts, and what it measures then is itself.
const LATE: f64 = 2_000.0;

/// Share of a CPU beyond which real-time programs are held back (see `docs/BENCH.md`).
const FULL: f64 = 0.9;

fn delay(row: &Forwarding, delay: &Median) -> String {
    if row.late_p99_us.median > LATE { "-".to_owned() } else { format!("{:.0}", delay.median) }
}

fn lost(row: &Forwarding) -> String {
    let mut lost =
        if row.lost == 0 { "0".to_owned() } else { format!("{} of {}: not a clean run", row.lost, row.sent) };
    if row.altered > 0 {
        lost.push_str(&format!(", {} ALTERED", row.altered));
    }
    // A call is 100 packets a second.
    if row.whole_us.median * row.calls as f64 * 100.0 > FULL * 1e6 {
        lost.push_str(" (its CPU was full: overload, not work)");
    }
    if row.late_p99_us.median > LATE {
        lost.push_str(&format!(
            " (sent up to {:.0} ms late: in bursts, no delays)",
            row.late_p99_us.median / 1e3
        ));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(subject: media::Subject, calls: usize, us: f64) -> media::Run {
        media::Run {
            subject,
            calls,
            relay_us: us / 2.0,
            whole_us: us,
            around_us: 3.0,
            hearing_ms: 0.0,
            rest_ms: 0.0,
            unheard: 0.0,
            heard_share: 0.0,
            travelled: Default::default(),
        }
    }

    #[test]
    fn what_the_kernel_does_for_a_subject_is_counted() {
        use media::Subject::{Nobody, Rtpengine, SidetoneKernel, SidetoneKernelHearing};
        let around = |subject, whole_us, around_us, hearing_ms| media::Run {
            around_us,
            hearing_ms,
            ..run(subject, 100, whole_us)
        };
        let rows = forwarding(&[
            around(Nobody, 0.0, 3.0, 0.0),
            around(Rtpengine, 10.0, 3.5, 0.0),
            around(SidetoneKernel, 0.6, 4.5, 0.0),
            // A fifth of the program's time listens: 0.4 ms of a call's second, in which it has 100 packets.
            around(SidetoneKernelHearing, 20.0, 5.0, 0.4),
        ]);
        let figures: Vec<(f64, f64)> = rows
            .iter()
            .map(|row| (row.everything_us.unwrap(), row.everything_beside_rtpengine.unwrap()))
            .collect();
        let expected = [(0.0, 0.0), (10.5, 1.0), (2.1, 0.2), (18.0, 18.0 / 10.5)];
        let mut near = figures.iter().zip(expected);
        assert!(
            near.all(|(is, should)| (is.0 - should.0).abs() < 1e-9 && (is.1 - should.1).abs() < 1e-9),
            "{figures:?}"
        );
    }

    #[test]
    fn a_row_stands_beside_the_one_with_as_many_calls() {
        use media::Subject::{Rtpengine, Sidetone, SidetoneHearing};
        let runs = [
            run(Rtpengine, 100, 8.0),
            run(Sidetone, 100, 4.0),
            run(Sidetone, 300, 2.0),
            run(SidetoneHearing, 100, 6.0),
            run(Rtpengine, 100, 10.0),
            run(Rtpengine, 100, 9.0),
        ];
        let rows = forwarding(&runs);
        let of =
            |subject, calls| rows.iter().find(|row| row.subject == subject && row.calls == calls).unwrap();
        assert_eq!(of(Rtpengine, 100).whole_us.median, 9.0);
        assert_eq!(of(Sidetone, 100).beside_rtpengine, Some(4.0 / 9.0));
        assert_eq!(of(Sidetone, 300).beside_rtpengine, None);
        assert_eq!(of(SidetoneHearing, 100).beside_deaf, Some(1.5));
    }

    #[test]
    fn loss_is_not_passed_over_in_silence() {
        let mut lossy = run(media::Subject::Sidetone, 100, 4.0);
        lossy.travelled.sent = 1_000;
        lossy.travelled.lost = 3;
        let rows = forwarding(&[lossy]);
        assert_eq!(lost(&rows[0]), "3 of 1000: not a clean run");
    }

    #[test]
    fn a_proxy_stands_beside_kamailio_with_the_same_kind_of_call() {
        use signalling::Subject::{Kamailio, Sidetone, SidetoneTls};
        let run = |subject, sdp, rate| signalling::Run {
            locked_p99_us: None,
            subject,
            sdp,
            calls: 1,
            failed: 1,
            retransmissions: 0,
            calls_per_cpu_second: rate,
            load: 0.1,
        };
        let rows =
            signalling(&[run(Kamailio, false, 4.0), run(Sidetone, false, 1.0), run(Sidetone, true, 1.0)]);
        let of = |subject, sdp| rows.iter().find(|row| row.subject == subject && row.sdp == sdp).unwrap();
        assert_eq!(of(Sidetone, false).beside_kamailio, Some(0.25));
        assert_eq!(of(Sidetone, true).beside_kamailio, None);
        assert_eq!(of(Kamailio, false).failed, 1);
        let rows = signalling(&[
            run(Sidetone, false, 4.0),
            run(SidetoneTls, false, 3.0),
            run(SidetoneTls, true, 1.0),
        ]);
        let beside: Vec<_> = rows.iter().map(|row| row.beside_udp).collect();
        assert_eq!(beside, [None, Some(0.75), None]);
    }
}
