//! Sockets and HTTP/1.1: every connection is a task, and no task takes more memory or time than its limits say.

use core::cell::Cell;
use core::convert::Infallible;
use core::time::Duration;
use std::rc::Rc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming as Body};
use hyper::header::{self, HeaderValue};
use hyper::http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::request::{self, Content, Route};
use super::{Answer, Errand, Login, Post, Task, body};
use crate::limits::{
    ACCEPT_PAUSE_MS, HTTP_ANSWER_TIMEOUT_MS, HTTP_BUFFER_BYTES, HTTP_HEADER_TIMEOUT_MS,
    HTTP_HEADERS_MAX,
};
use crate::run::Incoming;
use crate::transport::Origin;

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
struct Front {
    settings: Settings,
    events: mpsc::Sender<Incoming>,
    connections: Cell<usize>,
}

/// Takes connections for good. One that has no place is told to come again.
pub async fn accept(listener: TcpListener, settings: Settings, events: mpsc::Sender<Incoming>) {
    let front = Rc::new(Front {
        settings,
        events,
        connections: Cell::new(0),
    });
    loop {
        match listener.accept().await {
            Ok((stream, _)) if front.connections.get() < front.settings.connections_max => {
                tokio::task::spawn_local(serve(stream, Place::take(&front)));
            }
            Ok((stream, peer)) => {
                tracing::debug!(%peer, "refused: all http.connections_max places are taken");
                // A socket that takes no hundred bytes at once gets none.
                let _ = stream.try_write(
                    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                );
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
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

async fn serve(stream: TcpStream, place: Place) {
    // Answers are small and must not wait for more.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr();
    let origin = peer.ok().map(|peer| Origin::from(peer.ip()));
    let service = service_fn(|request| {
        let front = Rc::clone(&place.0);
        async move { Ok::<_, Infallible>(front.respond(request, origin).await) }
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
    async fn respond(
        &self,
        request: Request<Body>,
        origin: Option<Origin>,
    ) -> Response<Full<Bytes>> {
        let is_post = request.method() == Method::POST;
        let answer = self
            .answer(request, origin)
            .await
            .unwrap_or_else(|answer| answer);
        let status = answer.status;
        let mut response = answer.into_response();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            let allowed = if is_post { "GET" } else { "POST" };
            let allowed = HeaderValue::from_static(allowed);
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }

    async fn answer(
        &self,
        request: Request<Body>,
        origin: Option<Origin>,
    ) -> Result<Answer, Answer> {
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
        self.ask(task, login, origin).await
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
    async fn ask(
        &self,
        task: Task,
        login: Login,
        origin: Option<Origin>,
    ) -> Result<Answer, Answer> {
        let (reply, answer) = oneshot::channel();
        let errand = Errand {
            task,
            login,
            origin,
            reply,
        };
        let asked = async {
            let sent = self.events.send(Incoming::Errand(Box::new(errand))).await;
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
