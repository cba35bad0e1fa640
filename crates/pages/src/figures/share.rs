//! A share as the tables of figures write it.

use maud::{Markup, html};

use super::estimate::{Estimate, Share};
use crate::format::{count, percent};
use crate::text::{Texts, fill};

/// A share with its interval and what it stands on.
pub(super) fn share(texts: &Texts, share: Share) -> Markup {
    let Some(Estimate { value, interval, n }) = share.estimate() else {
        return html! { "–" };
    };
    html! {
        (percent(texts, value, 0))
        @if let Some((low, high)) = interval {
            span.half.soft {
                " " (fill(texts.interval, &[&percent(texts, low, 0), &percent(texts, high, 0)])) " · n " (count(texts, n))
            }
        }
    }
}
