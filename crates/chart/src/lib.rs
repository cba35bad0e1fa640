//! A call's timeline and a model's figures, drawn as SVG and PNG.
//!
//! What is to be drawn is a plain struct ([`CallChart`], or one of [`figures`]); it becomes a [`Scene`], and a scene
//! becomes SVG (light and dark by the reader's preference) or PNG. Both come from the same scene and the same letter
//! widths, so they look alike. Colours are told apart without full colour vision (Okabe and Ito, 2008), and nothing is
//! told by colour alone.
//!
//! ```
//! use std::time::Duration;
//! use sidetone_chart::{CallChart, Theme};
//!
//! let chart = CallChart { title: "A call".into(), duration: Duration::from_secs(90), ..CallChart::default() };
//! let scene = chart.scene();
//! assert!(scene.svg().starts_with("<svg"));
//! assert!(scene.png(Theme::Light, 1.0)?.starts_with(b"\x89PNG"));
//! # Ok::<(), sidetone_chart::PngError>(())
//! ```
#![forbid(unsafe_code)]

mod axis;
pub mod call;
pub mod figures;
mod png;
mod scene;
mod svg;
mod text;
mod theme;

pub use call::CallChart;
pub use png::PngError;
pub use scene::Scene;
pub use theme::Theme;
