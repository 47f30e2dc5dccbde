//! How long an alert takes: from the write of the reading that breaks the rule to the read of the alert by a subscriber.
//!
//! A value above and a value below the limit of `sensors/bench/alarm` take turns; each turn raises or clears the alert.
//! Nothing waits for an acknowledgement, for what is measured is the way past the disk.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use clap::Parser;
use hdrhistogram::Histogram;
use tests::clock::{Stopwatch, pause};

#[derive(Debug, Parser)]
struct Arguments {
    /// Broker.
    #[arg(long, default_value = "127.0.0.1:1883")]
    broker: String,
    /// Alerts to wait for.
    #[arg(long, default_value_t = 500)]
    alerts: u32,
    /// Between two readings, ms.
    #[arg(long, default_value_t = 20)]
    every_ms: u64,
    /// Longest wait for one alert, ms.
    #[arg(long, default_value_t = 10_000)]
    wait_ms: u64,
}

const CONNECT: [&[u8]; 2] = [
    b"\x10\x14\x00\x04MQTT\x04\x02\x00\x00\x00\x08bench-pu",
    b"\x10\x14\x00\x04MQTT\x04\x02\x00\x00\x00\x08bench-su",
];
const SUBSCRIBE: &[u8] = b"\x82\x1f\x00\x01\x00\x1atidegate/+/alert/bench/+/+\x00";
const TOPIC: &[u8] = b"sensors/bench/alarm";

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut publisher = connect(&arguments, CONNECT[0])?;
    let mut subscriber = connect(&arguments, CONNECT[1])?;
    subscriber.write_all(SUBSCRIBE)?;
    read_packet(&mut subscriber)?;
    publish(&mut publisher, b"0")?;
    drain(&mut subscriber)?;
    let mut latencies =
        Histogram::<u64>::new_with_bounds(1, 600_000_000, 3).map_err(io::Error::other)?;
    for turn in 0..arguments.alerts {
        let (value, state): (&[u8], _) = if turn % 2 == 0 {
            (b"100", "\"raised\"")
        } else {
            (b"0", "\"cleared\"")
        };
        let watch = Stopwatch::start();
        publish(&mut publisher, value)?;
        let packet = read_packet(&mut subscriber)?;
        latencies.saturating_record(watch.micros());
        if !String::from_utf8_lossy(&packet).contains(state) {
            return Err(io::Error::other(format!("turn {turn}: expected {state}")));
        }
        pause(Duration::from_millis(arguments.every_ms));
    }
    println!(
        "{{\"alerts\":{},\"alert_us\":{{\"p50\":{},\"p99\":{},\"max\":{}}}}}",
        arguments.alerts,
        latencies.value_at_quantile(0.5),
        latencies.value_at_quantile(0.99),
        latencies.max()
    );
    Ok(())
}

fn connect(arguments: &Arguments, packet: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(&arguments.broker)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(arguments.wait_ms)))?;
    stream.write_all(packet)?;
    match read_packet(&mut stream)?[..] {
        [0x20, 2, _, 0] => Ok(stream),
        ref answer => Err(io::Error::other(format!("refused: {answer:02x?}"))),
    }
}

/// At QoS 0: no acknowledgement comes, so none is waited for.
fn publish(stream: &mut TcpStream, value: &[u8]) -> io::Result<()> {
    let mut packet = vec![
        0x30,
        (2 + TOPIC.len() + value.len()) as u8,
        0,
        TOPIC.len() as u8,
    ];
    packet.extend_from_slice(TOPIC);
    packet.extend_from_slice(value);
    stream.write_all(&packet)
}

/// What is retained from an earlier run.
fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let timeout = stream.read_timeout()?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    while read_packet(stream).is_ok() {}
    stream.set_read_timeout(timeout)
}

fn read_packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 1];
    stream.read_exact(&mut packet)?;
    let mut remaining = 0_usize;
    for shift in [0, 7, 14, 21] {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        packet.push(byte[0]);
        remaining |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            break;
        }
    }
    let start = packet.len();
    packet.resize(start + remaining, 0);
    stream.read_exact(&mut packet[start..])?;
    Ok(packet)
}
