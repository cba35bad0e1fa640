//! What handshakes cost: `cargo run --release -p sidetone-handshake --example handshake_cost`.
//!
//! Both ends of each handshake run here, so a handshake of ours with a peer elsewhere costs half of what both cost.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use sidetone_handshake::stun::{ANSWER, testing::Check};
use sidetone_handshake::{Credentials, Dtls, Handshake, IceLite, Identity, Output, Role, Settings, Trust};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; two numbers are counted beside it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        TAKEN.fetch_add(1, Relaxed);
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn pair(settings: &Arc<Settings>, trust: Trust) -> (Dtls, Dtls) {
    let expected = || settings.identity().fingerprint().into();
    (
        Dtls::new(Arc::clone(settings), Role::Client, trust, expected()),
        Dtls::new(Arc::clone(settings), Role::Server, trust, expected()),
    )
}

fn shake(client: &mut Dtls, server: &mut Dtls, now: Instant) {
    server.aim(now, address(1));
    client.aim(now, address(2));
    let mut keys = 0;
    while keys < 2 {
        while let Some(output) = client.poll() {
            match output {
                Output::Datagram { bytes, .. } => server.receive(now, address(1), &bytes),
                Output::Keys(_) => keys += 1,
                other => panic!("{other:?}"),
            }
        }
        while let Some(output) = server.poll() {
            match output {
                Output::Datagram { bytes, .. } => client.receive(now, address(2), &bytes),
                Output::Keys(_) => keys += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn main() {
    let settings = Arc::new(Settings::new(Identity::generate().unwrap(), false).unwrap());
    let now = Instant::now();

    let rounds = 1_000;
    let began = Instant::now();
    for _ in 0..rounds {
        let (mut client, mut server) = pair(&settings, Trust::Ice);
        shake(&mut client, &mut server, now);
    }
    let both = began.elapsed() / rounds;
    println!(
        "a handshake: {both:?} for both ends, {:.0} a second a core with peers elsewhere",
        2.0 / both.as_secs_f64()
    );

    let before = HELD.load(Relaxed);
    let sessions: Vec<(Dtls, Dtls)> = (0..100).map(|_| pair(&settings, Trust::Ice)).collect();
    println!("a session that waits: {} octets", (HELD.load(Relaxed) - before) / 200);
    drop(sessions);
    let before = HELD.load(Relaxed);
    let sessions: Vec<(Dtls, Dtls)> = (0..100)
        .map(|_| {
            let (mut client, mut server) = pair(&settings, Trust::Ice);
            shake(&mut client, &mut server, now);
            (client, server)
        })
        .collect();
    println!("a session that has its keys: {} octets", (HELD.load(Relaxed) - before) / 200);
    drop(sessions);

    // A stranger's ClientHello, which is answered by a cookie.
    let (mut client, mut server) = pair(&settings, Trust::Cookie);
    client.aim(now, address(2));
    let Some(Output::Datagram { bytes, .. }) = client.poll() else { panic!("no ClientHello") };
    let rounds = 100_000;
    let began = Instant::now();
    for _ in 0..rounds {
        server.receive(now, address(1), black_box(&bytes));
        black_box(server.poll());
    }
    println!("a ClientHello without cookie: {:?}", began.elapsed() / rounds);

    let ours = Credentials::generate(|octets| octets.fill(7));
    let mut agent = IceLite::new(&ours, Some("theirs"));
    let mut out = [0; ANSWER];
    let check = |password: Option<&str>| {
        let check = Check {
            username: Some(format!("{}:theirs", ours.fragment())),
            password: password.map(str::to_owned),
            priority: 1,
            nominate: true,
            controlled: false,
            others: Vec::new(),
            fingerprint: true,
        };
        check.write([3; 12])
    };
    for (what, datagram) in [
        ("a check", check(Some(ours.password()))),
        ("a stranger's check, wrong password", check(Some("another"))),
        ("a stranger's check, no password", check(None)),
    ] {
        let taken = TAKEN.load(Relaxed);
        let began = Instant::now();
        for _ in 0..rounds {
            black_box(agent.receive(now, address(1), black_box(&datagram), &mut out));
        }
        println!("{what}: {:?}, {} allocations", began.elapsed() / rounds, TAKEN.load(Relaxed) - taken);
    }
}
