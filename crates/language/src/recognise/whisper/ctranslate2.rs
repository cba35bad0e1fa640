//! Whisper's weights out of a file of CTranslate2 (`model.bin`), in the publisher's own names.
//!
//! ```text
//! version u32, specification's name, its revision u32, count u32,
//! count times: name, rank u8, dimensions u32 each, type u8, bytes u32, bytes
//! ```
//! A name is its length (u16), with a zero at its end. Only floating types are taken; keys, queries and values stand in
//! one matrix, the rows of one behind those of the other.

use std::collections::BTreeMap;

use half::f16;
use thiserror::Error;

use crate::recognise::naming::{Floats, Named};

/// Why a file can't be converted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The file ends too early, or says that something is longer than it is.
    #[error("the file is cut short, or no model of CTranslate2")]
    Cut,
    /// Another kind of network.
    #[error("the file holds {0:?}, not Whisper")]
    Kind(String),
    /// A tensor that should be there is not, or is another.
    #[error("the tensor {0} is missing, or has not the shape or type that it should have")]
    Tensor(String),
}

/// The most tensors and dimensions of a file, and values of a tensor: no Whisper has more.
const MOST_TENSORS: u32 = 4_096;
const MOST_DIMENSIONS: u8 = 4;
const MOST_LAYERS: usize = 64;

/// The tensors of `file` as the publisher names them.
///
/// # Errors
/// It is damaged, or something else.
pub fn from_ctranslate2(file: &[u8]) -> Result<Named, ConversionError> {
    let tensors = read(file)?;
    let mut named = Named::new();
    let mut put = |name: String, floats: Floats| named.insert(name, floats);
    let get = |name: &str| floats(&tensors, name);
    for (ours, theirs) in [
        ("encoder.conv1.weight", "encoder/conv1/weight"),
        ("encoder.conv1.bias", "encoder/conv1/bias"),
        ("encoder.conv2.weight", "encoder/conv2/weight"),
        ("encoder.conv2.bias", "encoder/conv2/bias"),
        ("encoder.embed_positions.weight", "encoder/position_encodings/encodings"),
        ("encoder.layer_norm.weight", "encoder/layer_norm/gamma"),
        ("encoder.layer_norm.bias", "encoder/layer_norm/beta"),
        ("decoder.embed_tokens.weight", "decoder/embeddings/weight"),
        ("decoder.embed_positions.weight", "decoder/position_encodings/encodings"),
        ("decoder.layer_norm.weight", "decoder/layer_norm/gamma"),
        ("decoder.layer_norm.bias", "decoder/layer_norm/beta"),
    ] {
        put(format!("model.{ours}"), get(theirs)?);
    }
    for half in ["encoder", "decoder"] {
        let there = |n: &usize| tensors.contains_key(&format!("{half}/layer_{n}/ffn/linear_0/weight"));
        for n in (0..MOST_LAYERS).take_while(there) {
            let (ours, theirs) = (format!("model.{half}.layers.{n}"), format!("{half}/layer_{n}"));
            let mut both = |our: &str, their: &str| -> Result<(), ConversionError> {
                put(format!("{ours}.{our}.weight"), get(&format!("{theirs}/{their}/weight"))?);
                put(format!("{ours}.{our}.bias"), get(&format!("{theirs}/{their}/bias"))?);
                Ok(())
            };
            both("fc1", "ffn/linear_0")?;
            both("fc2", "ffn/linear_1")?;
            both("self_attn.out_proj", "self_attention/linear_1")?;
            if half == "decoder" {
                both("encoder_attn.q_proj", "attention/linear_0")?;
                both("encoder_attn.out_proj", "attention/linear_2")?;
            }
            let mut norm = |our: &str, their: &str| -> Result<(), ConversionError> {
                put(format!("{ours}.{our}.weight"), get(&format!("{theirs}/{their}/layer_norm/gamma"))?);
                put(format!("{ours}.{our}.bias"), get(&format!("{theirs}/{their}/layer_norm/beta"))?);
                Ok(())
            };
            norm("self_attn_layer_norm", "self_attention")?;
            norm("final_layer_norm", "ffn")?;
            if half == "decoder" {
                norm("encoder_attn_layer_norm", "attention")?;
            }
            let mut split = |attention: &str, their: &str, names: &[&str]| -> Result<(), ConversionError> {
                let (weight, bias) = (format!("{theirs}/{their}/weight"), format!("{theirs}/{their}/bias"));
                let weights = parted(&weight, get(&weight)?, names.len())?;
                let biases = parted(&bias, get(&bias)?, names.len())?;
                for ((name, weight), bias) in names.iter().zip(weights).zip(biases) {
                    put(format!("{ours}.{attention}.{name}.weight"), weight);
                    // Keys have none; the file holds zeros.
                    if *name != "k_proj" {
                        put(format!("{ours}.{attention}.{name}.bias"), bias);
                    }
                }
                Ok(())
            };
            split("self_attn", "self_attention/linear_0", &["q_proj", "k_proj", "v_proj"])?;
            if half == "decoder" {
                split("encoder_attn", "attention/linear_1", &["k_proj", "v_proj"])?;
            }
        }
    }
    Ok(named)
}

/// A tensor as it stands in the file.
struct Raw<'a> {
    shape: Vec<usize>,
    kind: u8,
    bytes: &'a [u8],
}

fn read(file: &[u8]) -> Result<BTreeMap<String, Raw<'_>>, ConversionError> {
    let mut rest = Rest(file);
    if rest.number()? >= 2 {
        let kind = rest.name()?;
        if kind != "WhisperSpec" {
            return Err(ConversionError::Kind(kind));
        }
        rest.number()?;
    }
    let count = rest.number()?;
    if count > MOST_TENSORS {
        return Err(ConversionError::Cut);
    }
    let mut tensors = BTreeMap::new();
    for _ in 0..count {
        let name = rest.name()?;
        let rank = rest.byte()?;
        if rank > MOST_DIMENSIONS {
            return Err(ConversionError::Cut);
        }
        let shape = (0..rank).map(|_| Ok(rest.number()? as usize)).collect::<Result<_, ConversionError>>()?;
        let kind = rest.byte()?;
        let length = rest.number()? as usize;
        tensors.insert(name, Raw { shape, kind, bytes: rest.take(length)? });
    }
    Ok(tensors)
}

/// What has not been read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ConversionError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ConversionError::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ConversionError> {
        self.take(1)?.first().copied().ok_or(ConversionError::Cut)
    }

    fn number(&mut self) -> Result<u32, ConversionError> {
        self.take(4)?.try_into().map(u32::from_le_bytes).map_err(|_| ConversionError::Cut)
    }

    fn name(&mut self) -> Result<String, ConversionError> {
        let length = self.take(2)?.try_into().map(u16::from_le_bytes).map_err(|_| ConversionError::Cut)?;
        let name = self.take(usize::from(length))?;
        Ok(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned())
    }
}

/// The types of CTranslate2 that are taken.
const FLOAT32: u8 = 0;
const FLOAT16: u8 = 4;

fn floats(tensors: &BTreeMap<String, Raw<'_>>, name: &str) -> Result<Floats, ConversionError> {
    let wrong = || ConversionError::Tensor(name.to_owned());
    let Raw { shape, kind, bytes } = tensors.get(name).ok_or_else(wrong)?;
    let values: Vec<f32> = match *kind {
        FLOAT32 => bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        FLOAT16 => bytes.as_chunks::<2>().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        _ => return Err(wrong()),
    };
    let count = shape.iter().try_fold(1usize, |count, &dimension| count.checked_mul(dimension));
    if count != Some(values.len()) {
        return Err(wrong());
    }
    Ok(Floats { shape: shape.clone(), values })
}

/// Rows of a tensor in so many equal parts.
fn parted(name: &str, whole: Floats, parts: usize) -> Result<Vec<Floats>, ConversionError> {
    let mut shape = whole.shape;
    let rows = shape.first_mut().filter(|rows| **rows > 0 && **rows % parts == 0);
    let rows = rows.ok_or_else(|| ConversionError::Tensor(name.to_owned()))?;
    *rows /= parts;
    let each = whole.values.len() / parts;
    Ok(whole
        .values
        .chunks(each.max(1))
        .map(|part| Floats { shape: shape.clone(), values: part.to_vec() })
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(file: &mut Vec<u8>, name: &str) {
        file.extend((name.len() as u16 + 1).to_le_bytes());
        file.extend(name.as_bytes());
        file.push(0);
    }

    fn tensor(file: &mut Vec<u8>, called: &str, shape: &[usize], first: f32) {
        name(file, called);
        file.push(shape.len() as u8);
        shape.iter().for_each(|&dimension| file.extend((dimension as u32).to_le_bytes()));
        let count = shape.iter().product::<usize>();
        file.push(FLOAT16);
        file.extend((2 * count as u32).to_le_bytes());
        (0..count).for_each(|n| file.extend(f16::from_f32(first + n as f32).to_le_bytes()));
    }

    /// A network of one layer each, two values wide.
    pub(super) fn small() -> Vec<u8> {
        let mut all: Vec<(String, Vec<usize>)> = Vec::new();
        let mut add = |name: &str, shape: &[usize]| all.push((name.to_owned(), shape.to_vec()));
        for n in [1, 2] {
            add(&format!("encoder/conv{n}/weight"), &[2, 2, 3]);
            add(&format!("encoder/conv{n}/bias"), &[2]);
        }
        add("decoder/embeddings/weight", &[3, 2]);
        for half in ["encoder", "decoder"] {
            add(&format!("{half}/position_encodings/encodings"), &[4, 2]);
            add(&format!("{half}/layer_norm/gamma"), &[2]);
            add(&format!("{half}/layer_norm/beta"), &[2]);
            let mut linear = |name: &str, rows| {
                add(&format!("{half}/layer_0/{name}/weight"), &[rows, 2]);
                add(&format!("{half}/layer_0/{name}/bias"), &[rows]);
            };
            for (name, rows) in [
                ("ffn/linear_0", 8),
                ("ffn/linear_1", 2),
                ("self_attention/linear_0", 6),
                ("self_attention/linear_1", 2),
                ("attention/linear_0", 2),
                ("attention/linear_1", 4),
                ("attention/linear_2", 2),
            ] {
                linear(name, rows);
            }
            for norm in ["ffn", "self_attention", "attention"] {
                add(&format!("{half}/layer_0/{norm}/layer_norm/gamma"), &[2]);
                add(&format!("{half}/layer_0/{norm}/layer_norm/beta"), &[2]);
            }
        }
        let mut file = 6u32.to_le_bytes().to_vec();
        name(&mut file, "WhisperSpec");
        file.extend(3u32.to_le_bytes());
        file.extend((all.len() as u32).to_le_bytes());
        all.iter().for_each(|(called, shape)| tensor(&mut file, called, shape, 1.0));
        file
    }

    #[test]
    fn tensors_get_the_publishers_names_and_fused_ones_are_parted() {
        let named = from_ctranslate2(&small()).unwrap();
        assert_eq!(named["model.encoder.layers.0.self_attn.q_proj.weight"].values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(named["model.encoder.layers.0.self_attn.v_proj.weight"].values, [9.0, 10.0, 11.0, 12.0]);
        assert_eq!(named["model.decoder.layers.0.encoder_attn.v_proj.bias"].values, [3.0, 4.0]);
        assert!(!named.contains_key("model.decoder.layers.0.encoder_attn.k_proj.bias"));
        assert_eq!(named["model.encoder.conv1.weight"].shape, [2, 2, 3]);
    }

    #[test]
    fn another_networks_file_is_named() {
        let mut file = 6u32.to_le_bytes().to_vec();
        name(&mut file, "TransformerSpec");
        assert_eq!(from_ctranslate2(&file).unwrap_err(), ConversionError::Kind("TransformerSpec".to_owned()));
    }

    #[test]
    fn a_file_that_ends_early_is_an_error_wherever_it_ends() {
        let file = small();
        for length in 0..file.len() {
            assert!(from_ctranslate2(&file[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_other_numbers_but_never_a_panic(
            places in proptest::collection::vec((0..small().len(), any::<u8>()), 1..8),
        ) {
            let mut file = small();
            for (place, byte) in places {
                file[place] = byte;
            }
            let _ = from_ctranslate2(&file);
        }
    }
}
