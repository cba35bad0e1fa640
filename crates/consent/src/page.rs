//! The policy page: information for callers about the analysis, made from the running configuration.
//!
//! One self-contained HTML page for each language: no script, nothing fetched from elsewhere, fit for screen readers,
//! telephones and paper. Its content follows [`PageFacts`]: a sink is named if and only if it is configured.

mod de;
mod en;
mod es;
mod fr;
mod it;
mod pt;
mod texts;

use serde::{Deserialize, Serialize};

use crate::Policy;
use crate::html::{Html, Other};
use crate::moment::Moment;
use texts::Texts;

/// `[consent.operator]`: the operator's identity, as callers know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operator {
    /// Name, as in "Example Insurance Ltd".
    pub name: Option<String>,
    /// Postal address, on one line.
    pub address: Option<String>,
    /// E-mail address for objections and questions.
    pub email: Option<String>,
    /// Telephone number for objections and questions.
    pub phone: Option<String>,
    /// The general privacy notice, `https://…`.
    pub privacy_url: Option<String>,
    /// The authority that hears complaints.
    pub authority: Option<String>,
}

/// The facts that the page states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFacts {
    /// The operator.
    pub operator: Operator,
    /// Whether what callers say is recognised, beside how they say it.
    pub words: Words,
    /// Whether agents' words are recognised too.
    pub agents_words: bool,
    /// Every policy that some call may be under.
    pub policies: Vec<Policy>,
    /// The key that refuses.
    pub opt_out_digit: char,
    /// The key that agrees.
    pub opt_in_digit: char,
    /// Empathy tiers that are never analysed.
    pub never_tiers: Vec<String>,
    /// Whether there is a list of numbers that are never analysed.
    pub has_list: bool,
    /// Whether callers who withhold their number are never analysed.
    pub exclude_withheld: bool,
    /// Whether receipts are kept.
    pub has_receipts: bool,
    /// For how many days; `None` means until they are deleted by hand.
    pub receipts_days: Option<u32>,
    /// The recipients of the results.
    pub sinks: Vec<Sink>,
    /// The running build, as `sidetone 0.1.0`.
    pub build: String,
    /// Name of the model and its SHA-256 in hexadecimal; `None` where nothing is analysed.
    pub model: Option<(String, String)>,
    /// When the page was made.
    pub made: Moment,
}

/// Whether callers' words are recognised, and what becomes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Words {
    /// They are not.
    #[default]
    Unheard,
    /// They are forgotten with the call.
    Forgotten,
    /// They are kept.
    Kept,
}

/// A recipient of the results.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    /// The telephone system: AMI, ARI, ESL or SIP.
    PhoneSystem,
    /// Pages that staff look at while they talk.
    Screens,
    /// Another program, by webhook, at this host.
    Webhook(String),
    /// A file kept on the operator's machine, for this many days at most; `None` means until it is deleted by hand.
    File(Option<u32>),
    /// Counts without persons, for supervision of the technology.
    Metrics,
}

/// A language that the page is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
}

impl Language {
    /// All languages, in the order in which the page offers them.
    pub const ALL: [Self; 6] =
        [Self::English, Self::German, Self::French, Self::Spanish, Self::Italian, Self::Portuguese];

    /// The language's RFC 5646 tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Spanish => "es",
            Self::Italian => "it",
            Self::Portuguese => "pt",
        }
    }

    /// The language's own name for itself.
    fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Spanish => "Español",
            Self::Italian => "Italiano",
            Self::Portuguese => "Português",
        }
    }

    /// The language of a tag, whatever region it names: `de-AT` is German.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split('-').next()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|language| language.tag() == primary)
    }

    /// The language asked for by `?lang=`, else the favourite of the `Accept-Language` header (RFC 9110 §12.5.4), else
    /// `fallback`.
    #[must_use]
    pub fn choose(asked: Option<&str>, accepted: Option<&str>, fallback: Self) -> Self {
        let accepted = || {
            let mut liked: Vec<(i32, Self)> = Vec::new();
            for range in accepted?.split(',').take(32) {
                let mut parts = range.split(';');
                let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
                let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok());
                let weight = (weight.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0) as i32;
                if weight > 0 {
                    liked.push((-weight, language));
                }
            }
            // Among equals the first one wins: the sort is stable.
            liked.sort_by_key(|(weight, _)| *weight);
            liked.first().map(|(_, language)| *language)
        };
        asked.and_then(Self::of_tag).or_else(accepted).unwrap_or(fallback)
    }

    fn texts(self) -> &'static Texts {
        match self {
            Self::English => &en::TEXTS,
            Self::German => &de::TEXTS,
            Self::French => &fr::TEXTS,
            Self::Spanish => &es::TEXTS,
            Self::Italian => &it::TEXTS,
            Self::Portuguese => &pt::TEXTS,
        }
    }
}

/// The page, as HTML.
#[must_use]
pub fn render(facts: &PageFacts, language: Language) -> String {
    // Long: the page from top to bottom.
    let texts = language.texts();
    let name = facts.operator.name.as_deref();
    let operator = name.unwrap_or(texts.us);
    let title = name.map_or_else(|| texts.heading.to_owned(), |name| format!("{} – {name}", texts.heading));
    let mut page = Html::new(language.tag(), &title);
    page.languages(
        texts.languages,
        Language::ALL.map(|it| Other { tag: it.tag(), name: it.name(), here: it == language }),
    );
    page.begin_main();
    page.h1(texts.heading);
    page.lead(&fill(texts.lead, facts, operator));

    page.h2(texts.what);
    let analyses = facts.policies.iter().any(|policy| *policy != Policy::Never);
    if analyses {
        page.paragraphs(&texts.what_happens.map(|text| fill(text, facts, operator)));
        if facts.words != Words::Unheard {
            page.paragraph(texts.words);
        }
        let heard = facts.words != Words::Unheard;
        let [recording, identity, meaning, decisions, staff] = texts.what_not;
        let meaning = (!heard).then_some(meaning);
        let staff = if heard && facts.agents_words { texts.staff_words } else { staff };
        let what_not = [Some(recording), Some(identity), meaning, Some(decisions), Some(staff)];
        let what_not = what_not.into_iter().flatten();
        page.list(&what_not.map(|text| fill(text, facts, operator)).collect::<Vec<_>>());
    } else {
        page.paragraph(texts.nothing_happens);
    }

    if analyses {
        page.h2(texts.told);
        let told: Vec<String> = [
            (Policy::GivenUpstream, texts.told_upstream),
            (Policy::Notice, texts.told_notice),
            (Policy::OptIn, texts.told_opt_in),
            (Policy::AnnounceElsewhere, texts.told_elsewhere),
        ]
        .into_iter()
        .filter(|(policy, _)| facts.policies.contains(policy))
        .map(|(_, text)| fill(text, facts, operator))
        .collect();
        page.list(&told);

        page.h2(texts.object);
        page.callout(&fill(texts.object_key, facts, operator));
        let mut ways = vec![texts.object_say.to_owned()];
        if facts.has_list {
            ways.push(texts.object_list.to_owned());
        }
        page.list(&ways);
        page.paragraph(texts.object_free);

        let mut never = Vec::new();
        if !facts.never_tiers.is_empty() {
            let tiers: Vec<String> = facts
                .never_tiers
                .iter()
                .map(|tier| (texts.tier)(&tier.to_lowercase()).unwrap_or(tier).to_owned())
                .collect();
            never.push(texts.never_tiers.replace("{tiers}", &tiers.join(", ")));
        }
        if facts.has_list {
            never.push(texts.never_list.to_owned());
        }
        if facts.exclude_withheld {
            never.push(texts.never_withheld.to_owned());
        }
        if facts.policies.contains(&Policy::Never) {
            never.push(texts.never_lines.to_owned());
        }
        if !never.is_empty() {
            page.h2(texts.never);
            page.list(&never);
        }

        page.h2(texts.kept);
        let mut kept = vec![
            [texts.kept_voice, texts.kept_voice_long].map(str::to_owned),
            [texts.kept_estimates, texts.kept_estimates_long].map(str::to_owned),
        ];
        if facts.words != Words::Unheard {
            let long = if facts.words == Words::Kept { texts.kept_words_on } else { texts.kept_words_long };
            kept.push([texts.kept_words, long].map(str::to_owned));
        }
        if facts.has_receipts {
            let long = match facts.receipts_days {
                Some(days) => texts.kept_receipts_days.replace("{days}", &days.to_string()),
                None => texts.kept_receipts_open.to_owned(),
            };
            kept.push([texts.kept_receipts.to_owned(), long]);
        }
        page.table(texts.kept_head, &kept);

        page.h2(texts.who);
        let mut sinks = facts.sinks.clone();
        sinks.sort();
        sinks.dedup();
        let sinks: Vec<String> = sinks
            .iter()
            .map(|sink| match sink {
                Sink::PhoneSystem => texts.sink_phone.to_owned(),
                Sink::Screens => texts.sink_screens.to_owned(),
                Sink::Webhook(host) => texts.sink_webhook.replace("{host}", host),
                Sink::File(None) => texts.sink_file.to_owned(),
                Sink::File(Some(days)) => texts.sink_file_days.replace("{days}", &days.to_string()),
                Sink::Metrics => texts.sink_metrics.to_owned(),
            })
            .collect();
        if sinks.is_empty() {
            page.paragraph(texts.sink_nobody);
        } else {
            page.list(&sinks);
        }
    }

    page.h2(texts.rights);
    page.paragraphs(&texts.rights_are.map(|text| fill(text, facts, operator)));
    contact(&mut page, facts, texts);
    page.end_main();
    let model = facts.model.as_ref().map(|(name, digest)| {
        texts.made_model.replace("{model}", name).replace("{digest}", digest.get(..16).unwrap_or(digest))
    });
    let made = texts.made.replace("{date}", &facts.made.day()).replace("{build}", &facts.build);
    page.footer(&[Some(made), model].into_iter().flatten().collect::<Vec<_>>().join(" "));
    page.finish()
}

fn contact(page: &mut Html, facts: &PageFacts, texts: &Texts) {
    let Operator { name, address, email, phone, privacy_url, authority } = &facts.operator;
    let mut lines = Vec::new();
    for text in [name, address].into_iter().flatten() {
        lines.push((String::new(), text.clone(), None));
    }
    if let Some(email) = email {
        lines.push((texts.email.to_owned(), email.clone(), Some(format!("mailto:{email}"))));
    }
    if let Some(phone) = phone {
        let dialled: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        lines.push((texts.phone.to_owned(), phone.clone(), Some(format!("tel:{dialled}"))));
    }
    if let Some(url) = privacy_url {
        // Only a web address becomes a link.
        let link = (url.starts_with("https://") || url.starts_with("http://")).then(|| url.clone());
        lines.push((texts.privacy.to_owned(), url.clone(), link));
    }
    if let Some(authority) = authority {
        lines.push((texts.authority.to_owned(), authority.clone(), None));
    }
    page.h2(texts.contact);
    if lines.is_empty() {
        page.paragraph(texts.contact_missing);
    } else {
        page.address(&lines);
    }
}

fn fill(text: &str, facts: &PageFacts, operator: &str) -> String {
    // A key stays on the line of the word before it.
    text.replace(" {out}", &format!("\u{a0}{}", facts.opt_out_digit))
        .replace(" {in}", &format!("\u{a0}{}", facts.opt_in_digit))
        .replace("{out}", &facts.opt_out_digit.to_string())
        .replace("{in}", &facts.opt_in_digit.to_string())
        .replace("{operator}", operator)
}
