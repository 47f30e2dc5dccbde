//! No allocation on the way of a reading: counted per thread, over a million readings through broker, engine and pipeline.
#![allow(
    unsafe_code,
    reason = "a global allocator cannot be written without; it only counts and passes on"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use tests::harness::{Gateway, Sink};

/// The system's allocator, with a count for each thread: another thread's allocations are not ours.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SENSORS: u64 = 100;
const READINGS: u64 = 1_000_000;

fn publish_all(
    gateway: &mut Gateway,
    sink: &mut Sink,
    packet: &mut Vec<u8>,
    from: u64,
    count: u64,
) {
    for number in from..from + count {
        let (sensor, at) = (number % SENSORS, number / SENSORS);
        gateway.write_publish(packet, sensor, at, number);
        gateway.receive(packet, at * 10, sink);
    }
}

#[test]
fn a_million_readings_allocate_nothing() {
    let mut sink = Sink::default();
    let mut gateway = Gateway::connected(&mut sink);
    let mut packet = Vec::with_capacity(256);
    // Sensors are registered, buffers find their size, the first windows close.
    publish_all(&mut gateway, &mut sink, &mut packet, 0, 50_000);
    let before = ALLOCATIONS.get();
    publish_all(&mut gateway, &mut sink, &mut packet, 50_000, READINGS);
    gateway.wait(100, &mut sink);
    let counted = ALLOCATIONS.get() - before;
    let status = gateway.engine.status();
    assert_eq!(status.counters.readings, READINGS + 50_000);
    assert_eq!(
        sink.acknowledged,
        READINGS + 50_000,
        "each was acknowledged after its commit"
    );
    assert!(sink.rows > 100, "batches were sealed: {}", sink.rows);
    assert_eq!(counted, 0, "allocations on the way of {READINGS} readings");
}
