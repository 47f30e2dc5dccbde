//! `tidegate passwd`: adds or changes a user in the credentials file.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use crate::broker::auth::Credentials;
use crate::secrets;

/// What a new file begins with.
const NEW_FILE: &str = "\
# Who may do what. What no rule allows is denied. %u stands for the user's name, %c for the client id.
# Add users with `tidegate passwd FILE USER [--token] [--role ROLE]`.
role device
  publish   sensors/%u/#
role operator
  subscribe #
";
/// Longest password, bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Sets the secret of `user` in `file`; makes the file if it does not exist.
///
/// # Errors
/// The name is none, the password is empty, the role is not in the file, or the file cannot be written.
pub fn run(file: &Path, user: &str, role: &str, token: bool) -> anyhow::Result<ExitCode> {
    ensure!(
        is_name(user),
        "`{user}` is no name: use 1 to 64 of A-Z a-z 0-9 . _ -"
    );
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => NEW_FILE.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let (shown, secret) = if token {
        let (token, secret) = secrets::new_token()?;
        (Some(token), secret)
    } else {
        (None, secrets::hash_password(&read_password()?)?)
    };
    let text = with_user(&text, user, role, &secret);
    Credentials::parse(&text).with_context(|| format!("{} would not be valid", file.display()))?;
    replace(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    match shown {
        Some(token) => println!("{token}"),
        None => eprintln!("{user} may come in as {role}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn with_user(text: &str, user: &str, role: &str, secret: &str) -> String {
    let is_users = |line: &str| {
        let mut words = line.split_whitespace();
        words.next() == Some("user") && words.next() == Some(user)
    };
    let mut lines: Vec<&str> = text.lines().filter(|line| !is_users(line)).collect();
    let line = format!("user {user} {secret} {role}");
    lines.push(&line);
    lines.join("\n") + "\n"
}

fn read_password() -> anyhow::Result<Vec<u8>> {
    let input = io::stdin();
    if input.is_terminal() {
        eprint!("password (it is shown): ");
        io::stderr().flush()?;
    }
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        bail!("give a password of 1 to {PASSWORD_BYTES_MAX} bytes on standard input");
    }
    Ok(password.as_bytes().to_vec())
}

/// Writes beside the file and renames, so that a reader sees the old file or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut new = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, file)
}

fn is_name(user: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&user.len()) && user.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_added_and_then_changed() {
        let once = with_user(NEW_FILE, "pump-7", "device", "hmac-sha256:00:11");
        let twice = with_user(&once, "pump-7", "operator", "hmac-sha256:22:33");
        let credentials = Credentials::parse(&twice).expect("valid");
        assert_eq!(credentials.len(), 1);
        let (secret, rights) = credentials.find("pump-7").expect("there");
        assert_eq!(secret, "hmac-sha256:22:33");
        assert!(!rights.may_publish("c", "sensors/pump-7/t"));
    }

    #[test]
    fn a_new_file_lets_a_device_publish_its_own_readings_only() {
        let text = with_user(NEW_FILE, "pump-7", "device", "x");
        let credentials = Credentials::parse(&text).expect("valid");
        let (_, rights) = credentials.find("pump-7").expect("there");
        assert!(rights.may_publish("c", "sensors/pump-7/t"));
        assert!(!rights.may_publish("c", "sensors/pump-8/t"));
        assert!(!rights.may_publish("c", "tidegate/edge-1/alert/x/y/z"));
    }

    #[test]
    fn a_role_that_is_not_there_is_refused() {
        let text = with_user(NEW_FILE, "pump-7", "nobody", "x");
        assert!(Credentials::parse(&text).is_err());
    }
}
