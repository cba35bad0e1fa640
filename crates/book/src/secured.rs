//! How the legs of a call are protected, where that ends here: told once keys are in use, and at each change.

use std::collections::BTreeMap;

use sidetone_call::{EndPlan, Protection, Side, StreamPlan};
use sidetone_events::{CallSecured, MediaSecurity};
use sidetone_relay::StreamReport;

/// What was told last, of each m-line and side.
#[derive(Debug, Default)]
pub(crate) struct Secured {
    told: BTreeMap<(usize, bool), CallSecured>,
}

impl Secured {
    /// What is new in a report of a stream of that plan.
    pub(crate) fn news(&mut self, plan: &StreamPlan, report: &StreamReport) -> Vec<CallSecured> {
        let mut news = Vec::new();
        for side in [Side::Trunk, Side::Pbx] {
            let Some(now) = of(plan.end(side), side, report) else { continue };
            let place = (report.stream, side == Side::Trunk);
            let before = self.told.get(&place);
            // A leg that was never protected is nothing to tell of.
            if before == Some(&now) || (before.is_none() && now.security == MediaSecurity::None) {
                continue;
            }
            self.told.insert(place, now.clone());
            news.push(now);
        }
        news
    }
}

/// The protection of one end; `None` while its keys are not there yet.
fn of(end: &EndPlan, side: Side, report: &StreamReport) -> Option<CallSecured> {
    let suite = report.end(side).suite;
    let (security, fingerprint) = match &end.protection {
        Protection::None => (MediaSecurity::None, None),
        Protection::Awaited => return None,
        Protection::Sdes(_) => (MediaSecurity::Sdes, None),
        Protection::Dtls(dtls) => (MediaSecurity::Dtls, dtls.fingerprints.first().cloned()),
    };
    let suite = if security == MediaSecurity::None { None } else { Some(suite?) };
    let stream = u32::try_from(report.stream).unwrap_or(u32::MAX);
    Some(CallSecured { stream, leg: side.leg(), security, suite, fingerprint })
}

#[cfg(test)]
mod tests {
    use sidetone_call::{Keying, MediaKind, SrtpKeys, Suite};

    use super::*;

    const SUITE: Suite = Suite::AesCm128Sha1_80;

    fn plan(trunk: Protection) -> StreamPlan {
        let trunk = EndPlan { protection: trunk, ..EndPlan::default() };
        StreamPlan {
            kind: MediaKind::Audio,
            trunk,
            pbx: EndPlan::default(),
            tappable: Ok(()),
            answered: true,
        }
    }

    fn keys() -> Protection {
        let keying = |seed| Keying::new(SUITE, &[seed; 30]).unwrap();
        Protection::Sdes(SrtpKeys { theirs: keying(1), coming: None, ours: keying(2) })
    }

    fn report(suite: Option<Suite>) -> StreamReport {
        let mut report = StreamReport::default();
        report.trunk.suite = suite;
        report
    }

    #[test]
    fn told_once_and_again_when_it_changes() {
        let mut secured = Secured::default();
        assert!(secured.news(&plan(Protection::None), &report(None)).is_empty(), "never protected");
        assert!(secured.news(&plan(Protection::Awaited), &report(None)).is_empty());
        assert!(secured.news(&plan(keys()), &report(None)).is_empty(), "the relay has no keys yet");
        let told = secured.news(&plan(keys()), &report(Some(SUITE)));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].security, told[0].suite), (MediaSecurity::Sdes, Some(SUITE)));
        assert!(secured.news(&plan(keys()), &report(Some(SUITE))).is_empty());
        let told = secured.news(&plan(Protection::None), &report(None));
        assert_eq!((told[0].security, told[0].suite), (MediaSecurity::None, None));
    }
}
