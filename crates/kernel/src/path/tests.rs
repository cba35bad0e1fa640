//! The program, run by the kernel on packets of our making (`BPF_PROG_TEST_RUN`): what leaves, byte for byte, and what
//! is told of it. As another user than root these tests say that they can't, and fail.

use std::net::SocketAddr;
use std::process::Command;

use aya::programs::{TestRun, TestRunOptions};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sidetone_rtp::header::RtpHeader;

use super::*;
use crate::wire::Shift;

/// What the program answers: on to the socket, or out of an interface.
const UP: u32 = u32::MAX;
const REDIRECTED: u32 = 7;

const ID: WayId = WayId { number: 3, generation: 9 };

fn way(local: &str, source: &str, from: &str, to: &str) -> Way {
    let at = |text: &str| text.parse().unwrap();
    Way {
        local: at(local),
        source: at(source),
        ssrc: 0x0102_0304,
        from: at(from),
        to: at(to),
        shift: None,
        up: 1 << 101,
        copied: true,
        tos: 0xb8,
    }
}

fn v4() -> Way {
    way("10.0.0.1:30000", "192.0.2.7:4000", "10.1.0.1:30002", "198.51.100.9:6000")
}

fn v6() -> Way {
    way("[fd00::1]:30000", "[2001:db8::7]:4000", "[fd01::1]:30002", "[2001:db8:1::9]:6000")
}

fn rtp(payload_type: u8, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let header = RtpHeader { payload_type, marker: false, sequence: 65_530, timestamp: 0xffff_ff00, ssrc };
    header.write(&mut packet).unwrap();
    packet.extend_from_slice(payload);
    packet
}

fn sum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An Ethernet frame as a sender makes it.
fn frame(source: SocketAddr, to: SocketAddr, tos: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut udp =
        [source.port().to_be_bytes(), to.port().to_be_bytes(), length.to_be_bytes(), [0; 2]].concat();
    udp.extend_from_slice(payload);
    let mut frame = vec![0; 12];
    let (pseudo, ip) = match (source.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(to)) => {
            let addresses = [source.octets(), to.octets()].concat();
            let whole = (20 + length).to_be_bytes();
            let mut ip = vec![0x45, tos, whole[0], whole[1], 0x12, 0x34, 0x40, 0, ttl, 17, 0, 0];
            ip.extend_from_slice(&addresses);
            let check = sum(&[&ip]).to_be_bytes();
            ip[10..12].copy_from_slice(&check);
            frame.extend_from_slice(&[0x08, 0]);
            ([&addresses[..], &[0, 17], &length.to_be_bytes()].concat(), ip)
        }
        (IpAddr::V6(source), IpAddr::V6(to)) => {
            let addresses = [source.octets(), to.octets()].concat();
            let class = 0x6000_0000_u32 | u32::from(tos) << 20;
            let mut ip = class.to_be_bytes().to_vec();
            ip.extend_from_slice(&length.to_be_bytes());
            ip.extend_from_slice(&[17, ttl]);
            ip.extend_from_slice(&addresses);
            frame.extend_from_slice(&[0x86, 0xdd]);
            ([&addresses[..], &[0, 0], &length.to_be_bytes(), &[0, 0, 0, 17]].concat(), ip)
        }
        _ => panic!("two families"),
    };
    let check = match sum(&[&pseudo, &udp]) {
        0 => 0xffff,
        sum => sum,
    };
    udp[6..8].copy_from_slice(&check.to_be_bytes());
    [frame, ip, udp].concat()
}

struct Bench {
    path: Path,
}

impl Bench {
    fn new() -> Self {
        let mut loaded = load().expect("these tests load a BPF program: run them as root");
        let path = Path::of(&mut loaded).unwrap();
        Self { path: Path { _loaded: Some(loaded), ..path } }
    }

    fn with(way: &Way, route: Route) -> Self {
        let mut bench = Self::new();
        bench.path.open_way(ID, way, Route::Local, route).unwrap();
        bench
    }

    /// The program's answer, and the frame as it left it.
    fn run(&mut self, frame: &[u8]) -> (u32, Vec<u8>) {
        self.run_as(frame, None)
    }

    /// The same, of a frame that the kernel has this to tell of.
    fn run_as(&mut self, frame: &[u8], about: Option<&[u8]>) -> (u32, Vec<u8>) {
        let mut out = vec![0; 4_096];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: about,
            ..TestRunOptions::new()
        };
        let result = program(self.path._loaded.as_mut().unwrap()).unwrap().test_run(options).unwrap();
        let length = result.data_size_out as usize;
        out.truncate(length);
        (result.return_value, out)
    }

    fn told(&mut self) -> Vec<(WayId, usize, Vec<u8>)> {
        let mut told = Vec::new();
        self.path.passed(usize::MAX, |passed| told.push((passed.id, passed.length, passed.packet.to_vec())));
        told
    }
}

#[test]
fn a_settled_stream_leaves_as_if_the_relay_had_sent_it() {
    for way in [v4(), v6()] {
        let mut bench = Bench::with(&way, Route::By(1));
        let packet = rtp(0, way.ssrc, &[0x55; 160]);
        let came = frame(way.source, way.local, 0, 57, &packet);
        let left = frame(way.from, way.to, way.tos, 64, &packet);
        assert_eq!(bench.run(&came), (REDIRECTED, left));
        assert_eq!(bench.told(), [(ID, packet.len(), packet.clone())]);
        let count = bench.path.count(ID);
        assert_eq!((count.packets, count.octets, count.untold), (1, packet.len() as u64, 0));
        assert!(count.last > std::time::Duration::ZERO);
    }
}

#[test]
fn a_shifted_stream_leaves_with_the_numbers_that_its_listener_knows() {
    let shift = Shift { ssrc: 0xcafe_f00d, sequence: 10, timestamp: 0x200 };
    for way in [Way { shift: Some(shift), ..v4() }, Way { shift: Some(shift), ..v6() }] {
        let mut bench = Bench::with(&way, Route::By(1));
        let payload = [7; 33];
        let came = rtp(8, way.ssrc, &payload);
        let mut leaves = Vec::new();
        RtpHeader { payload_type: 8, marker: false, sequence: 4, timestamp: 0x100, ssrc: shift.ssrc }
            .write(&mut leaves)
            .unwrap();
        leaves.extend_from_slice(&payload);
        let left = frame(way.from, way.to, way.tos, 64, &leaves);
        assert_eq!(bench.run(&frame(way.source, way.local, 0, 57, &came)), (REDIRECTED, left));
        assert_eq!(bench.told(), [(ID, came.len(), came)]);
    }
}

#[test]
fn a_sender_that_makes_no_checksum_is_left_without() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let packet = rtp(0, way.ssrc, &[1; 160]);
    let mut came = frame(way.source, way.local, 0, 57, &packet);
    came[40..42].fill(0);
    let mut left = frame(way.from, way.to, way.tos, 64, &packet);
    left[40..42].fill(0);
    assert_eq!(bench.run(&came), (REDIRECTED, left));
}

#[test]
fn for_a_socket_of_this_machine_the_packet_goes_on_with_its_new_address() {
    let way = way("127.0.0.1:30000", "127.0.0.1:4000", "127.0.0.1:30002", "127.0.0.1:6000");
    let mut bench = Bench::with(&way, Route::Local);
    let packet = rtp(0, way.ssrc, &[1; 160]);
    let left = frame(way.from, way.to, way.tos, 64, &packet);
    assert_eq!(bench.run(&frame(way.source, way.local, 0, 64, &packet)), (UP, left));
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn without_a_copy_the_header_alone_is_told() {
    let way = Way { copied: false, ..v4() };
    let mut bench = Bench::with(&way, Route::By(1));
    let packet = rtp(0, way.ssrc, b"what nobody may hear");
    assert_eq!(bench.run(&frame(way.source, way.local, 0, 57, &packet)).0, REDIRECTED);
    assert_eq!(bench.told(), [(ID, packet.len(), packet[..12].to_vec())]);
}

#[test]
fn packets_of_every_length_are_copied_whole() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    for length in [0, 1, 160, 243, 244, 245, 246, 480, 1_460] {
        let packet = rtp(0, way.ssrc, &vec![0xa5; length]);
        assert_eq!(bench.run(&frame(way.source, way.local, 0, 57, &packet)).0, REDIRECTED, "{length}");
        assert_eq!(bench.told(), [(ID, packet.len(), packet)]);
    }
    let large = rtp(0, way.ssrc, &[0; 1_461]);
    assert_eq!(bench.run(&frame(way.source, way.local, 0, 57, &large)).0, UP);
}

#[test]
fn whatever_is_not_settled_goes_up_untouched_and_untold() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let packet = rtp(0, way.ssrc, &[1; 160]);
    let good = frame(way.source, way.local, 0, 57, &packet);
    let with = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        frame
    };
    let rtp_at = 14 + 20 + 8;
    let from = |source: &str| frame(source.parse().unwrap(), way.local, 0, 57, &packet);
    let to = |local: &str| frame(way.source, local.parse().unwrap(), 0, 57, &packet);
    let cases = [
        ("another port of the source", from("192.0.2.7:4001")),
        ("another source", from("192.0.2.8:4000")),
        ("another port of ours", to("10.0.0.1:30001")),
        ("another address of ours", to("10.0.0.2:30000")),
        ("another SSRC", frame(way.source, way.local, 0, 57, &rtp(0, 7, &[1; 160]))),
        ("a key press", frame(way.source, way.local, 0, 57, &rtp(101, way.ssrc, &[1; 4]))),
        ("another version", with(rtp_at, 0x40)),
        ("padding", with(rtp_at, 0xa0)),
        ("an extension", with(rtp_at, 0x90)),
        ("contributing sources", with(rtp_at, 0x81)),
        (
            "STUN",
            frame(
                way.source,
                way.local,
                0,
                57,
                &[&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat(),
            ),
        ),
        ("options", with(14, 0x46)),
        ("a fragment", with(20, 0x20)),
        ("the rest of a fragment", with(21, 1)),
        ("TCP", with(23, 6)),
        ("a length beyond the frame", with(17, 0xff)),
        ("a UDP length beyond the packet", with(14 + 20 + 5, 0xff)),
        ("no header of RTP", frame(way.source, way.local, 0, 57, &packet[..11])),
        ("ARP", with(13, 6)),
        ("another way's family", frame(v6().source, v6().local, 0, 57, &packet)),
    ];
    for (name, frame) in cases {
        assert_eq!(bench.run(&frame), (UP, frame), "{name}");
    }
    assert_eq!(bench.told(), []);
    assert_eq!(bench.path.count(ID), Count::default());
    assert_eq!(bench.run(&good).0, REDIRECTED);
}

/// `gso_segs` and `gso_size` of `struct __sk_buff` (linux/bpf.h).
fn of_several(segments: u32, size: u32) -> Vec<u8> {
    let mut about = vec![0; 192];
    about[164..168].copy_from_slice(&segments.to_ne_bytes());
    about[176..180].copy_from_slice(&size.to_ne_bytes());
    about
}

/// As GRO joins them (`rx-udp-gro-forwarding`), and as a sender with `UDP_SEGMENT` on the other end of a veth does: the
/// second datagram would pass with its own numbers, and unjudged.
#[test]
fn several_datagrams_in_one_go_up() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let packet = rtp(0, way.ssrc, &[1; 160]);
    let both = frame(way.source, way.local, 0, 57, &[&packet[..], &rtp(101, 7, &[1; 160])].concat());
    assert_eq!(bench.run_as(&both, Some(&of_several(2, 172))), (UP, both));
    assert_eq!(bench.told(), []);
}

#[test]
fn an_ipv4_address_in_an_ipv6_packet_is_nobodys() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let mapped = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
        IpAddr::V6(_) => at,
    };
    let forged = frame(mapped(way.source), mapped(way.local), 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    assert_eq!(bench.run(&forged), (UP, forged));
    assert_eq!(bench.told(), []);
}

#[test]
fn over_ipv6_a_packet_without_checksum_goes_up() {
    let way = v6();
    let mut bench = Bench::with(&way, Route::By(1));
    let mut bare = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    bare[60..62].fill(0);
    assert_eq!(bench.run(&bare), (UP, bare));
}

/// Frames are tried as if they came by loopback: whoever is on the network sends from 127.0.0.1 in vain, and so does
/// the neighbour at one interface with the address of a party at another.
#[test]
fn what_comes_by_another_way_than_its_source_has_goes_up() {
    let way = v4();
    let mut bench = Bench::new();
    bench.path.open_way(ID, &way, Route::By(2), Route::By(1)).unwrap();
    let came = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    assert_eq!(bench.run(&came), (UP, came.clone()));
    bench.path.open_way(ID, &way, Route::Local, Route::By(1)).unwrap();
    assert_eq!(bench.run(&came).0, REDIRECTED);
    assert!(matches!(
        bench.path.open_way(ID, &way, Route::By(2), Route::Local),
        Err(Refused::NotForwardable)
    ));
}

/// In a network of its own: an interface with a labelled address, and packets of a VLAN that this machine is not part
/// of, in the name of a party outside it.
#[test]
fn labels_are_no_interfaces_and_vlans_are_not_the_untagged_network() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("run it as root");
    let ip = |line: &str| {
        assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
    };
    ip("link set lo up");
    ip("link add own type veth peer name far");
    ip("addr add 10.0.0.1/24 dev own label own:1");
    ip("link set own up");
    ip("link set far up");
    let index = |name: &str| nix::net::if_::if_nametoindex(name).unwrap();
    let mut path = Path::open(&["10.0.0.1".parse().unwrap()]).unwrap();
    assert_eq!(path.interfaces(), ["far", "lo", "own"]);

    let way = Way { source: "10.0.0.7:4000".parse().unwrap(), ..v4() };
    path.open_way(ID, &way, Route::By(index("own")), Route::By(index("own"))).unwrap();
    let sent = |payload: &[u8], tag: &[u8]| {
        let mut frame = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, payload));
        frame[..6].copy_from_slice(&mac("own"));
        raw_send("far", &[&frame[..12], tag, &frame[12..]].concat());
    };
    sent(b"in a VLAN", &[0x81, 0, 0, 100]);
    sent(b"in none", &[]);
    // One end of a veth receives in the order that the other sends.
    let mut told = Vec::new();
    while path.passed(1, |passed| told = passed.packet[12..].to_vec()) == 0 {
        std::thread::yield_now();
    }
    assert_eq!(told, b"in none");
}

fn mac(interface: &str) -> [u8; 6] {
    nix::ifaddrs::getifaddrs()
        .unwrap()
        .filter(|found| found.interface_name == interface)
        .find_map(|found| found.address?.as_link_addr()?.addr())
        .unwrap()
}

/// Sends a frame as it is (packet(7)). A veth's other end may receive it a moment later.
fn raw_send(interface: &str, frame: &[u8]) {
    let send = "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); \
                s.bind((sys.argv[1], 0)); s.send(bytes.fromhex(sys.argv[2]))";
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(Command::new("python3").args(["-c", send, interface, &hex]).status().unwrap().success());
}

#[test]
fn a_closed_way_passes_nothing() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let came = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    bench.path.close_way(&way);
    assert_eq!(bench.run(&came), (UP, came.clone()));
    let again = WayId { generation: 10, ..ID };
    bench.path.open_way(again, &way, Route::Local, Route::By(1)).unwrap();
    assert_eq!(bench.run(&came).0, REDIRECTED);
    assert_eq!(bench.told()[0].0, again);
}

/// Of many ways, since none may fill it alone.
#[test]
fn a_full_ring_costs_records_and_no_packet() {
    let mut bench = Bench::new();
    let (mut passed, mut untold) = (0, 0);
    let mut number = 0;
    while untold < 3 {
        number += 1;
        let source = SocketAddr::new(v4().source.ip(), 4_000 + number);
        let way = Way { source, ..v4() };
        let id = WayId { number: number.into(), ..ID };
        bench.path.open_way(id, &way, Route::Local, Route::By(1)).unwrap();
        let came = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 1_400]));
        for _ in 0..100 {
            assert_eq!(bench.run(&came).0, REDIRECTED);
            passed += 1;
        }
        let count = bench.path.count(id);
        assert_eq!(count.packets, 100);
        untold += count.untold;
    }
    assert_eq!(bench.told().len() as u64, passed - untold);
    let came = frame(v4().source, v4().local, 0, 57, &rtp(0, v4().ssrc, &[1; 1_400]));
    bench.path.open_way(ID, &v4(), Route::Local, Route::By(1)).unwrap();
    assert_eq!(bench.run(&came).0, REDIRECTED);
    assert_eq!(bench.told().len(), 1);
}

/// What is beyond its share goes up as it came: to a socket, where floods have their bounds.
#[test]
fn a_party_that_floods_has_no_more_than_its_share_of_the_ring() {
    let way = v4();
    let mut bench = Bench::with(&way, Route::By(1));
    let came = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    let began = std::time::Instant::now();
    let mut passed = 0;
    for _ in 0..20_000 {
        match bench.run(&came) {
            (REDIRECTED, _) => passed += 1,
            (answer, left) => assert_eq!((answer, &left), (UP, &came)),
        }
    }
    // In each slice of 2^27 ns that was begun.
    let slices = (began.elapsed().as_nanos() >> 27) + 2;
    assert!(passed >= 128 && passed <= 128 * slices, "{passed} in {slices} slices");
    assert_eq!(bench.path.count(ID).packets as u128, passed);
    assert_eq!(bench.told().len() as u128, passed);
}

/// From IPv4 to IPv6, and back.
fn crossed() -> [Way; 2] {
    [Way { from: v6().from, to: v6().to, ..v4() }, Way { from: v4().from, to: v4().to, ..v6() }]
}

/// A frame over IPv4 of which no part goes by itself: it needs no number (RFC 6864 §4.1).
fn unnumbered(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12..14] == [0x08, 0] {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
        let check = sum(&[&frame[14..34]]).to_be_bytes();
        frame[24..26].copy_from_slice(&check);
    }
    frame
}

#[test]
fn a_way_leads_from_one_family_to_the_other() {
    let shift = Shift { ssrc: 0xcafe_f00d, sequence: 10, timestamp: 0x200 };
    for way in crossed() {
        for length in [0, 1, 160, 1_440] {
            let mut bench = Bench::with(&way, Route::By(1));
            let packet = rtp(0, way.ssrc, &vec![0x55; length]);
            let came = frame(way.source, way.local, 0, 57, &packet);
            let left = unnumbered(frame(way.from, way.to, way.tos, 64, &packet));
            assert_eq!(bench.run(&came), (REDIRECTED, left), "{length}");
            assert_eq!(bench.told(), [(ID, packet.len(), packet.clone())]);
        }
        let way = Way { shift: Some(shift), ..way };
        let mut bench = Bench::with(&way, Route::By(1));
        let mut leaves = Vec::new();
        RtpHeader { payload_type: 8, marker: false, sequence: 4, timestamp: 0x100, ssrc: shift.ssrc }
            .write(&mut leaves)
            .unwrap();
        leaves.extend_from_slice(&[7; 33]);
        let came = frame(way.source, way.local, 0, 57, &rtp(8, way.ssrc, &[7; 33]));
        assert_eq!(bench.run(&came), (REDIRECTED, unnumbered(frame(way.from, way.to, way.tos, 64, &leaves))));
    }
}

#[test]
fn what_does_not_fit_into_the_other_family_goes_up() {
    let [way, back] = crossed();
    let mut bench = Bench::with(&way, Route::By(1));
    let mut bare = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    bare[40..42].fill(0);
    assert_eq!(bench.run(&bare), (UP, bare), "without a checksum");
    let large = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 1_441]));
    assert_eq!(bench.run(&large), (UP, large), "its header takes more room");
    assert_eq!(bench.told(), []);
    for way in [way, back] {
        let refused = bench.path.open_way(ID, &way, Route::Local, Route::Local);
        assert!(matches!(refused, Err(Refused::NotForwardable)), "to a socket here");
        let torn = Way { from: way.local, ..way };
        let refused = bench.path.open_way(ID, &torn, Route::Local, Route::By(1));
        assert!(matches!(refused, Err(Refused::NotForwardable)), "two families in one packet");
    }
}

#[test]
fn the_object_is_what_its_source_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bpf");
    let out = tempfile_in_target();
    let compiled = Command::new("make").args(["-s", "-C", folder, &format!("OUT={out}")]).status().unwrap();
    assert!(compiled.success(), "clang 14 and llvm-strip are needed: `make peers` installs them");
    assert!(std::fs::read(&out).unwrap() == OBJECT, "run `make -C crates/kernel/bpf`");
}

fn tempfile_in_target() -> String {
    let out = std::env::temp_dir().join(format!("sidetone-forward-{}.o", std::process::id()));
    out.to_str().unwrap().to_owned()
}

/// Any bytes at all (the kernel itself refuses to try frames without room for an IP header): nothing is touched that is
/// no packet of the way.
#[test]
fn any_frame_goes_up_as_it_came() {
    let way = v4();
    let good = frame(way.source, way.local, 0, 57, &rtp(0, way.ssrc, &[1; 160]));
    let mut bench = Bench::with(&way, Route::By(1));
    // Random bytes never look like IP: some begin as a packet does.
    let frames = (proptest::collection::vec(any::<u8>(), 60..400), prop::sample::select(vec![0, 14, 34, 43]));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(2_000));
    let mut tried = |(mut bytes, kept): (Vec<u8>, usize)| {
        bytes[..kept].copy_from_slice(&good[..kept]);
        let (answer, left) = bench.run(&bytes);
        let told = bench.told();
        if answer == UP {
            prop_assert_eq!(left, bytes);
            prop_assert!(told.is_empty());
        } else {
            prop_assert_eq!(told.len(), 1);
        }
        Ok(())
    };
    let tried = std::cell::RefCell::new(&mut tried);
    runner.run(&frames, |case| (*tried.borrow_mut())(case)).unwrap();
}

/// A BPF file system of the test's own.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "bpf", "bpf"]).arg(folder.path()).status().unwrap();
        assert!(mounted.success(), "these tests mount a BPF file system: run them as root");
        Self(folder)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn what_is_pinned_is_taken_over_with_its_ways_and_what_is_not_is_gone() {
    let bpf = Mounted::new();
    let folder = bpf.0.path().join("sidetone");
    let none: [IpAddr; 0] = [];
    let open = || Path::open_pinned(&none, &folder, "relay-0").unwrap();
    let (mut path, ways) = open();
    assert!(path.unpinned().is_none() && ways.is_empty(), "{:?}", path.unpinned());
    assert!(path.interfaces().contains(&"lo".to_owned()));
    let way = way("127.0.0.1:39000", "127.0.0.1:39002", "127.0.0.1:39004", "127.0.0.1:39006");
    path.open_way(ID, &way, Route::Local, Route::Local).unwrap();
    drop(path);
    // As after a crash: the kernel goes on, and tells the next process of what has passed.
    let (from, to) =
        (std::net::UdpSocket::bind(way.source).unwrap(), std::net::UdpSocket::bind(way.to).unwrap());
    let packet = rtp(0, way.ssrc, &[1; 160]);
    from.send_to(&packet, way.local).unwrap();
    to.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut buffer = [0; 2_048];
    let length = to.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..length], packet);
    let (mut path, ways) = open();
    assert_eq!(ways, [(ID, way)]);
    let mut told = Vec::new();
    path.passed(10, |passed| told.push((passed.id, passed.packet.to_vec())));
    assert_eq!(told, [(ID, packet)]);
    assert_eq!(path.count(ID).packets, 1);
    path.unpin();
    drop(path);
    assert!(open().1.is_empty(), "nothing is left of what was unpinned");
    // What another version has left is unhooked.
    let other = folder.join("relay-0-00000000");
    std::fs::create_dir(&other).unwrap();
    std::fs::rename(
        folder
            .join(
                std::fs::read_dir(&folder)
                    .unwrap()
                    .flatten()
                    .map(|it| it.file_name())
                    .find(|it| *it != "relay-0-00000000")
                    .unwrap(),
            )
            .join("flows"),
        other.join("flows"),
    )
    .unwrap();
    let (_, ways) = open();
    assert!(ways.is_empty() && !other.exists());
}
