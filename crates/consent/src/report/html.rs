//! The report as a page, to be read, printed and filed, in the style of the policy page.

use super::{Report, words};
use crate::html::Html;

impl Report {
    /// The report as one self-contained HTML page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = Html::new("en", &format!("Compliance report – {}", self.made.day()));
        page.begin_main();
        page.h1("Compliance report");
        page.lead(&format!("Made on {} by {}. {}", self.made.day(), self.build, words::DISCLAIMER));
        if !self.remarks.is_empty() {
            page.callout_list(
                "To be looked at",
                &self.remarks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            );
        }
        self.running(&mut page);
        self.inferred(&mut page);
        page.h2("What this build has no code for");
        page.list(&self.absent.iter().map(|absent| (*absent).to_owned()).collect::<Vec<_>>());
        self.told(&mut page);
        page.h2("What is kept");
        let kept: Vec<[String; 3]> =
            self.retention.iter().map(|it| [it.what.clone(), it.at.clone(), it.kept.clone()]).collect();
        page.table(["What", "Where", "How long"], &kept);
        page.end_main();
        page.footer(&format!(
            "Made by {} from its configuration, {}. Version {} of this report.",
            self.build, self.made, self.version
        ));
        page.finish()
    }

    fn running(&self, page: &mut Html) {
        page.h2("What runs");
        let mut rows = vec![("Program", self.build.clone())];
        rows.extend(self.program_sha256.iter().map(|digest| ("Program, SHA-256", digest.clone())));
        match &self.model {
            Some(model) => {
                let about = format!("{}, {} parameters, {}", model.name, model.parameters, model.licence);
                rows.push(("Model", about));
                rows.push(("Weights, SHA-256", model.sha256.clone()));
                if !model.card_sha256.is_empty() {
                    rows.push(("Card, SHA-256", model.card_sha256.clone()));
                }
            }
            None => rows.push(("Model", "none".to_owned())),
        }
        page.facts(&rows);
    }

    fn inferred(&self, page: &mut Html) {
        page.h2("What is inferred");
        let overview: Vec<[String; 4]> = self
            .paths
            .iter()
            .map(|path| {
                [
                    path.name,
                    words::subject(path.about),
                    words::in_use(path.active),
                    words::yes(path.recognises_emotion),
                ]
                .map(str::to_owned)
            })
            .collect();
        page.table(["Path", "About", "Configured", "Emotion recognition"], &overview);
        for path in &self.paths {
            page.h3(path.name);
            page.facts(&[
                ("From", path.input.to_owned()),
                ("To", path.output.to_owned()),
                ("Only if", path.gate.clone()),
                ("Seen to by", path.enforced_by.to_owned()),
                ("Law", path.law.to_owned()),
            ]);
        }
    }

    fn told(&self, page: &mut Html) {
        page.h2("How callers are told");
        let mut rows: Vec<[String; 2]> = self
            .trunks
            .iter()
            .map(|trunk| [format!("Trunk {}", trunk.trunk), words::policy(trunk.policy).to_owned()])
            .collect();
        rows.extend(
            self.outbound.iter().map(|name| [format!("Calls out by {name}"), words::OUTBOUND.to_owned()]),
        );
        for (index, rule) in self.rules.iter().enumerate() {
            let calls = format!("Rule {index}: {}", words::conditions(rule));
            rows.push([calls, words::ruled(rule).to_owned()]);
        }
        if !self.never_tiers.is_empty() {
            rows.push([format!("Tiers {}", self.never_tiers.join(", ")), "never analysed".to_owned()]);
        }
        rows.push(["Key that refuses".to_owned(), self.opt_out_digit.to_string()]);
        page.table(["Calls", "How"], &rows);
    }
}
