//! Asterisk 22 with the shipped configuration, and a caller who reaches it as if through Sidetone.

use std::path::Path;

use sidetone_scenarios::asterisk::Asterisk;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::process::Process;
use tempfile::TempDir;

use crate::common::{Sidetone, until};

/// Asterisk, and a link to it.
pub(crate) struct Office {
    pub(crate) asterisk: Asterisk,
    pub(crate) sidetone: Sidetone,
    net: Net,
    dir: TempDir,
}

/// A call that lasts until it is dropped.
pub(crate) struct Caller {
    _sipp: Process,
    pub(crate) sip: String,
}

/// Which link.
#[derive(Clone, Copy)]
pub(crate) enum By {
    Ami,
    Ari,
}

pub(crate) fn config(by: By, net: &Net, password: &str) -> String {
    match by {
        By::Ami => format!(
            "[ami]\naddress = \"{}\"\nusername = \"sidetone\"\nsecret = \"{password}\"\n",
            net.at(host::PBX, 5038)
        ),
        By::Ari => format!(
            "[ari]\nurl = \"http://{}/ari\"\nusername = \"sidetone\"\npassword = \"{password}\"\n",
            net.at(host::PBX, 8088)
        ),
    }
}

impl Office {
    pub(crate) async fn open(by: By, dialplan: &str) -> Self {
        let office = Self::open_with(by, "change-me", dialplan);
        until("the link", async || office.sidetone.counts().connected.then_some(())).await;
        office
    }

    pub(crate) fn open_with(by: By, password: &str, dialplan: &str) -> Self {
        let net = Net::lease();
        let asterisk = Asterisk::start(net.v4(host::PBX), net.at(host::SIDETONE, 5060), dialplan);
        let sidetone = Sidetone::start(&config(by, &net, password));
        Self { asterisk, sidetone, net, dir: tempfile::tempdir().unwrap() }
    }

    /// Where its manager interface is.
    pub(crate) fn manager(&self) -> std::net::SocketAddr {
        self.net.at(host::PBX, 5038)
    }

    /// Somebody calls `number`.
    pub(crate) fn dial(&self, number: &str, name: &str) -> Caller {
        let sip = format!("{name}@carrier.example");
        let port = 5_060 + name.bytes().map(u16::from).sum::<u16>() % 900;
        let arguments = [
            "-sn",
            "uac",
            "-nostdin",
            "-i",
            &self.net.v4(host::SIDETONE).to_string(),
            "-p",
            &port.to_string(),
            "-s",
            number,
            "-m",
            "1",
            "-d",
            "600000",
            "-cid_str",
            &sip,
            &self.net.at(host::PBX, 5060).to_string(),
        ]
        .map(str::to_owned);
        let sipp = Process::start(&format!("sipp-{name}"), Path::new("sipp"), &arguments, self.dir.path());
        Caller { _sipp: sipp, sip }
    }

    /// Waits until Asterisk has printed this.
    pub(crate) async fn prints(&self, line: &str) {
        until(&format!("`{line}` on Asterisk's console"), async || {
            self.asterisk.output().contains(line).then_some(())
        })
        .await;
    }

    /// The value of a variable on the channel of a call, as Asterisk itself has it.
    pub(crate) fn variable(&self, caller: &Caller, name: &str) -> Option<String> {
        let channels = self.asterisk.ask("core show channels concise");
        channels.lines().filter_map(|line| line.split('!').next()).find_map(|channel| {
            let all = self.asterisk.ask(&format!("core show channel {channel}"));
            let mine = format!("TEST_CALL_ID={}", caller.sip);
            let value = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            all.contains(&mine).then(|| value.map(str::to_owned)).flatten()
        })
    }

    pub(crate) async fn has(&self, caller: &Caller, name: &str, value: &str) {
        until(&format!("{name}={value}"), async || {
            (self.variable(caller, name).as_deref() == Some(value)).then_some(())
        })
        .await;
    }
}

/// Says who it is, so that the test can find the channel without Sidetone's help, and waits.
pub(crate) const WAITING: &str = "[trying-out](+)
exten => 700,1,Answer()
 same => n,Set(TEST_CALL_ID=${CHANNEL(pjsip,call-id)})
 same => n,Wait(600)
";
