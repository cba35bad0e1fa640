use sidetone_events::{Bus, NumberHasher};
use sidetone_handover::Inherited;
use sidetone_sip::anchor::Anchor;
use sidetone_sip::notification::{InfoFilter, Legs};
use sidetone_sip::proxy::{Listener, Proxy, Settings};
use tokio::sync::mpsc::channel;

use sidetone_call::Side;
use tokio::io::AsyncReadExt;

use super::*;
use crate::config::Config;
use crate::routing::PeerName;
use crate::signalling::streams::{QUEUE, Streams};

use sidetone_book::Calls;
use sidetone_relay::Engine;
use sidetone_watch::Alarm;

/// A connection that was made to `owner`.
fn entering(name: Name, owner: Option<PeerName>) -> Entering {
    Entering { name, transport: Transport::Tcp, owner, guest: false, accepted: false }
}

const OPTIONS: &[u8] = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const SOON: Duration = Duration::from_millis(40);
/// Ends a test that would wait for ever; no assertion depends on how long it is.
const LONG: Duration = Duration::from_secs(60);

/// The SIP side on a TCP port of its own, and that port.
fn bound() -> (Arc<Signalling>, SocketAddr) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config: Config = toml::from_str(&format!(
        r#"
        [sip]
        listen = ["tcp:{port}"]
        [media]
        [health]
        options_interval = "0s"
        [[trunk]]
        name = "carrier"
        allow = ["127.0.0.1"]
        hosts = [{{ to = "sip:127.0.0.1:9;transport=tcp" }}]
        [[pbx]]
        name = "pbx"
        allow = ["127.0.0.2"]
        hosts = [{{ to = "sip:127.0.0.2:9;transport=tcp" }}]
        "#
    ))
    .unwrap();
    let epoch = std::time::Instant::now();
    let (notices, _inbox) = channel(16);
    let engine = Engine::start(
        config.media.clone(),
        vec![Vec::new()],
        &notices,
        epoch,
        1,
        &Alarm::new(),
        Inherited::default(),
    )
    .unwrap();
    let settings = Settings::new(vec![Listener::bound(Transport::Tcp, port)]);
    let anchor = Anchor::new(engine, sidetone_sip::anchor::Settings::default());
    let calls = Calls::new(
        Bus::new(),
        NumberHasher::with_random_salt().unwrap(),
        Vec::new(),
        sidetone_book::Rules { media_timeout: LONG, ..Default::default() },
        epoch,
    );
    let asides = InfoFilter::new(anchor, Legs::new(&settings, false), false);
    let calls = Arc::new(calls);
    let hasher = NumberHasher::with_random_salt().unwrap();
    let tracer =
        crate::trace::Tracer::start(hasher, &calls, calls.epoch_wall(), epoch, &Alarm::new()).unwrap();
    let core = Core::new(Arc::new(config), Proxy::new(settings, asides, 1), calls, 1);
    (Signalling::bind(core, Alarm::new(), tracer, epoch, &Inherited::default()).unwrap(), port)
}

fn signalling() -> (Arc<Signalling>, SocketAddr) {
    let (signalling, port) = bound();
    signalling.serve();
    (signalling, port)
}

/// No message is processed before every other resource has been obtained.
#[tokio::test]
async fn what_comes_before_it_is_served_waits() {
    let (signalling, local) = bound();
    let _peer = TcpStream::connect(local).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(signalling.connections(), 0);
    signalling.serve();
    let taken = async {
        while signalling.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, taken).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_never_reads_is_cut_off_and_its_place_freed() {
    let (signalling, local) = signalling();
    let mut peer = TcpStream::connect(local).await.unwrap();
    let to = Destination { transport: Transport::Tcp, local, remote: peer.local_addr().unwrap() };
    let settled = async {
        while signalling.connections() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let message = Bytes::from(vec![b'x'; 60_000]);
        while signalling.connections() > 0 {
            signalling.with(|core, now| {
                signalling.send_stream(core, now, &message, to, false);
            });
            tokio::task::yield_now().await;
        }
        // The bytes that the kernel had taken still arrive, then the end: no socket handle is left.
        let mut buffer = vec![0; 1 << 16];
        while let Ok(1..) = peer.read(&mut buffer).await {}
    };
    timeout(LONG, settled).await.unwrap();
}

#[tokio::test]
async fn a_newer_connection_of_the_same_name_closes_the_older() {
    let streams = Streams::new(2, 64);
    let name = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let (older, _queue) = streams.enter(entering(name, None)).unwrap();
    let (newer, _queue) = streams.enter(entering(name, None)).unwrap();
    timeout(LONG, older.closed.notified()).await.unwrap();
    assert!(streams.leave(name, &older).is_none(), "the older one must not close the newer");
    assert_eq!(streams.len(), 1);
    assert!(streams.leave(name, &newer).is_some());
    assert_eq!(streams.len(), 0);
}

/// Idle connections of one trunk leave room for the next trunk, and those of all trunks for the PBXs.
#[test]
fn no_peer_has_all_the_connections() {
    let streams = Streams::new(20, 64);
    let mut port = 0;
    let mut open = |peer: Option<PeerName>, tries| {
        let entered = (0..tries).filter(|_| {
            port += 1;
            let name = ("127.0.0.1:1".parse().unwrap(), SocketAddr::from(([127, 0, 0, 2], port)));
            streams.enter(entering(name, peer.clone())).is_some()
        });
        entered.count()
    };
    let peer = |side, name: &str| Some((side, name.into()));
    assert_eq!(open(peer(Side::Trunk, "a"), 30), 10);
    assert_eq!(open(peer(Side::Trunk, "b"), 30), 5);
    assert_eq!(open(None, 30), 0);
    assert_eq!(open(peer(Side::Pbx, "c"), 30), 5);
    assert_eq!(streams.refused.load(Relaxed), 20 + 25 + 30 + 25);
}

#[tokio::test]
async fn a_write_that_makes_no_progress_ends() {
    let (writer, _peer) = tokio::io::duplex(16);
    let streams = Streams::new(2, 64);
    let name = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
    let (connection, mut queue) = streams.enter(entering(name, None)).unwrap();
    assert!(connection.push(Bytes::from_static(&[0; 64])));
    let written = timeout(LONG, write(writer, &mut queue, SOON)).await.unwrap();
    assert_eq!(written.err().flatten().map(|bytes| bytes.len()), Some(64), "it is given back");
}

/// Memory is bounded by bytes, for one connection and for all of a peer's; written messages make room again.
#[test]
fn what_waits_is_bounded_by_bytes() {
    let streams = Streams::new(200, 64);
    let long = Bytes::from(vec![b'x'; 100_000]);
    let fill = |connection: &Connection| (0..QUEUE).filter(|_| connection.push(long.clone())).count();
    let mut port = 0;
    let mut open = |peer: &str| {
        port += 1;
        let name = ("127.0.0.1:1".parse().unwrap(), SocketAddr::from(([127, 0, 0, 2], port)));
        streams.enter(entering(name, Some((Side::Pbx, peer.into())))).unwrap()
    };
    let (first, mut queue) = open("a");
    assert_eq!(fill(&first), 10);
    assert!(queue.try_recv().is_ok() && first.push(long.clone()) && !first.push(long.clone()));
    let others: Vec<_> = (0..30).map(|_| open("a")).collect();
    let queued: usize = others.iter().map(|(connection, _)| fill(connection)).sum();
    assert_eq!(queued, 157, "16 MiB, the first ten included");
    assert_eq!(fill(&open("b").0), 10);
    drop((first, queue, others));
}

#[tokio::test]
async fn a_message_that_drips_in_is_cut_however_steadily() {
    let (mut peer, reader) = tokio::io::duplex(64);
    let drip = tokio::spawn(async move {
        peer.write_all(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nSubject: ").await.unwrap();
        while peer.write_all(b"z").await.is_ok() {
            tokio::time::sleep(SOON / 8).await;
        }
    });
    let mut incoming = Incoming::new(reader, LONG, SOON);
    let next = timeout(LONG, incoming.next()).await.unwrap();
    assert!(matches!(next, Err(Closed::Slow)), "{next:?}");
    drop(incoming);
    timeout(LONG, drip).await.unwrap().unwrap();
}

#[tokio::test]
async fn patience_is_per_message_and_silence_between_messages_is_no_slowness() {
    let (mut peer, reader) = tokio::io::duplex(1_024);
    let mut incoming = Incoming::new(reader, LONG, LONG);
    peer.write_all(&[OPTIONS, OPTIONS, b"\r\n\r\n", b"OPT"].concat()).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(incoming.next().await, Ok(Frame::Message(message)) if message == OPTIONS));
        assert!(incoming.begun.is_none(), "a message that is complete is not under way");
    }
    assert!(matches!(incoming.next().await, Ok(Frame::Ping)));
    assert!(timeout(SOON, incoming.next()).await.is_err());
    let begun = incoming.begun.unwrap();
    peer.write_all(b"IONS").await.unwrap();
    assert!(timeout(SOON, incoming.next()).await.is_err());
    assert_eq!(incoming.begun, Some(begun), "more bytes must not buy more time");
    drop(peer);
    assert!(matches!(incoming.next().await, Err(Closed::Ended)));
}
