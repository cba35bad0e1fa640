//! The PBX links' access to the calls' own signalling.

use std::sync::{Arc, Weak};
use std::time::Duration;

use sidetone_pbx::{Aside, InDialog, InDialogCounts};

use super::Signalling;
use super::core::Core;

/// Notifies over the calls' own signalling.
pub struct BySip(pub Weak<Signalling>);

impl BySip {
    fn with(&self, act: impl FnOnce(&mut Core, Duration)) {
        if let Some(signalling) = self.0.upgrade() {
            signalling.with(act);
        }
    }
}

impl InDialog for BySip {
    fn tell(&self, aside: Aside) {
        self.with(|core, now| core.tell(now, &aside));
    }

    fn withdraw(&self, pbx: &Arc<str>, sip_call_id: &str) {
        self.with(|core, _| core.withdraw(pbx, sip_call_id));
    }

    fn end(&self, pbx: &Arc<str>, sip_call_id: &str) {
        self.with(|core, _| core.notifier.end(pbx, sip_call_id));
    }

    fn close(&self, pbx: &Arc<str>) {
        self.with(|core, _| core.notifier.close(pbx));
    }

    fn is_idle(&self) -> bool {
        self.0.upgrade().is_none_or(|signalling| {
            let core = signalling.core();
            core.notifier.is_idle() && core.proxy.filter_ref().legs_ref().is_idle()
        })
    }

    fn counts(&self, pbx: &str) -> InDialogCounts {
        let Some(signalling) = self.0.upgrade() else { return InDialogCounts::default() };
        let core = signalling.core();
        let ledgers = [core.notifier.ledger(), core.proxy.filter_ref().legs_ref().ledger()];
        ledgers.into_iter().map(|ledger| ledger.counts(pbx)).fold(InDialogCounts::default(), |sum, counts| {
            InDialogCounts {
                sent: sum.sent + counts.sent,
                failed: sum.failed + counts.failed,
                dropped: sum.dropped + counts.dropped,
            }
        })
    }
}
