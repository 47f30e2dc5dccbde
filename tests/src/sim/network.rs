//! The network: connections that lose, delay and cut bytes, as the shell and the clients see them.

use std::collections::BTreeSet;

use gateway::broker::{ConnectionId, Peer, frame_len};
use gateway::engine::Event;

use super::client::News;
use super::site::BEGIN_MS;
use super::world::{Happening, World};

/// A connection, as the network has it.
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) client: usize,
    /// What came to the gateway and was not taken yet.
    inbound: Vec<u8>,
    /// When the last bytes under way reach the gateway, and the client.
    up_ms: u64,
    pub(super) down_ms: u64,
    /// It is cut: nothing that was sent later than this reaches the gateway.
    pub(super) cut_ms: Option<u64>,
}

impl World {
    pub(super) fn transmit(&mut self, to: ConnectionId, bytes: Vec<u8>) {
        self.digest.take(&bytes);
        let ms = self.latency_ms();
        if let Some(link) = self.links.get_mut(&to.generation) {
            link.down_ms = link.down_ms.max(self.now_ms + ms);
            let at_ms = link.down_ms;
            self.at(at_ms, Happening::Arrive(to.generation, bytes));
        }
    }

    fn latency_ms(&mut self) -> u64 {
        match self.chance.below(20) {
            0 => self.chance.within(50, 400),
            _ => self.chance.below(8),
        }
    }

    pub(super) fn come(&mut self, client: usize) -> Result<(), String> {
        if self.site.clients[client].link.is_some() {
            return Ok(());
        }
        if self.process.as_ref().is_none_or(|it| it.is_stopping) {
            // Nobody listens.
            self.after(700, Happening::Come(client));
            return Ok(());
        }
        let is_still_there = self.links.values().any(|link| link.client == client);
        self.marks
            .add("client-took-over", u64::from(is_still_there));
        let taken: BTreeSet<u16> = self.links.values().map(|link| link.id.index).collect();
        let Some(index) = (0..self.site.limits.connections_max).find(|it| !taken.contains(it))
        else {
            self.after(700, Happening::Come(client));
            return Ok(());
        };
        self.generation += 1;
        let id = ConnectionId {
            index,
            generation: self.generation,
        };
        let link = Link {
            id,
            client,
            inbound: Vec::new(),
            up_ms: self.now_ms,
            down_ms: self.now_ms,
            cut_ms: None,
        };
        self.links.insert(id.generation, link);
        let peer = Peer { loopback: false };
        self.tell(Event::Opened {
            connection: id,
            peer,
        })?;
        let connect = self.site.clients[client].open(id);
        self.send_up(client, &[connect]);
        Ok(())
    }

    /// A client's packets go on their way, in pieces or together.
    pub(super) fn send_up(&mut self, client: usize, packets: &[Vec<u8>]) {
        let Some(id) = self.site.clients[client].link else {
            return;
        };
        let mut bytes = packets.concat();
        while !bytes.is_empty() {
            let len = bytes.len() as u64;
            let rest = if len > 1 && self.chance.one_in(8) {
                self.marks.hit("fragment");
                bytes.split_off(self.chance.within(1, len - 1) as usize)
            } else {
                Vec::new()
            };
            let ms = self.latency_ms();
            let Some(link) = self.links.get_mut(&id.generation) else {
                return;
            };
            link.up_ms = link.up_ms.max(self.now_ms + ms);
            let at_ms = link.up_ms;
            self.at(at_ms, Happening::Reach(id.generation, bytes));
            bytes = rest;
        }
    }

    pub(super) fn reach(&mut self, link: u32, bytes: &[u8]) -> Result<(), String> {
        let now_ms = self.now_ms;
        match self.links.get_mut(&link) {
            Some(it) if it.cut_ms.is_none_or(|cut_ms| now_ms < cut_ms) => {
                it.inbound.extend(bytes);
                self.receive(link)
            }
            _ => Ok(()),
        }
    }

    /// Hands whole packets to the engine, as far as it takes them; as the shell does.
    fn receive(&mut self, number: u32) -> Result<(), String> {
        while let Some(link) = self.links.get_mut(&number) {
            let len = match frame_len(&link.inbound, self.site.limits.packet_bytes_max) {
                Ok(Some(len)) if len <= link.inbound.len() => len,
                Ok(_) => break,
                Err(error) => return Err(format!("a client's bytes begin no packet: {error:?}")),
            };
            let connection = link.id;
            let Some(process) = self.process.as_ref().filter(|it| !it.is_stopping) else {
                break;
            };
            if !process.engine.accepts(connection, &link.inbound[..len]) {
                self.marks.hit("held");
                self.held.insert(number);
                return Ok(());
            }
            let packet: Vec<u8> = link.inbound.drain(..len).collect();
            let device = &self.site.clients[link.client].name;
            self.oracle
                .note_given(device, BEGIN_MS + self.now_ms as i64);
            self.tell(Event::Received {
                connection,
                packet: &packet,
            })?;
        }
        self.held.remove(&number);
        Ok(())
    }

    pub(super) fn resume_held(&mut self) -> Result<(), String> {
        for link in self.held.clone() {
            self.receive(link)?;
        }
        Ok(())
    }

    /// Bytes arrive at a client, and are written as far as the gateway is concerned.
    pub(super) fn arrive(&mut self, number: u32, bytes: &[u8]) -> Result<(), String> {
        let Some(link) = self.links.get(&number) else {
            return Ok(());
        };
        let (connection, client) = (link.id, link.client);
        if link.cut_ms.is_none() && self.site.clients[client].link == Some(connection) {
            let (out, news) = self.site.clients[client].receive(bytes, &mut self.marks);
            self.send_up(client, &out);
            for news in news {
                self.hear(client, news)?;
            }
        }
        let bytes = bytes.len();
        self.tell(Event::Drained { connection, bytes })
    }

    fn hear(&mut self, client: usize, news: News) -> Result<(), String> {
        match news {
            News::Answered(message, reason) => {
                self.oracle.note_answer(message, reason, &mut self.marks)?;
            }
            News::Message(_, payload) => self.hear_alert(&payload)?,
            // The subscriber is the one without a device.
            News::Subscribed => self.oracle.note_subscribed(),
            News::SessionLost => self.oracle.deaf |= client == self.site.sources.len(),
        }
        Ok(())
    }

    fn hear_alert(&mut self, payload: &[u8]) -> Result<(), String> {
        let alert: serde_json::Value = serde_json::from_slice(payload)
            .map_err(|error| format!("an alert's message is no JSON: {error}"))?;
        let id = alert["id"].as_u64().unwrap_or_default();
        self.oracle.note_heard(id, alert["state"] == "raised");
        self.marks.hit("alert-heard");
        Ok(())
    }

    pub(super) fn hang_up(&mut self, link: u32) -> Result<(), String> {
        if let Some(link) = self.links.remove(&link) {
            self.drop_client(link.client, link.id.generation);
            self.tell(Event::Closed {
                connection: link.id,
            })?;
        }
        Ok(())
    }

    pub(super) fn drop_client(&mut self, client: usize, link: u32) {
        let it = &mut self.site.clients[client];
        if it.link.is_some_and(|id| id.generation == link) {
            it.close();
            let ms = self.chance.within(5, 2_000);
            self.after(ms, Happening::Come(client));
        }
    }
}
