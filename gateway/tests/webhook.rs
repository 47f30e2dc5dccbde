//! An alert reaches the webhook of a running gateway, once.
#![expect(
    clippy::expect_used,
    reason = "a test ends where what it stands on fails"
)]

use core::time::Duration;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Longer than anything takes; only a hang is slower.
const PATIENCE: Duration = Duration::from_secs(60);

/// CONNECT of a client named `t`, protocol 3.1.1, clean session.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01t";

struct Gateway {
    process: Child,
    port: u16,
}

impl Gateway {
    fn start(config: &Path, port: u16) -> Self {
        let process = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["run", "--config"])
            .arg(config)
            .stderr(Stdio::null())
            .spawn()
            .expect("the program");
        Self { process, port }
    }

    /// Publishes a reading; returns once it is durable.
    fn publish(&self, value: &str) {
        let mut stream = self.connect();
        stream.write_all(CONNECT).expect("it reads");
        expect(&mut stream, b"\x20\x02\x00\x00");
        let topic = b"sensors/pump/t";
        let length = 2 + topic.len() + 2 + value.len();
        let mut packet = vec![0x32, length as u8, 0, topic.len() as u8];
        packet.extend_from_slice(topic);
        packet.extend_from_slice(&[0, 1]);
        packet.extend_from_slice(value.as_bytes());
        stream.write_all(&packet).expect("it reads");
        expect(&mut stream, b"\x40\x02\x00\x01");
    }

    fn connect(&self) -> TcpStream {
        for _ in 0..600 {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
                    return stream;
                }
                Err(_) => thread::park_timeout(Duration::from_millis(100)),
            }
        }
        panic!("the gateway does not listen");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut found = vec![0; bytes.len()];
    stream.read_exact(&mut found).expect("an answer");
    assert_eq!(found, bytes);
}

fn free_port() -> u16 {
    let probe = TcpListener::bind("127.0.0.1:0").expect("a port");
    probe.local_addr().expect("bound").port()
}

/// Takes posts for ever, and hands their bodies on.
fn serve(listener: TcpListener) -> Receiver<String> {
    let (sender, bodies) = sync_channel(16);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let body = read_body(&mut stream);
            stream
                .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                .expect("it listens");
            if sender.send(body).is_err() {
                return;
            }
        }
    });
    bodies
}

fn read_body(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 2048];
    loop {
        let len = stream.read(&mut buffer).expect("a request");
        text.push_str(core::str::from_utf8(&buffer[..len]).expect("text"));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .expect("its length");
        if body.len() >= length {
            return body.to_owned();
        }
    }
}

#[test]
fn an_alert_is_posted_once_over_a_kill() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/alerts", listener.local_addr().expect("bound"));
    let bodies = serve(listener);
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let config = dir.path().join("gateway.toml");
    let text = format!(
        "[gateway]\nid = \"edge-1\"\n[broker]\nlisten = \"127.0.0.1:{port}\"\nallow_anonymous = true\n\
         [store]\ndir = \"{}\"\n[webhook]\nurl = \"{url}\"\n\
         [[sensor]]\nsignal = \"t\"\n[[sensor.alerts]]\nname = \"hot\"\nabove = 80.0\n",
        dir.path().join("store").display()
    );
    fs::write(&config, text).expect("room");

    let first = Gateway::start(&config, port);
    first.publish("91.5");
    let raised = bodies.recv_timeout(PATIENCE).expect("a post");
    assert!(raised.contains(r#""state":"raised""#), "{raised}");
    assert!(raised.contains(r#""device":"pump""#), "{raised}");
    drop(first);

    let second = Gateway::start(&config, port);
    second.publish("20.5");
    let cleared = bodies.recv_timeout(PATIENCE).expect("a post");
    assert!(
        cleared.contains(r#""state":"cleared""#),
        "the alert of before the kill is not posted again: {cleared}"
    );
    drop(second);
}
