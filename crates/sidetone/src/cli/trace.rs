//! `sidetone trace`: a call's signalling as a ladder in the terminal, with the events in between; and as a capture.
//!
//! The running process redacts all of it: numbers are hashed, keys and bodies left out.

mod capture;
mod ladder;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use sidetone_serve::control::Request;

use super::control::Running;
use super::view::{Paint, width};
use crate::cli::output::{Output, say, say_json};
use capture::Place;
use ladder::Ladder;

/// Follow the signalling of a call, or of the next ones, until they are over. Numbers are hashed, keys left out.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").args(["call", "next"]).required(true))]
pub(super) struct Trace {
    /// A call that is up: Sidetone's id, the end of it, or the SIP Call-ID. What came before is not shown.
    call: Option<String>,
    /// The next so many calls that begin, those that are refused included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    next: Option<u16>,
    /// Write the signalling into this capture too (classic pcap, as UDP), for Wireshark or sngrep; redacted as well.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Print each message whole below its arrow.
    #[arg(long)]
    messages: bool,
    #[command(flatten)]
    running: Running,
}

impl Trace {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        // Opened before any request, so that an unwritable file costs no call. It stays unchanged until there is a
        // call, since it may hold an earlier capture.
        let mut place = self.pcap.as_deref().map(Place::find).transpose()?;
        let followed = self.follow(output, &mut place);
        if let Some(place) = place {
            place.give_up();
        }
        followed.map(|()| ExitCode::SUCCESS)
    }

    fn follow(self, output: Output, place: &mut Option<Place>) -> anyhow::Result<()> {
        let mut capture = None;
        let many = self.next.is_some_and(|next| next > 1);
        let mut ladder = Ladder::new(width(), Paint::detect(), many, self.messages);
        let request = Request::Trace { call: self.call.clone(), next: self.next.map(usize::from) };
        for line in self.running.ask(&request)? {
            let line = line?;
            if let Some(error) = line.get("error").and_then(Value::as_str) {
                bail!("{error}");
            }
            if let Some(place) = place.take() {
                capture = Some(place.begin()?);
            }
            if let Some(capture) = &mut capture {
                capture.take(&line).context("the capture can't be written")?;
            }
            if output.json {
                say_json(&line)?;
            } else {
                ladder.take(&line).into_iter().for_each(say);
            }
        }
        Ok(())
    }
}
