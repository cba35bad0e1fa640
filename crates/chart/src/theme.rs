//! Colours by what they stand for, in light and in dark.
//!
//! The hues are those of Okabe and Ito, "Color Universal Design" (2008), lightened on dark ground so that lines keep a
//! contrast of 3:1 or better (WCAG 2.2, 1.4.11).

/// Light or dark ground.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark ink on white.
    #[default]
    Light,
    /// Light ink on near-black.
    Dark,
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The ground of everything.
    Ground,
    /// The ground of a panel.
    Panel,
    Grid,
    Text,
    Muted,
    Valence,
    Arousal,
    Distress,
    Customer,
    Agent,
    Hold,
    Announcement,
}

impl Ink {
    /// All of them, for the style sheet.
    pub(crate) const ALL: [Self; 12] = [
        Self::Ground,
        Self::Panel,
        Self::Grid,
        Self::Text,
        Self::Muted,
        Self::Valence,
        Self::Arousal,
        Self::Distress,
        Self::Customer,
        Self::Agent,
        Self::Hold,
        Self::Announcement,
    ];

    /// The colours that tell series apart, in order.
    pub(crate) const SERIES: [Self; 5] =
        [Self::Valence, Self::Distress, Self::Customer, Self::Announcement, Self::Arousal];

    /// What the style sheet calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ground => "ground",
            Self::Panel => "panel",
            Self::Grid => "grid",
            Self::Text => "text",
            Self::Muted => "muted",
            Self::Valence => "valence",
            Self::Arousal => "arousal",
            Self::Distress => "distress",
            Self::Customer => "customer",
            Self::Agent => "agent",
            Self::Hold => "hold",
            Self::Announcement => "announcement",
        }
    }

    /// Red, green, blue.
    pub(crate) fn rgb(self, theme: Theme) -> [u8; 3] {
        let [light, dark] = match self {
            Self::Ground => [0xFFFFFF, 0x12161B],
            Self::Panel => [0xF6F7F9, 0x1A2027],
            Self::Grid => [0xDFE4E9, 0x2C343D],
            Self::Text => [0x1A2027, 0xE9EDF1],
            Self::Muted => [0x5A6672, 0x9DA9B5],
            Self::Valence => [0x0072B2, 0x56B4E9],
            Self::Arousal => [0xC27C00, 0xE69F00],
            Self::Distress => [0xD55E00, 0xF5793A],
            Self::Customer => [0x009E73, 0x1DBF92],
            Self::Agent => [0x7B8896, 0x8794A2],
            Self::Hold => [0x8C98A5, 0x75818E],
            Self::Announcement => [0xB8588F, 0xD98BB6],
        };
        let rgb: u32 = match theme {
            Theme::Light => light,
            Theme::Dark => dark,
        };
        let [_, red, green, blue] = rgb.to_be_bytes();
        [red, green, blue]
    }
}
