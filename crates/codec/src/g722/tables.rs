//! The tables of ITU-T G.722: quantiser levels (tables 14, 17, 18), scale factors (15, 19, 21), and
//! the filter of clause 3.1 and 4.4.

/// Output of the six-bit quantiser for each code (QQ6 with its sign), in 1/4096 of the scale factor.
pub(super) static LOW_OUTPUT_6: &[i32; 64] = &[
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];

/// Output of the four-bit quantiser (QQ4).
pub(super) static LOW_OUTPUT_4: &[i32; 16] =
    &[0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// Output of the two-bit quantiser (QQ2).
pub(super) static HIGH_OUTPUT: &[i32; 4] = &[-7408, -1616, 7408, 1616];

/// Decision levels of the six-bit quantiser (Q6), in 1/4096 of the scale factor; index 0 is no level.
pub(super) static LOW_DECISIONS: &[i32; 29] = &[
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Decision level of the two-bit quantiser (Q2).
pub(super) const HIGH_DECISION: i32 = 564;

/// Code of each interval of the six-bit quantiser, for positive differences.
pub(super) static LOW_POSITIVE: &[u8; 30] = &[
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36,
    35, 34, 33, 32,
];

/// The same for negative differences.
pub(super) static LOW_NEGATIVE: &[u8; 30] = &[
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7,
    6, 5, 4,
];

/// Step of the lower band's logarithmic scale factor for each four-bit code (WL).
pub(super) static LOW_STEP: &[i32; 16] =
    &[-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// Step of the upper band's (WH).
pub(super) static HIGH_STEP: &[i32; 4] = &[798, -214, 798, -214];

/// Largest logarithmic scale factors.
pub(super) const LOW_LARGEST: i32 = 18_432;
pub(super) const HIGH_LARGEST: i32 = 22_528;

/// 2048 times two to the n/32 (ILB).
pub(super) static INVERSE_LOG: &[i32; 32] = &[
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Every second coefficient of the 24-tap mirror filter; the others are these in reverse.
pub(super) const FILTER: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
