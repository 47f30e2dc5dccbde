//! A broker for one subscriber that does wrong by seed, and keeps count of it.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use sensor_sim::chance::Chance;

/// How often it does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conduct {
    /// Share of the messages that are lost, doubled, altered, reordered or accompanied by an invented one.
    pub(crate) misdeeds: f64,
    /// Share of the messages that are delivered, and whose connection is cut before they are acknowledged.
    pub(crate) cuts: f64,
    /// Share of the messages that are acknowledged and refused, as a gateway does, which tells of it.
    pub(crate) refusals: f64,
    /// Share of the messages that are refused without a word.
    pub(crate) hushed: f64,
}

/// What it did wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) changed: u64,
    pub(crate) reordered: u64,
    pub(crate) invented: u64,
    pub(crate) refused: u64,
    pub(crate) hushed: u64,
}

/// The broker. Its threads end with their connections.
pub(crate) struct Broker {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    conduct: Conduct,
    chance: Chance,
    subscriber: Option<TcpStream>,
    /// Whether it wants to know what is refused.
    is_asked: bool,
    /// Kept back, by topic, until the next one of that topic is delivered.
    held: HashMap<Vec<u8>, Vec<u8>>,
    delivered: HashSet<(Vec<u8>, Vec<u8>)>,
    messages: u64,
    done: Done,
}

impl Broker {
    pub(crate) fn start(seed: u64, conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new((
            Mutex::new(State {
                conduct,
                chance: Chance::new(seed, "broker", "misdeeds"),
                subscriber: None,
                is_asked: false,
                held: HashMap::new(),
                delivered: HashSet::new(),
                messages: 0,
                done: Done::default(),
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                // A connection ends when its peer goes away; that is no failure of the test.
                thread::spawn(move || serve(stream, &shared).unwrap_or_default());
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    pub(crate) fn done(&self) -> Done {
        self.state.0.lock().unwrap().done
    }

    pub(crate) fn wait_for_subscriber(&self) {
        self.wait(|state| state.subscriber.is_some());
    }

    pub(crate) fn wait_for_messages(&self, count: u64) {
        self.wait(|state| state.messages >= count);
    }

    fn wait(&self, is_so: impl Fn(&State) -> bool) {
        let (state, changed) = &*self.state;
        let guard = state.lock().unwrap();
        let wait = core::time::Duration::from_secs(30);
        let (_guard, waited) = changed
            .wait_timeout_while(guard, wait, |state| !is_so(state))
            .unwrap();
        assert!(!waited.timed_out(), "nothing came within {wait:?}");
    }
}

fn serve(mut stream: TcpStream, shared: &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (first, body) = read_packet(&mut reader)?;
        let mut state = shared.0.lock().unwrap();
        match first >> 4 {
            1 => stream.write_all(&[0x20, 2, 0, 0])?,
            8 => {
                stream.write_all(&[0x90, 3, body[0], body[1], 1])?;
                state.subscriber = Some(stream.try_clone()?);
                state.is_asked |= body.windows(9).any(|it| it == b"tidegate/");
                state.tell_status()?;
            }
            3 => {
                let topic_end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let (topic, rest) = (&body[2..topic_end], &body[topic_end..]);
                let (id, payload) = (&rest[..2], &rest[2..]);
                state.messages += 1;
                state.take(topic, payload)?;
                let cuts = state.conduct.cuts;
                if cuts > 0.0 && state.chance.unit() < cuts {
                    return stream.shutdown(Shutdown::Both);
                }
                stream.write_all(&[0x40, 2, id[0], id[1]])?;
            }
            14 => {
                state.release()?;
                state.tell_status()?;
            }
            _ => {}
        }
        shared.1.notify_all();
    }
}

impl State {
    fn take(&mut self, topic: &[u8], payload: &[u8]) -> std::io::Result<()> {
        let Conduct {
            refusals, hushed, ..
        } = self.conduct;
        if refusals + hushed > 0.0 {
            let chance = self.chance.unit();
            if chance < refusals {
                return self.refuse(topic, payload);
            }
            if chance < refusals + hushed {
                self.done.hushed += 1;
                return Ok(());
            }
        }
        if let Some(held) = self.held.remove(topic) {
            self.deliver(topic, payload)?;
            self.done.reordered += 1;
            return self.deliver(topic, &held);
        }
        if self.conduct.misdeeds == 0.0 || self.chance.unit() >= self.conduct.misdeeds {
            return self.deliver(topic, payload);
        }
        match self.chance.below(5) {
            0 => self.done.lost += 1,
            1 => {
                self.deliver(topic, payload)?;
                self.deliver(topic, payload)?;
            }
            2 => {
                self.done.changed += 1;
                self.deliver(
                    topic,
                    &altered(payload, |object| object["value"] = (-999.25).into()),
                )?;
            }
            3 => drop(self.held.insert(topic.to_vec(), payload.to_vec())),
            _ => {
                self.deliver(topic, payload)?;
                self.done.invented += 1;
                self.deliver(topic, &altered(payload, |object| object["ts"] = 7.into()))?;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, topic: &[u8], payload: &[u8]) -> std::io::Result<()> {
        self.done.refused += 1;
        let error = serde_json::json!({
            "topic": String::from_utf8_lossy(topic), "reason": "a mood at line 1 column 7",
            "offset": 6, "payload": String::from_utf8_lossy(payload), "at": 0,
        });
        self.tell(b"tidegate/proof/errors", &error)
    }

    fn tell_status(&mut self) -> std::io::Result<()> {
        let counters = serde_json::json!({ "payloads_refused": self.done.refused });
        self.tell(
            b"tidegate/proof/status",
            &serde_json::json!({ "counters": counters }),
        )
    }

    fn tell(&mut self, topic: &[u8], message: &serde_json::Value) -> std::io::Result<()> {
        if self.is_asked {
            self.send(topic, message.to_string().as_bytes())?;
        }
        Ok(())
    }

    /// Delivers what is kept back. The publisher is going.
    fn release(&mut self) -> std::io::Result<()> {
        for (topic, payload) in core::mem::take(&mut self.held) {
            self.deliver(&topic, &payload)?;
        }
        Ok(())
    }

    fn deliver(&mut self, topic: &[u8], payload: &[u8]) -> std::io::Result<()> {
        let is_invented = payload.starts_with(b"{\"ts\":7,");
        if !is_invented && !self.delivered.insert((topic.to_vec(), payload.to_vec())) {
            self.done.doubled += 1;
        }
        self.send(topic, payload)
    }

    fn send(&mut self, topic: &[u8], payload: &[u8]) -> std::io::Result<()> {
        let mut packet = vec![0x30];
        let mut length = 2 + topic.len() + payload.len();
        while length >= 0x80 {
            packet.push(length as u8 | 0x80);
            length >>= 7;
        }
        packet.push(length as u8);
        packet.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        packet.extend_from_slice(topic);
        packet.extend_from_slice(payload);
        self.subscriber.as_mut().unwrap().write_all(&packet)
    }
}

fn altered(payload: &[u8], alter: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut object = serde_json::from_slice(payload).unwrap();
    alter(&mut object);
    // The time stands first again, by which an invented one is known.
    let time = object["ts"].as_i64().unwrap();
    format!("{{\"ts\":{time},\"value\":{}}}", object["value"]).into_bytes()
}

fn read_packet(reader: &mut BufReader<TcpStream>) -> std::io::Result<(u8, Vec<u8>)> {
    let byte = |reader: &mut BufReader<TcpStream>| {
        let mut byte = [0];
        reader.read_exact(&mut byte).map(|()| byte[0])
    };
    let first = byte(reader)?;
    let mut length = 0;
    for shift in (0..28).step_by(7) {
        let next = byte(reader)?;
        length |= usize::from(next & 0x7F) << shift;
        if next < 0x80 {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, body))
}
