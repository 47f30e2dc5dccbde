//! `tidegate passwd` and `tidegate device`: who stands in the credentials file. A gateway that runs sees the change by itself.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use crate::broker::auth::Credentials;
use crate::secrets::{self, SecretError};

/// What a new file begins with.
const NEW_FILE: &str = "\
# Who may do what. What no rule allows is denied. %u stands for the user's name, %c for the client id.
# Add people with `tidegate passwd FILE USER [--role ROLE]`, devices with `tidegate device add NAME`.
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
    let text = read(file)?;
    let (shown, secret) = if token {
        let (token, secret) = new_token(&text)?;
        (Some(token), secret)
    } else {
        (None, secrets::hash_password(&read_password()?)?)
    };
    write(file, &with_user(&text, user, role, &secret))?;
    match shown {
        Some(token) => println!("{token}"),
        None => eprintln!("{user} may come in as {role}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds a device, and prints its token: this is the only time that it is seen.
///
/// # Errors
/// The name is none or is taken, the role is not in the file, or the file cannot be written.
pub fn add_device(file: &Path, device: &str, role: &str) -> anyhow::Result<ExitCode> {
    ensure!(
        is_name(device),
        "`{device}` is no name: use 1 to 64 of A-Z a-z 0-9 . _ -"
    );
    let text = read(file)?;
    ensure!(
        find(&text, device).is_none(),
        "`{device}` is there already; `tidegate device rotate {device}` gives it a new token"
    );
    print_new_token(file, &text, device, role)
}

/// Gives a device a new token, and prints it. The old one is void: a session that came in by it is closed.
///
/// # Errors
/// There is no such device, it is a person, or the file cannot be written.
pub fn rotate_device(file: &Path, device: &str) -> anyhow::Result<ExitCode> {
    let text = read(file)?;
    let Some([_, secret, role]) = find(&text, device) else {
        bail!("there is no `{device}` in {}", file.display());
    };
    ensure!(
        proof(secret) != PASSWORD,
        "`{device}` has a password; change it with `tidegate passwd`"
    );
    print_new_token(file, &text, device, role)
}

/// Takes a device or a user out. Its sessions are closed.
///
/// # Errors
/// There is none of this name, or the file cannot be written.
pub fn remove_device(file: &Path, device: &str) -> anyhow::Result<ExitCode> {
    let text = read(file)?;
    ensure!(
        find(&text, device).is_some(),
        "there is no `{device}` in {}",
        file.display()
    );
    write(file, &without_user(&text, device))?;
    eprintln!("{device} is out");
    Ok(ExitCode::SUCCESS)
}

/// Prints who is in the file: name, role, and how it proves itself.
///
/// # Errors
/// The file cannot be read.
pub fn list_devices(file: &Path) -> anyhow::Result<ExitCode> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    for [name, secret, role] in text.lines().filter_map(user) {
        println!("{name:<32} {role:<16} {}", proof(secret));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_new_token(file: &Path, text: &str, device: &str, role: &str) -> anyhow::Result<ExitCode> {
    let (token, secret) = new_token(text)?;
    write(file, &with_user(text, device, role, &secret))?;
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}

/// A token under the key of those that are in the file.
fn new_token(text: &str) -> Result<(String, String), SecretError> {
    let secrets = text.lines().filter_map(user).map(|[_, secret, _]| secret);
    let beside = secrets
        .into_iter()
        .find(|it| secrets::token_hash(it).is_some());
    secrets::new_token(beside)
}

const PASSWORD: &str = "password";

/// By what the owner of this secret proves itself.
fn proof(secret: &str) -> &'static str {
    if secret == secrets::CERTIFICATE_ONLY {
        "certificate"
    } else if secrets::is_slow(secret) {
        PASSWORD
    } else {
        "token"
    }
}

/// Name, secret and role of a line that is a user's.
fn user(line: &str) -> Option<[&str; 3]> {
    let mut words = line.split_whitespace();
    (words.next() == Some("user")).then_some(())?;
    Some([words.next()?, words.next()?, words.next()?])
}

fn find<'t>(text: &'t str, name: &str) -> Option<[&'t str; 3]> {
    text.lines().filter_map(user).find(|user| user[0] == name)
}

fn without_user(text: &str, name: &str) -> String {
    let others = text
        .lines()
        .filter(|line| user(line).is_none_or(|user| user[0] != name));
    others.fold(String::new(), |text, line| text + line + "\n")
}

fn with_user(text: &str, user: &str, role: &str, secret: &str) -> String {
    without_user(text, user) + &format!("user {user} {secret} {role}\n")
}

/// The file's text, or that of a new one.
fn read(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(NEW_FILE.to_owned()),
        read => read.with_context(|| format!("cannot read {}", file.display())),
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    Credentials::parse(text).with_context(|| format!("{} would not be valid", file.display()))?;
    replace(file, text).with_context(|| format!("cannot write {}", file.display()))
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

/// Writes beside the file and renames, so that a reader sees the old file or the new one. Owner and mode stay; a new file
/// is for its owner alone.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // What a link points to is replaced, not the link.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let before = fs::metadata(&file).ok();
    let beside = file.with_extension("new");
    let mut new = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    if let Some(before) = before {
        chown(&beside, Some(before.uid()), Some(before.gid()))?;
        new.set_permissions(before.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, &file)
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
        assert_eq!(&**secret, "hmac-sha256:22:33");
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

    #[test]
    fn a_file_that_is_rewritten_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("credentials");
        add_device(&file, "pump-7", "device").expect("added");
        let mode = || fs::metadata(&file).expect("there").mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        add_device(&file, "pump-8", "device").expect("added");
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn a_device_comes_gets_another_token_and_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("credentials");
        let secret = || {
            let text = fs::read_to_string(&file).expect("read");
            find(&text, "pump-7").map(|[_, secret, _]| secret.to_owned())
        };
        assert!(rotate_device(&file, "pump-7").is_err());
        add_device(&file, "pump-7", "device").expect("added");
        assert!(
            add_device(&file, "pump-7", "device").is_err(),
            "it is there"
        );
        assert!(add_device(&file, "pump 8", "device").is_err(), "no name");
        let first = secret().expect("there");
        rotate_device(&file, "pump-7").expect("rotated");
        assert!(secret().is_some_and(|second| second != first));
        remove_device(&file, "pump-7").expect("removed");
        assert!(secret().is_none() && remove_device(&file, "pump-7").is_err());
    }
}
