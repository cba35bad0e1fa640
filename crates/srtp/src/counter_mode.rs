//! AES in counter mode (RFC 3711 §4.1.1): the key stream of one packet, added to its bytes.

use aes::cipher::KeyInit;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncrypt, BlockSizeUser};
use aes::{Aes128, Aes192, Aes256};

/// Blocks that are encrypted at once: the processor works on eight side by side.
const ABREAST: usize = 8;

/// AES with an expanded key.
pub(crate) enum Aes {
    Of128(Aes128),
    Of192(Aes192),
    Of256(Aes256),
}

impl Aes {
    /// Expands a key; `None` if it is not of 16, 24 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        Some(match key.len() {
            16 => Self::Of128(Aes128::new_from_slice(key).ok()?),
            24 => Self::Of192(Aes192::new_from_slice(key).ok()?),
            32 => Self::Of256(Aes256::new_from_slice(key).ok()?),
            _ => return None,
        })
    }

    /// Adds the key stream that begins at the initialisation vector; its last 16 bits count blocks.
    pub(crate) fn apply(&self, iv: u128, bytes: &mut [u8]) {
        match self {
            Self::Of128(aes) => add(aes, iv, bytes),
            Self::Of192(aes) => add(aes, iv, bytes),
            Self::Of256(aes) => add(aes, iv, bytes),
        }
    }
}

fn add<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>>(aes: &C, iv: u128, bytes: &mut [u8]) {
    let mut counter = iv;
    let mut blocks = [Array::<u8, U16>::default(); ABREAST];
    for chunk in bytes.chunks_mut(ABREAST * 16) {
        let used = chunk.len().div_ceil(16);
        let Some(blocks) = blocks.get_mut(..used) else { return };
        for block in &mut *blocks {
            *block = counter.to_be_bytes().into();
            counter = counter.wrapping_add(1);
        }
        aes.encrypt_blocks(blocks);
        for (piece, block) in chunk.chunks_mut(16).zip(&*blocks) {
            for (byte, key) in piece.iter_mut().zip(block) {
                *byte ^= key;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 appendix B.2.
    #[test]
    fn the_key_stream_of_rfc_3711() {
        let key = 0x2B7E_1516_28AE_D2A6_ABF7_1588_09CF_4F3C_u128.to_be_bytes();
        let iv = 0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000_u128;
        let mut stream = vec![0; 0xff02 * 16];
        Aes::new(&key).unwrap().apply(iv, &mut stream);
        let block = |n: usize| u128::from_be_bytes(*stream[n * 16..].first_chunk().unwrap());
        assert_eq!(block(0), 0xE03E_AD09_35C9_5E80_E166_B16D_D92B_4EB4);
        assert_eq!(block(1), 0xD235_1316_2B02_D0F7_2A43_A2FE_4A5F_97AB);
        assert_eq!(block(2), 0x41E9_5B3B_B0A2_E8DD_4779_01E4_FCA8_94C0);
        assert_eq!(block(0xfeff), 0xEC8C_DF73_9860_7CB0_F2D2_1675_EA9E_A1E4);
        assert_eq!(block(0xff00), 0x362B_7C3C_6773_5163_18A0_77D7_FC50_73AE);
        assert_eq!(block(0xff01), 0x6A2C_C378_7889_374F_BEB4_C81B_17BA_6C44);
    }
}
