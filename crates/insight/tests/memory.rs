//! A call of ten hours holds no more memory than one of ten minutes.
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code)] // a counting allocator is the only honest witness of how much is held

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use common::{angry, call, calm, ms, weeping};
use sidetone_call::Leg;

struct Counting;
static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: hands every call on to the system's allocator unchanged and only counts bytes.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn ten_hours_hold_no_more_than_ten_minutes() {
    let moods = [calm(), angry(), weeping()];
    let before = HELD.load(Ordering::Relaxed);
    let mut call = call();
    let mut after_ten_minutes = 0;
    for half in 0..10 * 3600 * 2u64 {
        let (from, to) = (ms(half * 500), ms(half * 500 + 500));
        let leg = if half % 40 < 25 { Leg::Customer } else { Leg::Agent };
        call.speech(leg, from, to - ms(half % 300));
        call.syllables(leg, 2);
        if leg == Leg::Customer {
            call.affect(to, moods.get((half / 200 % 3) as usize).unwrap());
        }
        match half % 2_000 {
            1_000 => call.hold(leg, from),
            1_100 => call.resume(leg, from),
            _ => {}
        }
        call.advance(to);
        while call.poll().is_some() {}
        if half == 10 * 60 * 2 {
            after_ten_minutes = HELD.load(Ordering::Relaxed) - before;
        }
    }
    let after_ten_hours = HELD.load(Ordering::Relaxed) - before;
    // The alert list and the reasons for abstaining may still fill up to their own bounds.
    assert!(after_ten_hours <= after_ten_minutes + 16 * 1024, "{after_ten_hours} after {after_ten_minutes}");
    assert!(after_ten_hours < 128 * 1024, "{after_ten_hours} bytes");
}

#[test]
fn whoever_never_polls_loses_the_oldest() {
    let mut call = call();
    for half in 0..20_000u64 {
        call.speech(Leg::Customer, ms(half * 500), ms(half * 500 + 500));
        call.affect(ms(half * 500 + 500), &calm());
        call.advance(ms(half * 500 + 500));
    }
    let told: Vec<_> = std::iter::from_fn(|| call.poll()).collect();
    assert_eq!(told.len(), 256);
    assert!(told.last().unwrap().0 > ms(9_990_000), "the newest are there");
}
