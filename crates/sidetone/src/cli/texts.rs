//! `sidetone texts`: what the pages say, as a file to translate.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use sidetone_pages::{Language, template};

use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(super) struct Texts {
    /// The language to translate from: en or de.
    #[arg(long, default_value = "en", value_name = "LANGUAGE")]
    from: String,
}

impl Texts {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let language = Language::parse(&self.from).with_context(|| {
            let known = Language::ALL.map(Language::code).join(", ");
            format!("no texts in `{}` come along; known are {known}", self.from)
        })?;
        let texts = template(language);
        if output.json {
            say_json(
                &json!({ "language": language.code(), "texts": toml::from_str::<serde_json::Value>(&texts)? }),
            )?;
        } else {
            say(texts.trim_end());
        }
        Ok(ExitCode::SUCCESS)
    }
}
