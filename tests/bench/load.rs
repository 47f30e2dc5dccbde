//! A load for the benches: connections that publish QoS 1 messages with a window each, as fast as they are acknowledged
//! or at a rate, and what a process spends meanwhile.
//!
//! It prints one JSON object: messages, seconds, PUBACK latency in µs, and CPU seconds and memory of `--pid`. With `--until-up`
//! it sends nothing, and ends once the broker answers.

use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net;

use clap::Parser;
use hdrhistogram::Histogram;
use tests::clock::{Stopwatch, pause};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Broker.
    #[arg(long, default_value = "127.0.0.1:1883")]
    broker: String,
    /// Connections.
    #[arg(long, default_value_t = 100)]
    connections: u32,
    /// Messages that each sends.
    #[arg(long, default_value_t = 10_000)]
    messages: u32,
    /// Messages of each that wait for their acknowledgement at once.
    #[arg(long, default_value_t = 20)]
    window: usize,
    /// Bytes of a payload, at least.
    #[arg(long, default_value_t = 200)]
    payload: usize,
    /// Messages a second, all together; as fast as they are acknowledged if absent.
    #[arg(long)]
    rate: Option<f64>,
    /// Whose CPU time and memory are told.
    #[arg(long)]
    pid: Option<u32>,
    /// Send nothing, but wait for so many seconds at most until a CONNECT is answered: a port that listens may be served
    /// much later.
    #[arg(long)]
    until_up: Option<u64>,
}

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// Clock ticks a second of `/proc/PID/stat` (`sysconf(_SC_CLK_TCK)` on every Linux that we know).
const TICKS_PER_SECOND: f64 = 100.0;
/// Between two looks for a broker.
const LOOK_MS: u64 = 100;
/// Longest wait for one CONNACK, ms: a broker whose disk stands still may take seconds.
const CONNACK_MS_MAX: u64 = 10_000;
/// CONNACK of 3.1.1 to a session that is new.
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];
/// The time of the first reading, ms.
const FIRST_MS: u64 = 1_764_000_000_000;

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(seconds) = arguments.until_up {
        return wait_until_up(&arguments.broker, seconds);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let before = arguments.pid.map(spent).transpose()?;
    let watch = Stopwatch::start();
    let latencies = runtime.block_on(run(&arguments, watch))?;
    let seconds = watch.micros() as f64 / 1e6;
    let after = arguments.pid.map(spent).transpose()?;
    let messages = f64::from(arguments.connections) * f64::from(arguments.messages);
    let mut report = format!(
        "{{\"messages\":{messages},\"seconds\":{seconds:.2},\"per_second\":{:.0},\"puback_us\":{{\"p50\":{},\"p99\":{},\"max\":{}}}",
        messages / seconds,
        latencies.value_at_quantile(0.5),
        latencies.value_at_quantile(0.99),
        latencies.max(),
    );
    if let (Some(before), Some(after)) = (before, after) {
        let cpu = after.cpu_seconds - before.cpu_seconds;
        report += &format!(
            ",\"cpu_seconds\":{cpu:.2},\"cpu_seconds_per_million\":{:.2},\"rss_kib\":{},\"rss_peak_kib\":{}",
            cpu * 1e6 / messages,
            after.rss_kib,
            after.rss_peak_kib,
        );
    }
    println!("{report}}}");
    Ok(())
}

fn wait_until_up(broker: &str, seconds: u64) -> io::Result<()> {
    let watch = Stopwatch::start();
    loop {
        match greet(broker) {
            Ok(()) => return Ok(()),
            Err(error) if watch.micros() / 1_000_000 >= seconds => {
                let message = format!("{broker} answers no CONNECT: {error}");
                return Err(io::Error::new(error.kind(), message));
            }
            Err(_) => pause(Duration::from_millis(LOOK_MS)),
        }
    }
}

/// One CONNECT, and its CONNACK.
fn greet(broker: &str) -> io::Result<()> {
    let mut stream = net::TcpStream::connect(broker)?;
    stream.set_read_timeout(Some(Duration::from_millis(CONNACK_MS_MAX)))?;
    stream.write_all(&connect(0))?;
    let mut answer = [0; CONNACK.len()];
    stream.read_exact(&mut answer)?;
    check_connack(answer)
}

fn check_connack(answer: [u8; CONNACK.len()]) -> io::Result<()> {
    if answer == CONNACK {
        Ok(())
    } else {
        Err(io::Error::other(format!("refused: CONNACK {answer:02x?}")))
    }
}

async fn run(arguments: &Arguments, watch: Stopwatch) -> io::Result<Histogram<u64>> {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let tasks: Vec<_> = (0..arguments.connections)
                .map(|number| tokio::task::spawn_local(publish(arguments.clone(), number, watch)))
                .collect();
            let mut all = histogram();
            for task in tasks {
                let latencies = task.await.map_err(io::Error::other)??;
                all.add(latencies).map_err(io::Error::other)?;
            }
            Ok(all)
        })
        .await
}

/// One connection's life.
async fn publish(
    arguments: Arguments,
    number: u32,
    watch: Stopwatch,
) -> io::Result<Histogram<u64>> {
    let mut stream = TcpStream::connect(&arguments.broker).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&connect(number)).await?;
    let mut answer = [0; CONNACK.len()];
    stream.read_exact(&mut answer).await?;
    check_connack(answer)?;
    let mut latencies = histogram();
    let mut waiting: VecDeque<u64> = VecDeque::with_capacity(arguments.window);
    let mut unread = Vec::with_capacity(READ_BYTES);
    let (mut sent, mut acknowledged) = (0, 0);
    let mut packets = Vec::with_capacity(READ_BYTES);
    while acknowledged < arguments.messages {
        packets.clear();
        while waiting.len() < arguments.window && sent < arguments.messages {
            let due = arguments.rate.map(|rate| {
                let each = rate / f64::from(arguments.connections);
                ((f64::from(sent) + f64::from(number) / f64::from(arguments.connections)) * 1e6
                    / each) as u64
            });
            let now = watch.micros();
            if due.is_some_and(|due| due > now) {
                break;
            }
            write_publish(&mut packets, &arguments, number, sent);
            waiting.push_back(due.unwrap_or(now));
            sent += 1;
        }
        stream.write_all(&packets).await?;
        if waiting.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        if arguments.rate.is_some() {
            // Looks up again when the next message may be due.
            let read = stream.read_buf(&mut unread);
            if tokio::time::timeout(Duration::from_millis(2), read)
                .await
                .is_err()
            {
                continue;
            }
        } else if stream.read_buf(&mut unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let pubacks = unread.len() / 4;
        for _ in 0..pubacks {
            if let Some(since) = waiting.pop_front() {
                latencies.saturating_record(watch.micros().saturating_sub(since));
            }
            acknowledged += 1;
        }
        unread.drain(..pubacks * 4);
    }
    Ok(latencies)
}

/// 1 µs to 10 minutes with three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3)
        .unwrap_or_else(|_| unreachable!("these bounds are allowed"))
}

fn connect(number: u32) -> Vec<u8> {
    let id = format!("load-{number}");
    let mut packet = vec![0x10, (12 + id.len()) as u8];
    packet.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x3c");
    packet.extend_from_slice(&(id.len() as u16).to_be_bytes());
    packet.extend_from_slice(id.as_bytes());
    packet
}

fn write_publish(packets: &mut Vec<u8>, arguments: &Arguments, number: u32, sent: u32) {
    let topic = format!("sensors/load-{number}/t");
    let mut payload = Vec::with_capacity(arguments.payload);
    // Writing into a vector cannot fail.
    let _ = write!(
        payload,
        "{{\"ts\":{},\"value\":{}.{:02},\"note\":\"",
        FIRST_MS + u64::from(sent) * 10,
        20 + sent % 7,
        sent % 100
    );
    payload.resize(arguments.payload.saturating_sub(2).max(payload.len()), b'x');
    payload.extend_from_slice(b"\"}");
    let remaining = 2 + topic.len() + 2 + payload.len();
    packets.push(0x32);
    let mut rest = remaining;
    while rest >= 0x80 {
        packets.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    packets.push(rest as u8);
    packets.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    packets.extend_from_slice(topic.as_bytes());
    packets.extend_from_slice(&((sent % 65_535 + 1) as u16).to_be_bytes());
    packets.extend_from_slice(&payload);
}

struct Spent {
    cpu_seconds: f64,
    rss_kib: u64,
    rss_peak_kib: u64,
}

/// What a process has spent, from `/proc`.
fn spent(pid: u32) -> io::Result<Spent> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |key: &str| {
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix(key)?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    Ok(Spent {
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
        rss_kib: kib("VmRSS:"),
        rss_peak_kib: kib("VmHWM:"),
    })
}
