//! Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11). The key derivation rate is zero: keys are
//! derived once.

use sidetone_call::Keying;
use zeroize::Zeroizing;

use crate::counter_mode::Aes;

/// The purpose of a derived key, by its label (RFC 3711 §4.3.1).
#[derive(Clone, Copy)]
pub(crate) enum Label {
    RtpKey = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// Derives the key with that label, of `N` bytes.
pub(crate) fn derive<const N: usize>(keying: &Keying, label: Label) -> Zeroizing<[u8; N]> {
    // The salt is of 112 bits; a shorter one counts as padded with zeros at its end (RFC 7714 §11).
    let mut salt = Zeroizing::new([0_u8; 16]);
    for (to, from) in salt.iter_mut().zip(keying.salt()) {
        *to = *from;
    }
    // `key_id = label || r`, of 56 bits at the right end of the salt's 112, and 16 bits of block counter behind it.
    let iv = u128::from_be_bytes(*salt) ^ (label as u128) << 64;
    let mut stream = Zeroizing::new([0_u8; N]);
    if let Some(aes) = Aes::new(keying.key()) {
        aes.apply(iv, &mut *stream);
    }
    stream
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use sidetone_call::Suite;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(text.replace(' ', "").as_bytes()).unwrap()
    }

    fn keying(suite: Suite, key: &str, salt: &str) -> Keying {
        Keying::new(suite, &hex(&format!("{key}{salt}"))).unwrap()
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn the_vectors_of_rfc_3711() {
        let master = keying(
            Suite::AesCm128Sha1_80,
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
        );
        assert_eq!(derive::<16>(&master, Label::RtpKey).to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive::<14>(&master, Label::RtpSalt).to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            derive::<20>(&master, Label::RtpAuthentication).to_vec(),
            hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
        );
    }

    /// RFC 6188 §7.2 and §7.4.
    #[test]
    fn the_vectors_of_rfc_6188() {
        let master = keying(
            Suite::AesCm256Sha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
        );
        assert_eq!(
            derive::<32>(&master, Label::RtpKey).to_vec(),
            hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4")
        );
        assert_eq!(derive::<14>(&master, Label::RtpSalt).to_vec(), hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(
            derive::<20>(&master, Label::RtpAuthentication).to_vec(),
            hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05")
        );
        let master = keying(
            Suite::AesCm192Sha1_80,
            "73edc66c4fa15776fb57f9505c171365 50ffda71f3e8e5f1",
            "c8522f3acd4ce86d5add78edbb11",
        );
        assert_eq!(
            derive::<24>(&master, Label::RtpKey).to_vec(),
            hex("31874736a8f1143870c26e4857d8a5b2c4a354407faadabb")
        );
        assert_eq!(derive::<14>(&master, Label::RtpSalt).to_vec(), hex("2372b82d639b6d8503a47adc0a6c"));
    }
}
