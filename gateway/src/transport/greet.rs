//! What happens at a door: the handshakes, and the word to those for whom there is no place.

use core::time::Duration;
use std::io;

use tokio::io::Interest;
use tokio::time::timeout;

use super::doors::{Door, Hall};
use super::places::{NoPlace, Ticket};
use super::socket::Socket;
use super::stream::Stream;
use super::tls::Tls;
use super::websocket::{Opened, Opening};
use super::wire::Wire;
use super::{Arrival, Guest};
use crate::broker::{self, ReasonCode, VERSION_BYTES_MAX};
use crate::config::Protocol;
use crate::limits::{HANDSHAKE_TIMEOUT_MS, TURN_AWAY_MS_MAX};
use crate::refusals::Refused;

/// Shakes hands with a peer; then it is led in, or turned away.
pub(super) async fn greet(
    hall: &Hall,
    door: &Door,
    socket: Socket,
    mut guest: Guest,
    place: Result<Ticket, NoPlace>,
) {
    let patience = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
    let shaken = timeout(patience, shake(hall, door, socket, &mut guest)).await;
    let stream = match shaken {
        Ok(Ok(Some(stream))) => stream,
        Ok(Ok(None)) => return hall.refusals.add(Refused::UpgradeRefused),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the handshake failed");
            return hall.refusals.add(Refused::HandshakeFailed);
        }
        Err(_) => return hall.refusals.add(Refused::HandshakeTimeout),
    };
    match place {
        Ok(ticket) => lead_in(hall, stream, guest, ticket).await,
        Err(no_place) => {
            let (refused, reason, text) = match no_place {
                NoPlace::Full => (
                    Refused::ConnectionsFull,
                    ReasonCode::ServerBusy,
                    "all of connections_max are taken",
                ),
                NoPlace::OriginFull => (
                    Refused::AddressFull,
                    ReasonCode::QuotaExceeded,
                    "all of connections_per_address_max are taken",
                ),
            };
            hall.refusals.add(refused);
            let patience = Duration::from_millis(TURN_AWAY_MS_MAX);
            // Who does not say in time which version it speaks hears nothing.
            let _ = timeout(patience, turn_away(stream, reason, text)).await;
        }
    }
}

/// Hands a peer over to the loop.
pub(super) async fn lead_in(hall: &Hall, mut stream: Stream, guest: Guest, ticket: Ticket) {
    if let Err(error) = stream.loosen() {
        tracing::warn!(%error, "cannot hand a connection over");
        return;
    }
    let arrival = Arrival {
        stream,
        guest,
        ticket,
    };
    // The loop is gone only when the process ends.
    let _ = hall.arrivals.send(arrival).await;
}

/// The handshakes of TLS and WebSocket; `None`: it was no WebSocket for MQTT, and has been told so.
async fn shake(
    hall: &Hall,
    door: &Door,
    socket: Socket,
    guest: &mut Guest,
) -> io::Result<Option<Stream>> {
    let wire = match &door.identity {
        None => Wire::Plain(socket),
        Some(identity) => {
            let tls = shake_tls(Tls::new(socket, identity.config())?).await?;
            if let Some(certificate) = tls.peer_certificate() {
                guest.user = identity.user(certificate);
            }
            Wire::Tls(Box::new(tls))
        }
    };
    match door.way.protocol {
        Protocol::Mqtt => Ok(Some(wire.into())),
        Protocol::Websocket => open_websocket(wire, hall.packet_bytes_max).await,
    }
}

async fn shake_tls(mut tls: Tls) -> io::Result<Tls> {
    while !tls.handshake()? {
        let interest = if tls.wants_write() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        tls.socket.ready(interest).await?;
    }
    Ok(tls)
}

async fn open_websocket(wire: Wire, packet_bytes_max: usize) -> io::Result<Option<Stream>> {
    let mut opening = Opening::new(wire);
    loop {
        match opening.proceed(packet_bytes_max)? {
            Opened::Open(socket) => return Ok(Some(socket.into())),
            Opened::Refused => return Ok(None),
            Opened::NotYet(rest) => opening = rest,
        }
        opening.wire().socket().ready(Interest::READABLE).await?;
    }
}

/// Reads which version the client speaks, and tells it in that version's words why it has to go.
async fn turn_away(mut stream: Stream, reason: ReasonCode, text: &str) -> io::Result<()> {
    stream.settle()?;
    let mut head = Vec::with_capacity(VERSION_BYTES_MAX);
    let answer = loop {
        if let Some(answer) = broker::turn_away(&head, reason, text) {
            break answer;
        }
        if read_some(&mut stream, &mut head).await? == 0 {
            return Ok(());
        }
    };
    stream.try_write(&answer)?;
    stream.close().await?;
    // Bytes that nobody has read would make the system reset the connection, and the answer would be lost.
    while !stream.discard() {
        stream.arrives().await?;
    }
    Ok(())
}

async fn read_some(stream: &mut Stream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read_buf(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}
