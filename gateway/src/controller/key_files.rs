//! The keys of a fleet as files: seeds in hex, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::signature::Ed25519KeyPair;

use super::session::ControllerError;
use crate::fleet::envelope::seal;
use crate::fleet::keys::{KEYS_TYPE, KeyList, PublicKey, Root, unhex};
use crate::fleet::merge::hex;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Makes root and config key, and the first key list.
pub(super) fn make(fleet: &str, dir: &Path) -> Result<(), ControllerError> {
    let root = make_key(&dir.join("root.key"))?;
    let config = make_key(&dir.join("config.key"))?;
    let list = KeyList {
        fleet: fleet.to_owned(),
        version: 1,
        root: Root {
            threshold: 1,
            keys: vec![root],
        },
        config: vec![config],
    };
    write_list(dir, &list)?;
    println!("root key   {}  root.key: keep it offline", root.id().0);
    println!("config key {}  config.key: signs documents", config.id().0);
    println!("trust.json: put it on each box, as `fleet.trust_file`");
    Ok(())
}

/// A list without the key, with a new one in its place, signed by the root.
pub(super) fn revoke(key_id: &str, dir: &Path) -> Result<(String, Vec<u8>), ControllerError> {
    let path = dir.join("trust.json");
    let wrong = |text: String| ControllerError::Layer {
        path: path.clone(),
        text,
    };
    let mut list: KeyList =
        serde_json::from_slice(&read(&path)?).map_err(|error| wrong(error.to_string()))?;
    let before = list.config.len();
    list.config.retain(|key| key.id().0 != key_id);
    if list.config.len() == before {
        return Err(wrong(format!("holds no config key {key_id}")));
    }
    let old = dir.join("config.key");
    let kept = dir.join(format!("config-{key_id}.revoked"));
    fs::rename(&old, &kept).map_err(|source| ControllerError::file(&old, source))?;
    let new = make_key(&old)?;
    list.config.push(new);
    list.version += 1;
    let payload = serde_json::to_vec(&list).unwrap_or_default();
    let bytes = seal(KEYS_TYPE, &payload, &[key(&dir.join("root.key"))?]);
    write_list(dir, &list)?;
    println!(
        "key list {}: {key_id} is out, {} is in",
        list.version,
        new.id().0
    );
    Ok((list.fleet, bytes))
}

/// Reads a key.
pub(super) fn key(path: &Path) -> Result<Ed25519KeyPair, ControllerError> {
    let text = read(path)?;
    let seed = unhex(String::from_utf8_lossy(&text).trim());
    seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok())
        .ok_or_else(|| ControllerError::Layer {
            path: path.to_owned(),
            text: "no key: 64 hex digits, as `tidegate fleet keygen` writes them".to_owned(),
        })
}

/// Reads a file of bounded size.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ControllerError> {
    let len = fs::metadata(path).map(|meta| meta.len());
    match len {
        Ok(len) if len > FILE_BYTES_MAX => {
            let source = std::io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes"));
            Err(ControllerError::file(path, source))
        }
        Ok(_) => fs::read(path).map_err(|source| ControllerError::file(path, source)),
        Err(source) => Err(ControllerError::file(path, source)),
    }
}

fn make_key(path: &Path) -> Result<PublicKey, ControllerError> {
    let failed = |source| ControllerError::file(path, source);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| failed(std::io::Error::other(error.to_string())))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    writeln!(file, "{}", hex(&seed)).map_err(failed)?;
    Ok(PublicKey::of(&key(path)?))
}

fn write_list(dir: &Path, list: &KeyList) -> Result<(), ControllerError> {
    let path = dir.join("trust.json");
    let text = serde_json::to_string_pretty(list).unwrap_or_default();
    fs::write(&path, text + "\n").map_err(|source| ControllerError::file(&path, source))
}
