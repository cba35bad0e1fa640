//! What an operator may set.
#![allow(clippy::unwrap_used)]

use sidetone_insight::{Period, Thresholds};

#[test]
fn the_defaults_are_valid_and_write_and_read_as_toml() {
    let defaults = Thresholds::default();
    assert_eq!(defaults.validate(), Ok(()));
    let text = toml::to_string(&defaults).unwrap();
    assert_eq!(toml::from_str::<Thresholds>(&text).unwrap(), defaults);
    assert_eq!(toml::from_str::<Thresholds>("").unwrap(), defaults);
}

#[test]
fn one_key_may_be_set_alone() {
    let set: Thresholds = toml::from_str("[alerts]\ncooldown = \"2m\"\n").unwrap();
    assert_eq!(set.alerts.cooldown, Period::from_secs(120));
    assert_eq!(set.alerts.raise, Thresholds::default().alerts.raise);
}

#[test]
fn unknown_keys_are_refused() {
    for text in
        ["[alerts]\ncooldwn = \"2m\"\n", "agent = 1\n", "[smoothing]\nmemory_s = 2\n", "[conduct]\nx = 1\n"]
    {
        let refused = toml::from_str::<Thresholds>(text).unwrap_err().to_string();
        assert!(refused.contains("unknown field"), "{refused}");
    }
}

#[test]
fn what_cannot_be_meant_is_named() {
    let wrong = |text: &str| toml::from_str::<Thresholds>(text).unwrap().validate().unwrap_err().to_string();
    assert_eq!(wrong("[alerts]\ncalm = 0.8\n"), "alerts.calm must be at least 0 and below alerts.raise");
    assert_eq!(wrong("[alerts]\nraise = nan\n"), "alerts.raise must be above 0 and at most 1");
    assert_eq!(wrong("[conduct]\nevery = \"0s\"\n"), "conduct.every must be 1s to 10m");
    assert_eq!(wrong("timeline_points = 5\n"), "timeline_points must be 60 to 3600");
}
