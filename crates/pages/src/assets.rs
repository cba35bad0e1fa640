//! What pages load beside their text: one style sheet, one script, one icon. Their paths name their content, so a
//! browser may keep them for good.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The policy that every page works under: nothing but this server's own files, no inline script, no inline style.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same policy for a page that may be embedded by pages of these origins, as `https://crm.example.com`.
#[must_use]
pub fn embeddable(origins: &[String]) -> String {
    CONTENT_SECURITY_POLICY
        .replace("frame-ancestors 'none'", &format!("frame-ancestors 'self' {}", origins.join(" ")))
}

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its path behind the base, with a hash of its content.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    let asset = |end: &str, content_type, bytes: &'static [u8]| {
        let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Asset { path: format!("/assets/pages.{hash}.{end}"), content_type, bytes }
    };
    [
        asset("css", "text/css; charset=utf-8", bare(include_str!("../assets/pages.css"))),
        asset("js", "text/javascript; charset=utf-8", include_bytes!("../assets/pages.js")),
        asset("svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
    ]
});

/// A style sheet without what is for its readers alone, comments and indentation: every page comes with it. It is ours,
/// and has no comment in a string.
fn bare(css: &str) -> &'static [u8] {
    let behind = |piece: &'_ str| piece.split_once("*/").map_or(0, |(comment, _)| comment.len() + 2);
    let said: String = css
        .split("/*")
        .enumerate()
        .map(|(number, piece)| piece.get(if number == 0 { 0 } else { behind(piece) }..).unwrap_or_default())
        .collect();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Made once in a process, and never given up.
    lines.join("\n").into_bytes().leak()
}

/// The files that pages load. Each may be kept for good (`Cache-Control: public, max-age=31536000, immutable`).
#[must_use]
pub fn assets() -> &'static [Asset] {
    ASSETS.as_slice()
}

pub(crate) fn style() -> &'static str {
    let [style, _, _] = &*ASSETS;
    &style.path
}

pub(crate) fn script() -> &'static str {
    let [_, script, _] = &*ASSETS;
    &script.path
}

pub(crate) fn icon() -> &'static str {
    let [_, _, icon] = &*ASSETS;
    &icon.path
}
