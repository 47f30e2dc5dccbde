//! What a request asks for: its path, its form, and who sends it.

use base64ct::{Base64, Encoding};
use hyper::Method;
use hyper::header::{self, HeaderMap};
use hyper::http::StatusCode;

use super::{Answer, Login};

/// Where telemetry is posted; the device follows.
const TELEMETRY: &str = "/v1/telemetry/";

/// What a path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Messages of this device.
    Telemetry(String),
    /// The counters.
    Metrics,
    /// Whether all is well.
    Health,
}

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It is one message.
    Message,
    /// Each line is one.
    Lines,
}

/// Finds the route.
///
/// # Errors
/// The answer: there is no such path, or it is not asked in this way.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, Answer> {
    let (route, wanted) = match path {
        "/healthz" => (Route::Health, Method::GET),
        "/metrics" => (Route::Metrics, Method::GET),
        _ => match path.strip_prefix(TELEMETRY).map(device) {
            Some(Some(device)) => (Route::Telemetry(device), Method::POST),
            Some(None) => {
                let reason =
                    "the path names no device: 1 level without + and #, percent-encoded UTF-8";
                return Err(Answer::refusal(StatusCode::BAD_REQUEST, reason));
            }
            None => {
                let reason = "there is POST /v1/telemetry/DEVICE, GET /metrics and GET /healthz";
                return Err(Answer::refusal(StatusCode::NOT_FOUND, reason));
            }
        },
    };
    if *method == wanted {
        Ok(route)
    } else {
        let reason = format!("send {wanted} here");
        Err(Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, &reason))
    }
}

/// How the body is to be read.
///
/// # Errors
/// The answer: it is of a form that is not taken.
pub(super) fn content(headers: &HeaderMap) -> Result<Content, Answer> {
    let kind = match headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str()) {
        None => return Ok(Content::Message),
        Some(kind) => kind.unwrap_or_default(),
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        "application/x-ndjson" | "application/jsonl" => Ok(Content::Lines),
        "application/json"
        | "application/senml+json"
        | "application/octet-stream"
        | "application/x-www-form-urlencoded"
        | "text/plain" => Ok(Content::Message),
        _ => Err(Answer::refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send application/json, application/senml+json, application/x-ndjson, or application/octet-stream for a report",
        )),
    }
}

/// Who sends it: Basic credentials (RFC 7617), or a token as `Bearer TOKEN` (RFC 6750), with its device's name and a colon before
/// it if its sender wants. Without either it is nobody.
///
/// # Errors
/// The answer: the header is neither.
pub(super) fn login(headers: &HeaderMap) -> Result<Login, Answer> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Login::default());
    };
    let parsed = value.to_str().ok().and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => pair(&Base64::decode_vec(rest).ok()?),
            "bearer" if rest.is_empty() => None,
            "bearer" => pair(rest.as_bytes()).or_else(|| {
                Some(Login {
                    username: None,
                    password: rest.as_bytes().to_vec(),
                })
            }),
            _ => None,
        }
    });
    parsed.ok_or_else(|| {
        let reason = "send Basic credentials or `Bearer TOKEN`";
        Answer::refusal(StatusCode::UNAUTHORIZED, reason)
    })
}

/// Name and password with a colon between them.
fn pair(bytes: &[u8]) -> Option<Login> {
    let at = bytes.iter().position(|byte| *byte == b':')?;
    Some(Login {
        username: Some(core::str::from_utf8(&bytes[..at]).ok()?.to_owned()),
        password: bytes[at + 1..].to_vec(),
    })
}

/// The device that the rest of a path names, its percent-encoding undone; `None` if it names none.
fn device(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            let digit = |byte: u8| (byte as char).to_digit(16);
            bytes.push((digit(digits[0])? * 16 + digit(digits[1])?) as u8);
            rest = behind;
        } else {
            bytes.push(byte);
        }
    }
    let device = String::from_utf8(bytes).ok()?;
    let is_level = !device.contains(|c: char| matches!(c, '/' | '+' | '#') || c.is_control());
    (is_level && !device.is_empty()).then_some(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_method_make_a_route() {
        let telemetry = |device: &str| Ok(Route::Telemetry(device.to_owned()));
        let check = |method: Method, path: &str, expected: Result<Route, StatusCode>| {
            let found = route(&method, path).map_err(|answer| answer.status);
            assert_eq!(found, expected, "{method} {path}");
        };
        check(Method::POST, "/v1/telemetry/pump-7", telemetry("pump-7"));
        check(
            Method::POST,
            "/v1/telemetry/%E6%B8%A9%20a",
            telemetry("温 a"),
        );
        check(Method::GET, "/healthz", Ok(Route::Health));
        check(Method::GET, "/metrics", Ok(Route::Metrics));
        check(Method::GET, "/", Err(StatusCode::NOT_FOUND));
        check(Method::POST, "/v1/telemetry", Err(StatusCode::NOT_FOUND));
        check(
            Method::GET,
            "/v1/telemetry/a",
            Err(StatusCode::METHOD_NOT_ALLOWED),
        );
        check(
            Method::POST,
            "/metrics",
            Err(StatusCode::METHOD_NOT_ALLOWED),
        );
        for device in ["", "a/b", "a%2Fb", "a%2", "a%zz", "%ff", "%23", "+", "a%00"] {
            check(
                Method::POST,
                &format!("/v1/telemetry/{device}"),
                Err(StatusCode::BAD_REQUEST),
            );
        }
    }

    #[test]
    fn credentials_are_basic_or_a_token_with_or_without_its_name() {
        let check = |value: &str, expected: Option<(Option<&str>, &[u8])>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            let found = login(&headers).ok();
            let found = found
                .as_ref()
                .map(|it| (it.username.as_deref(), &it.password[..]));
            assert_eq!(found, expected, "{value}");
        };
        check("Basic YW5uYTpzOmVjcmV0", Some((Some("anna"), b"s:ecret")));
        check("basic  OnA=", Some((Some(""), b"p")));
        check("Bearer pump-7:0123", Some((Some("pump-7"), b"0123")));
        check("Bearer 0123", Some((None, b"0123")));
        for wrong in [
            "Basic",
            "Basic !!",
            "Basic YW5uYQ==",
            "Bearer ",
            "Digest a:b",
            "",
            "é",
        ] {
            check(wrong, None);
        }
        assert_eq!(login(&HeaderMap::new()).unwrap().username, None);
    }

    #[test]
    fn a_body_is_one_message_or_has_one_in_each_line() {
        let check = |value: &str, expected: Option<Content>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(content(&headers).ok(), expected, "{value}");
        };
        check("application/json; charset=utf-8", Some(Content::Message));
        check("Application/SenML+JSON", Some(Content::Message));
        check("application/x-ndjson", Some(Content::Lines));
        check("application/xml", None);
        assert_eq!(content(&HeaderMap::new()).ok(), Some(Content::Message));
    }
}
