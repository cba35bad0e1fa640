//! The report as Markdown that reads well without being rendered.

use std::fmt;

use super::{Report, words};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Compliance report\n")?;
        writeln!(f, "Made {} by {}.", self.made, self.build)?;
        if let Some(digest) = &self.program_sha256 {
            writeln!(f, "Program: SHA-256 {digest}")?;
        }
        match &self.model {
            Some(model) => {
                writeln!(f, "Model: {}, {} parameters, {}", model.name, model.parameters, model.licence)?;
                writeln!(f, "Weights: SHA-256 {}", model.sha256)?;
                if !model.card_sha256.is_empty() {
                    writeln!(f, "Card: SHA-256 {}", model.card_sha256)?;
                }
            }
            None => writeln!(f, "Model: none")?,
        }
        writeln!(f, "\n{}", words::DISCLAIMER)?;

        writeln!(f, "\n## What is inferred")?;
        for path in &self.paths {
            let (about, active) = (words::subject(path.about), words::in_use(path.active));
            let emotion = words::yes(path.recognises_emotion);
            writeln!(f, "\n### {} ({about}, {active})\n", path.name)?;
            writeln!(f, "- from: {}", path.input)?;
            writeln!(f, "- to: {}", path.output)?;
            writeln!(f, "- emotion recognition: {emotion}")?;
            writeln!(f, "- only if: {}", path.gate)?;
            writeln!(f, "- seen to by: {}", path.enforced_by)?;
            writeln!(f, "- law: {}", path.law)?;
        }

        writeln!(f, "\n## What this build has no code for\n")?;
        self.absent.iter().try_for_each(|absent| writeln!(f, "- {absent}"))?;

        writeln!(f, "\n## How callers are told\n")?;
        for trunk in &self.trunks {
            writeln!(f, "- trunk {}: {}", trunk.trunk, words::policy(trunk.policy))?;
        }
        for name in &self.outbound {
            writeln!(f, "- calls out by {name}: {}", words::OUTBOUND)?;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let (conditions, policy) = (words::conditions(rule), words::ruled(rule));
            writeln!(f, "- rule {index}, {conditions}: {policy}")?;
        }
        if !self.never_tiers.is_empty() {
            writeln!(f, "- tiers never analysed: {}", self.never_tiers.join(", "))?;
        }
        writeln!(f, "- key that refuses: {}", self.opt_out_digit)?;

        writeln!(f, "\n## What is kept\n")?;
        for retention in &self.retention {
            writeln!(f, "- {} in {}: {}", retention.what, retention.at, retention.kept)?;
        }

        if !self.remarks.is_empty() {
            writeln!(f, "\n## To be looked at\n")?;
            self.remarks.iter().try_for_each(|remark| writeln!(f, "- {remark}"))?;
        }
        Ok(())
    }
}
