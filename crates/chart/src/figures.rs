//! Figures of a model's evaluation: confusion matrix, bars with confidence intervals, risk-coverage curves and a
//! reliability diagram.
//!
//! Values that are no numbers are left out; those beyond an axis are drawn at its end.

mod bars;
mod confusion;
mod curves;
mod frame;
mod reliability;

pub use bars::{Bar, Bars, Group};
pub use confusion::Confusion;
pub use curves::{Curve, RiskCoverage};
pub use reliability::{Bin, Reliability};
