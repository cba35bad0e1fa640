//! What signalling by TLS needs: certificates, and a SIPp that was built with TLS.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::place;

/// One certificate for everybody's addresses, and the authority that issued it.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// New ones, as files in a folder.
    pub(super) fn make(dir: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = KeyPair::generate()?;
        let authority = params.self_signed(&own)?.pem();
        let issuer = Issuer::new(params, own);
        let everybody = [place::SUBJECT, place::TRUNK, place::PBX].map(|ip| ip.to_string());
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(everybody)?.signed_by(&key, &issuer)?.pem();
        let file = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).map(|()| path)
        };
        Ok(Self {
            authority: file("authority.pem", authority)?,
            certificate: file("certificate.pem", certificate)?,
            key: file("key.pem", key.serialize_pem())?,
        })
    }

    /// Sidetone's configuration with TLS in place of UDP.
    pub(super) fn secured(&self, config: &str) -> String {
        let keys = format!(
            "tls = {{ certificate = {:?}, key = {:?}, authorities = {:?} }}\n[media]\n",
            self.certificate, self.key, self.authority
        );
        config.replace("\"udp:", "\"tls:").replace("transport=udp", "transport=tls").replacen(
            "[media]\n",
            &keys,
            1,
        )
    }

    /// SIPp's arguments.
    pub(super) fn sipp(&self) -> Vec<String> {
        let (certificate, key) = (self.certificate.display().to_string(), self.key.display().to_string());
        vec!["-tls_cert".to_owned(), certificate, "-tls_key".to_owned(), key]
    }
}

/// The arguments of `unshare` that start SIPp from the root directory that `tools/peers/sipp_tls.sh` completes, for
/// Debian 12's own was built without TLS. It sees the folder, which is outside of that root; the mounts go away with
/// it.
pub(super) fn in_root(folder: &Path, arguments: Vec<String>) -> anyhow::Result<Vec<String>> {
    const SCRIPT: &str = "set -e; root=$1; dir=$2; mount --bind /dev $root/dev; mount -t tmpfs tmpfs $root/tmp; \
        mkdir -p $root$dir; mount --bind $dir $root$dir; shift 2; \
        exec chroot $root sh -c 'cd $0 && exec sipp \"$@\"' $dir \"$@\"";
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| PathBuf::from(".peers"), PathBuf::from);
    let root = peers.join("asterisk").canonicalize().unwrap_or_default();
    anyhow::ensure!(
        root.join("usr/bin/sipp").is_file(),
        "SIPp with TLS is missing: tools/peers/install.sh sipp_tls"
    );
    let root = root.to_str().context("its folder's name is not UTF-8")?.to_owned();
    let folder = folder.to_str().context("a folder's name is not UTF-8")?.to_owned();
    let whole = ["-m", "sh", "-c", SCRIPT, "sh"].map(str::to_owned).into_iter();
    Ok(whole.chain([root, folder]).chain(arguments).collect())
}
