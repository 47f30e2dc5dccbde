//! Sockets, TLS and HTTP/1.1: every connection is a task, and no task takes more memory or time than its limits say. All of
//! them are on the thread of the doors, for handshakes and parsing have no business on the thread of the readings.

use core::cell::Cell;
use core::convert::Infallible;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming as Body};
use hyper::header::{self, HeaderValue};
use hyper::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::request::{self, Content, Route};
use super::{Answer, Errand, Login, Post, Task, body};
use crate::limits::{
    ACCEPT_PAUSE_MS, HANDSHAKE_TIMEOUT_MS, HTTP_ANSWER_TIMEOUT_MS, HTTP_BUFFER_BYTES,
    HTTP_HEADER_TIMEOUT_MS, HTTP_HEADERS_MAX, TLS_OUTBOUND_BYTES_MAX,
};
use crate::refusals::{Refusals, Refused};
use crate::transport::{Guest, Hall, Identity, Places};

/// What the server has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The topic of a post, with `{device}` where the device stands.
    pub topic: String,
    /// Largest body, bytes.
    pub body_bytes_max: usize,
    /// Connections at once.
    pub connections_max: usize,
}

/// The front of the server, shared by its connections.
pub struct Front {
    settings: Settings,
    identity: Option<Rc<Identity>>,
    handshakes: Places,
    refusals: Arc<Refusals>,
    errands: mpsc::Sender<Errand>,
    connections: Cell<usize>,
}

/// One of the places for connections; it is free again when this is dropped.
struct Place(Rc<Front>);

impl Place {
    fn take(front: &Rc<Front>) -> Self {
        front.connections.set(front.connections.get() + 1);
        Self(Rc::clone(front))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

impl Front {
    /// A front with TLS, if it has an identity.
    #[must_use]
    pub fn new(settings: Settings, identity: Option<Rc<Identity>>, hall: &Hall) -> Self {
        Self {
            settings,
            identity,
            handshakes: hall.handshakes.clone(),
            refusals: Arc::clone(&hall.refusals),
            errands: hall.errands.clone(),
            connections: Cell::new(0),
        }
    }

    /// Takes connections for good. One that has no place is told to come again.
    pub async fn accept(self, listener: TcpListener) {
        let front = Rc::new(self);
        loop {
            match listener.accept().await {
                Ok((stream, peer)) if front.connections.get() < front.settings.connections_max => {
                    let guest = Guest::from(peer.ip());
                    tokio::task::spawn_local(serve(stream, guest, Place::take(&front)));
                }
                Ok((stream, _)) => front.turn_away(&stream),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    fn turn_away(&self, stream: &TcpStream) {
        self.refusals.add(Refused::HttpConnectionsFull);
        if self.identity.is_none() {
            // A socket that takes no hundred bytes at once gets none.
            let _ = stream.try_write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            );
        }
    }

    /// The handshake of TLS; `None`: it failed, and is counted.
    async fn shake(
        &self,
        identity: &Identity,
        stream: TcpStream,
        guest: &mut Guest,
    ) -> Option<TlsStream<TcpStream>> {
        let Ok(_permit) = self.handshakes.take(guest.origin) else {
            self.refusals.add(Refused::HandshakesFull);
            return None;
        };
        let accepting = TlsAcceptor::from(identity.config()).accept_with(stream, |session| {
            session.set_buffer_limit(Some(TLS_OUTBOUND_BYTES_MAX));
        });
        let patience = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
        match tokio::time::timeout(patience, accepting).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                let own = shown.and_then(<[_]>::first);
                guest.user = own.and_then(|certificate| identity.user(certificate));
                Some(stream)
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "the handshake failed");
                self.refusals.add(Refused::HandshakeFailed);
                None
            }
            Err(_) => {
                self.refusals.add(Refused::HandshakeTimeout);
                None
            }
        }
    }
}

async fn serve(stream: TcpStream, mut guest: Guest, place: Place) {
    // Answers are small and must not wait for more.
    let _ = stream.set_nodelay(true);
    let front = &place.0;
    let Some(identity) = &front.identity else {
        return speak(stream, guest, front).await;
    };
    if let Some(stream) = front.shake(identity, stream, &mut guest).await {
        speak(stream, guest, front).await;
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    guest: Guest,
    front: &Rc<Front>,
) {
    let service = service_fn(|request| {
        let (front, guest) = (Rc::clone(front), guest.clone());
        async move { Ok::<_, Infallible>(front.respond(request, guest).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HTTP_HEADER_TIMEOUT_MS))
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "HTTP connection ended");
    }
}

impl Front {
    async fn respond(&self, request: Request<Body>, guest: Guest) -> Response<Full<Bytes>> {
        let is_post = request.method() == Method::POST;
        let answer = self
            .answer(request, guest)
            .await
            .unwrap_or_else(|answer| answer);
        let status = answer.status;
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => self.refusals.add(Refused::HttpBodyTooLarge),
            StatusCode::REQUEST_TIMEOUT => self.refusals.add(Refused::HttpBodySlow),
            StatusCode::TOO_MANY_REQUESTS => self.refusals.add(Refused::HttpBusy),
            _ => {}
        }
        let mut response = answer.into_response();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = if is_post { "GET" } else { "POST" };
            let allowed = HeaderValue::from_static(allowed);
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }

    async fn answer(&self, request: Request<Body>, guest: Guest) -> Result<Answer, Answer> {
        let route = request::route(request.method(), request.uri().path())?;
        let login = match route {
            Route::Health => Login::default(),
            Route::Telemetry(_) | Route::Metrics => request::login(request.headers())?,
        };
        let task = match route {
            Route::Health => Task::Health,
            Route::Metrics => Task::Metrics,
            Route::Telemetry(device) => Task::Post(self.read_post(&device, request).await?),
        };
        self.ask(task, login, guest).await
    }

    async fn read_post(&self, device: &str, request: Request<Body>) -> Result<Post, Answer> {
        let content = request::content(request.headers())?;
        let key = request.headers().get("idempotency-key");
        let key = key.and_then(|key| key.to_str().ok()).map(str::to_owned);
        let body = body::read(request.into_body(), self.settings.body_bytes_max).await?;
        Ok(Post {
            topic: self.settings.topic.replace("{device}", device),
            body,
            has_lines: content == Content::Lines,
            key,
        })
    }

    /// Asks the loop, and waits for its answer.
    async fn ask(&self, task: Task, login: Login, guest: Guest) -> Result<Answer, Answer> {
        let (reply, answer) = oneshot::channel();
        let errand = Errand {
            task,
            login,
            guest,
            reply,
        };
        let asked = async {
            let sent = self.errands.send(errand).await;
            sent.ok()?;
            answer.await.ok()
        };
        let limit = Duration::from_millis(HTTP_ANSWER_TIMEOUT_MS);
        match tokio::time::timeout(limit, asked).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Answer::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "the gateway stops",
            )),
            Err(_) => Err(Answer::unknown()),
        }
    }
}
