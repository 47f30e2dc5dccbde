//! Reads a body: no more of it than is allowed, and in time.

use core::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::http::StatusCode;

use super::Answer;
use crate::limits::HTTP_BODY_TIMEOUT_MS;

/// The whole body.
///
/// # Errors
/// The answer: it is larger than `bytes_max`, or does not come.
pub(super) async fn read(body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Answer> {
    let known = body.size_hint().lower();
    if known > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let limit = Duration::from_millis(HTTP_BODY_TIMEOUT_MS);
    match tokio::time::timeout(limit, collect(body, bytes_max)).await {
        Ok(collected) => collected,
        Err(_) => Err(Answer::refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time",
        )),
    }
}

async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Answer> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Answer::refusal(
                StatusCode::BAD_REQUEST,
                &format!("the body ends early: {error}"),
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn too_large(bytes_max: usize) -> Answer {
    let reason = format!("the body has more than {bytes_max} bytes; send it in parts");
    Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &reason)
}
