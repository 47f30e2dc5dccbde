//! What a broker says with its CONNACK.

use std::io::{self, Error, ErrorKind};

/// An error unless `code` lets `client_id` in [MQTT-3.2.2-6].
///
/// # Errors
/// Why it does not; `PermissionDenied` where it will not on a second try either.
pub(crate) fn check(code: u8, client_id: &str) -> io::Result<()> {
    let (kind, why) = match code {
        0 => return Ok(()),
        1 => (ErrorKind::PermissionDenied, "it does not speak MQTT 3.1.1"),
        2 => (ErrorKind::PermissionDenied, "the client id"),
        3 => (ErrorKind::ConnectionRefused, "it is not available"),
        4 | 5 => (
            ErrorKind::PermissionDenied,
            "user name or password: see --username, --user-per-device, --password-file",
        ),
        _ => (
            ErrorKind::InvalidData,
            "a code that MQTT 3.1.1 doesn't have",
        ),
    };
    Err(Error::new(
        kind,
        format!("the broker refuses {client_id}: {why} (code {code})"),
    ))
}
