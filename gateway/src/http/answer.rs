//! What is answered: a status, a text, and when to come again.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::http::StatusCode;
use serde_json::json;

use crate::broker::Refusal;
use crate::limits::{HTTP_RETRY_AFTER_S, HTTP_THROTTLED_RETRY_AFTER_S};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: String,
    is_json: bool,
    retry_after_s: Option<u32>,
}

impl Answer {
    /// Text.
    #[must_use]
    pub fn text(body: impl Into<String>) -> Self {
        Self {
            status: StatusCode::OK,
            body: body.into(),
            is_json: false,
            retry_after_s: None,
        }
    }

    /// JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self {
            status,
            body: format!("{body}\n"),
            is_json: true,
            retry_after_s: None,
        }
    }

    /// A refusal, with its reason.
    #[must_use]
    pub fn refusal(status: StatusCode, reason: &str) -> Self {
        Self::json(status, &json!({ "error": reason }))
    }

    /// The same, with the word to come again.
    #[must_use]
    pub fn again_after(self, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    /// No more is taken now.
    #[must_use]
    pub fn too_many() -> Self {
        let reason = "the disk is behind: nothing was taken, send it again";
        Self::refusal(StatusCode::TOO_MANY_REQUESTS, reason).again_after(HTTP_RETRY_AFTER_S)
    }

    /// The disk did not answer in time.
    #[must_use]
    pub fn unknown() -> Self {
        let reason = "the disk did not answer in time: the readings may be durable or not, send them again; \
             those with the same time and value are taken once";
        Self::refusal(StatusCode::SERVICE_UNAVAILABLE, reason).again_after(HTTP_RETRY_AFTER_S)
    }

    /// The sender may not come in.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Credentials => Self::refusal(
                StatusCode::UNAUTHORIZED,
                "name or password are wrong; send Basic credentials or `Bearer TOKEN`",
            ),
            Refusal::NotAuthorized => Self::forbidden(),
            Refusal::Throttled => Self::refusal(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong passwords came from this address",
            )
            .again_after(HTTP_THROTTLED_RETRY_AFTER_S),
            Refusal::Busy => Self::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many passwords are being checked",
            )
            .again_after(HTTP_RETRY_AFTER_S),
        }
    }

    /// It may come in, but not do this.
    #[must_use]
    pub fn forbidden() -> Self {
        let reason = "the credentials give no right to this";
        Self::refusal(StatusCode::FORBIDDEN, reason)
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(self.body)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = if self.is_json {
            "application/json"
        } else {
            "text/plain; version=0.0.4; charset=utf-8"
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"tidegate\", charset=\"UTF-8\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
