//! The sizes of a Whisper network.

use crate::recognise::attention::Heads;
use crate::recognise::weights::{Weights, WeightsError};

/// Values of a head, in every size of Whisper.
const HEAD: usize = 64;

/// A network's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Values in a row: 384 in tiny, 512 in base.
    pub(super) width: usize,
    pub(super) heads: Heads,
    /// Tokens: 51,865 in those of many languages.
    pub(super) tokens: usize,
    /// Rows that the encoder has positions for: 1,500, which are thirty seconds.
    pub(super) rows: usize,
    /// Tokens that the decoder has positions for: 448.
    pub(super) positions: usize,
    pub(super) encoder_layers: usize,
    pub(super) decoder_layers: usize,
}

impl Shape {
    /// What the weights say.
    pub(super) fn of(weights: &Weights) -> Result<Self, WeightsError> {
        let pair = |name: &str| weights.any(name)?.dims2().map_err(WeightsError::File);
        let (tokens, width) = pair("model.decoder.embed_tokens.weight")?;
        let (rows, _) = pair("model.encoder.embed_positions.weight")?;
        let (positions, _) = pair("model.decoder.embed_positions.weight")?;
        if width == 0 || width % HEAD != 0 || width > 2048 || tokens > 1 << 17 {
            return Err(WeightsError::Kind("its width does not divide into heads of 64"));
        }
        if rows == 0 || rows > 1 << 14 || !(16..=1 << 12).contains(&positions) {
            return Err(WeightsError::Kind("it has too few or too many positions"));
        }
        let layers =
            |half: &str| weights.layers(&format!("model.{half}.layers"), "self_attn_layer_norm.weight");
        let (encoder_layers, decoder_layers) = (layers("encoder"), layers("decoder"));
        if encoder_layers == 0 || decoder_layers == 0 {
            return Err(WeightsError::Kind("it has no layers"));
        }
        let heads = Heads { count: width / HEAD, width };
        Ok(Self { width, heads, tokens, rows, positions, encoder_layers, decoder_layers })
    }

    /// The heads of the cross-attention that follow the speech, layer and head: those that the publisher names for
    /// base; in other sizes the upper half of all.
    pub(super) fn following(self) -> Vec<(usize, usize)> {
        if (self.decoder_layers, self.heads.count) == (6, 8) {
            return vec![(3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6)];
        }
        let upper = self.decoder_layers / 2..self.decoder_layers;
        upper.flat_map(|layer| (0..self.heads.count).map(move |head| (layer, head))).collect()
    }
}
