//! What is ours to say nobody else says through us.

use sidetone_call::Nature;

use crate::office::{CARRIER, Office, PBX, RECV, carrier, pbx};

#[test]
fn neither_side_can_pass_our_package_on() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.send(CARRIER, carrier("INFO", 8, "Info-Package: X-Sidetone-Affect;v=1\r\n"));
    office.take(CARRIER, "403 8");
    office.nothing(PBX);
    office.send(PBX, pbx("INFO", 20, "Info-Package: x-sidetone-affect\r\n"));
    office.take(PBX, "403 20");
    office.send(PBX, pbx("NOTIFY", 21, "Event: x-sidetone-affect;id=1\r\nSubscription-State: active\r\n"));
    office.take(PBX, "403 21");
    // However it is written: whoever reads it may not mind.
    office.send(CARRIER, carrier("NOTIFY", 9, "Event: X-Sidetone-Affect\r\nSubscription-State: active\r\n"));
    office.take(CARRIER, "403 9");
    office.send(CARRIER, carrier("NOTIFY", 10, "Event: x-sidetone-affect;;id=\"\r\n"));
    office.take(CARRIER, "403 10");
    office.nothing(CARRIER);
    office.nothing(PBX);
}

#[test]
fn other_packages_pass_as_they_came() {
    let mut office = Office::new();
    office.inbound(&[RECV]);
    office.tell(Nature::Affect, "{}");
    office.info_taken(8);
    office.send(CARRIER, carrier("INFO", 8, "Info-Package: foo\r\n"));
    office.take(PBX, "INFO 9");
    office.send(PBX, pbx("NOTIFY", 21, "Event: presence\r\nSubscription-State: active\r\n"));
    office.take(CARRIER, "NOTIFY 21");
}

#[test]
fn where_it_is_not_in_use_it_passes_like_any_other() {
    let mut office = Office::guarding(false);
    office.inbound(&[RECV]);
    office.send(CARRIER, carrier("INFO", 8, "Info-Package: x-sidetone-affect\r\n"));
    office.take(PBX, "INFO 8");
}
