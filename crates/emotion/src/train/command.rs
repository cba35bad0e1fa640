//! The command that does a training again.

use serde_json::{Map, Value};

use super::TrainOptions;

/// The `sidetone model train` of these options, with what differs from the defaults. Where things lay is left to
/// whoever repeats it.
pub(super) fn line(options: &TrainOptions) -> String {
    let default = TrainOptions::new(Default::default(), Default::default(), Default::default());
    let mut line = "sidetone model train --manifest CSV --root DIR --out DIR".to_owned();
    let mut say = |flag: &str, value: String| {
        line.push_str(&format!(" --{flag} {value}"));
    };
    say("name", options.name.clone());
    say("licence", options.licence.name().to_owned());
    for (flag, list) in
        [("corpora", &options.corpora), ("test", &options.test), ("validation", &options.validation)]
    {
        if !list.is_empty() {
            say(flag, list.join(","));
        }
    }
    if options.start.is_some() {
        say("from", "MODEL".into());
    }
    if options.caller {
        line.push_str(" --manner");
    }
    if options.frozen {
        line.push_str(" --frozen");
    }
    let mut say = |flag: &str, value: String| {
        line.push_str(&format!(" --{flag} {value}"));
    };
    // Never left to a default: these are what a reader looks for.
    say("seed", options.seed.to_string());
    say("epochs", options.epochs.to_string());
    say("patience", options.patience.to_string());
    say("variants", options.variants.to_string());
    let (now, before) = (serde_json::json!(options), serde_json::json!(default));
    for key in [
        "batch",
        "rate",
        "dropout",
        "averaging",
        "weight_decay",
        "most_clips",
        "least_clips",
        "pool",
        "shares_weight",
        "teacher_weight",
        "summary_weight",
    ] {
        if now.get(key) != before.get(key) {
            say(&key.replace('_', "-"), now.get(key).map(Value::to_string).unwrap_or_default());
        }
    }
    if !options.most_of.is_empty() {
        let most: Vec<String> =
            options.most_of.iter().map(|(corpus, clips)| format!("{corpus}={clips}")).collect();
        say("most-of", most.join(","));
    }
    if options.teacher.is_some() {
        say("teacher", "FILE".into());
        // What was said before may be another's word: see models/teacher/shares.py.
        if options.teacher_cache.is_some() {
            say("teacher-cache", "FILE".into());
        }
    }
    for (flag, key) in [("augment", "augmentation"), ("network", "network")] {
        let changed = changes(now.get(key), before.get(key));
        if !changed.is_empty() && (key != "network" || options.start.is_none()) {
            say(flag, format!("'{}'", Value::Object(changed)));
        }
    }
    line
}

fn changes(now: Option<&Value>, before: Option<&Value>) -> Map<String, Value> {
    let now = now.and_then(Value::as_object).cloned().unwrap_or_default();
    now.into_iter().filter(|(key, value)| before.and_then(|all| all.get(key)) != Some(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_the_defaults_is_said() {
        let mut options = TrainOptions::new("a".into(), "b".into(), "c".into());
        assert!(!line(&options).contains("--augment"));
        options.augmentation.speed = 0.5;
        options.most_clips = 7;
        options.most_of.insert("c".into(), 9);
        options.test = vec!["x".into(), "y".into()];
        let line = line(&options);
        for part in
            ["--augment '{\"speed\":0.5}'", "--most-clips 7", "--most-of c=9", "--test x,y", "--seed 1"]
        {
            assert!(line.contains(part), "{line}");
        }
    }
}
