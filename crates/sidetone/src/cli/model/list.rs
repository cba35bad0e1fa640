//! `sidetone model list`: which networks can be fetched, and which are installed.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use sidetone_language::models::Card;

use super::fetch::Place;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let folder = self.place.folder();
        for model in self.place.manifest()?.models {
            let card = Card::of(&folder.join(&model.name));
            if output.json {
                say_json(&json!({
                    "name": model.name,
                    "about": model.about,
                    "language": model.language,
                    "licence": model.licence,
                    "publisher": model.publisher,
                    "installed": card,
                }))?;
                continue;
            }
            say(format_args!("{}  ({}, {})", model.name, model.language, model.licence));
            say(format_args!("  {}", model.about));
            match card {
                Some(card) if card.verified => say(format_args!("  installed in {}", folder.display())),
                Some(_) => say(format_args!("  installed in {}, unverified", folder.display())),
                None => say(format_args!("  not installed: sidetone model fetch {}", model.name)),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
