//! Whose customer may need somebody now.

use std::cmp::Ordering;

use super::LiveCall;

/// How urgent a call seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// An alert is up.
    Now,
    /// The customer's mood is falling.
    Falling,
    /// The others.
    Rest,
}

impl Need {
    fn of(live: &LiveCall<'_>) -> Self {
        if live.call.alert.is_some() {
            Self::Now
        } else if live.call.trend.as_deref() == Some("worsening") {
            Self::Falling
        } else {
            Self::Rest
        }
    }
}

/// The calls with the most urgent first: by need, then the greatest distress, then the oldest. Calls without an
/// estimate come last in their group. The id settles ties, so that cards do not change places between two looks.
pub(super) fn by_need<'a>(calls: &[LiveCall<'a>]) -> Vec<(Need, LiveCall<'a>)> {
    let mut ordered: Vec<_> = calls.iter().map(|live| (Need::of(live), *live)).collect();
    ordered.sort_by(|(need, live), (other_need, other)| {
        need.cmp(other_need)
            .then_with(|| distress(other).partial_cmp(&distress(live)).unwrap_or(Ordering::Equal))
            .then_with(|| live.call.started.cmp(&other.call.started))
            .then_with(|| live.call.id.cmp(&other.call.id))
    });
    ordered
}

/// Distress in tenths: smaller changes shall not make cards jump.
fn distress(live: &LiveCall<'_>) -> f64 {
    live.call.distress.filter(|it| it.is_finite()).map_or(-1.0, |distress| (distress * 10.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wall::order::Need;
    use sidetone_store::Call;

    fn call(id: &str, alert: bool, trend: &str, distress: Option<f64>) -> Call {
        let mut call = crate::testing::call(id);
        call.alert = alert.then(|| "frustration".to_owned());
        call.trend = Some(trend.to_owned());
        call.distress = distress;
        call
    }

    #[test]
    fn alerts_come_first_then_falling_moods_then_the_rest_each_by_distress() {
        let calls = [
            call("a", false, "steady", Some(0.2)),
            call("b", false, "steady", None),
            call("c", false, "worsening", Some(0.4)),
            call("d", true, "improving", Some(0.5)),
            call("e", false, "worsening", Some(0.6)),
            call("f", true, "worsening", Some(0.9)),
            call("g", false, "steady", Some(f64::NAN)),
        ];
        let live: Vec<_> = calls.iter().map(|call| LiveCall { call, points: &[] }).collect();
        let order: Vec<_> = by_need(&live).iter().map(|(need, live)| (*need, live.call.id.clone())).collect();
        let ids: String = order.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, "fdecabg");
        assert_eq!(order.iter().filter(|(need, _)| *need == Need::Falling).count(), 2);
    }
}
