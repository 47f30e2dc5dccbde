//! MQTT over WebSocket (RFC 6455; MQTT 5.0 section 6): the bytes of binary messages, one after the other.
//!
//! Packets and messages need not agree: a packet may go over several messages, and a message may hold several packets
//! `[MQTT-6.0.0-2]`.

use std::io::{self, Read, Write};

use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, Response, create_response, write_response};
use tungstenite::http::{HeaderValue, StatusCode, header};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message};

use super::wire::Wire;
use crate::limits::{
    HTTP_HEAD_BYTES_MAX, WEBSOCKET_FRAME_BYTES_MAX, WEBSOCKET_OUTBOUND_BYTES_MAX,
    WEBSOCKET_READ_BYTES,
};

/// The path of the endpoint.
const PATH: &str = "/mqtt";
/// The subprotocol `[MQTT-6.0.0-3]`.
const SUBPROTOCOL: &str = "mqtt";

/// A WebSocket, open.
#[derive(Debug)]
pub struct WebSocket {
    inner: tungstenite::WebSocket<Wire>,
    /// What is left of the message that came last.
    left: Bytes,
}

/// A WebSocket whose opening request has not come yet.
#[derive(Debug)]
pub(super) struct Opening {
    wire: Wire,
    head: Vec<u8>,
}

/// What became of an opening.
#[derive(Debug)]
pub(super) enum Opened {
    /// The request is not whole.
    NotYet(Opening),
    /// It was an upgrade to MQTT.
    Open(Box<WebSocket>),
    /// It was something else, and has been answered so.
    Refused,
}

impl Opening {
    /// Over a wire that is ready for the request.
    #[must_use]
    pub(super) const fn new(wire: Wire) -> Self {
        let head = Vec::new();
        Self { wire, head }
    }

    /// The wire, to wait for.
    #[must_use]
    pub(super) const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Reads what is there of the request, and answers it once it is whole. Packets may be at most `packet_bytes_max`.
    ///
    /// # Errors
    /// The socket is broken.
    pub(super) fn proceed(mut self, packet_bytes_max: usize) -> io::Result<Opened> {
        let mut piece = [0; 1024];
        loop {
            match self.wire.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.head.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Opened::NotYet(self));
                }
                Err(error) => return Err(error),
            }
            match Request::try_parse(&self.head) {
                Ok(Some((size, request))) => return self.answer(size, &request, packet_bytes_max),
                Ok(None) if self.head.len() < HTTP_HEAD_BYTES_MAX => {}
                Ok(None) => return self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
                Err(_) => return self.refuse(StatusCode::BAD_REQUEST),
            }
        }
    }

    fn answer(
        mut self,
        size: usize,
        request: &Request,
        packet_bytes_max: usize,
    ) -> io::Result<Opened> {
        if request.uri().path() != PATH {
            return self.refuse(StatusCode::NOT_FOUND);
        }
        let Ok(mut response) = create_response(request) else {
            return self.refuse(StatusCode::UPGRADE_REQUIRED);
        };
        if !offers_mqtt(request) {
            return self.refuse(StatusCode::BAD_REQUEST);
        }
        response.headers_mut().insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL), // [MQTT-6.0.0-4]
        );
        self.send(&response)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WEBSOCKET_OUTBOUND_BYTES_MAX)
            .max_message_size(Some(packet_bytes_max))
            .max_frame_size(Some(packet_bytes_max));
        let early = self.head.split_off(size);
        let inner = tungstenite::WebSocket::from_partially_read(
            self.wire,
            early,
            Role::Server,
            Some(config),
        );
        let left = Bytes::new();
        Ok(Opened::Open(Box::new(WebSocket { inner, left })))
    }

    fn refuse(mut self, status: StatusCode) -> io::Result<Opened> {
        let mut response = Response::new(());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        self.send(&response)?;
        self.wire.close();
        Ok(Opened::Refused)
    }

    /// A few hundred bytes, which an empty socket always takes.
    fn send(&mut self, response: &Response) -> io::Result<()> {
        let mut bytes = Vec::new();
        write_response(&mut bytes, response).map_err(into_io)?;
        self.wire.write_all(&bytes)
    }
}

/// Whether `mqtt` is among the subprotocols that the client offers `[MQTT-6.0.0-3]`.
fn offers_mqtt(request: &Request) -> bool {
    let offers = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    offers
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|name| name.trim() == SUBPROTOCOL)
}

impl WebSocket {
    pub(super) fn wire(&self) -> &Wire {
        self.inner.get_ref()
    }

    pub(super) fn wire_mut(&mut self) -> &mut Wire {
        self.inner.get_mut()
    }

    /// Says good-bye, as far as the socket takes it.
    pub fn close(&mut self) {
        // The connection ends whether the peer hears of it or not.
        let _ = self.inner.close(None);
        let _ = self.inner.flush();
        self.wire_mut().close();
    }
}

impl Read for WebSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            match self.inner.read() {
                Ok(Message::Binary(bytes)) => self.left = bytes,
                Ok(Message::Close(_))
                | Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_)) => {
                    // The answer to a close, or the reason of one, is on its way.
                    let _ = self.inner.flush();
                    return Ok(0);
                }
                Ok(Message::Text(_)) => {
                    // [MQTT-6.0.0-1]
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "MQTT comes in binary messages only",
                    ));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(error) => return Err(into_io(error)),
            }
        }
        let count = self.left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.left.split_to(count));
        Ok(count)
    }
}

impl Write for WebSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(WEBSOCKET_FRAME_BYTES_MAX)];
        match self
            .inner
            .write(Message::Binary(Bytes::copy_from_slice(piece)))
        {
            Ok(()) => Ok(piece.len()),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(piece.len()),
            Err(error) => Err(into_io(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(into_io)
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::WriteBufferFull(_) => io::ErrorKind::WouldBlock.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}
