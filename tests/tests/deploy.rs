//! What is shipped to a box fits together: the config, the service that runs it, the script that enrolls the box.

use std::path::{Path, PathBuf};
use std::process::Command;

use gateway::bill::Bill;
use gateway::config::{Config, Source};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn config_of(text: String) -> Config {
    let path = PathBuf::from("gateway.toml");
    Config::from_source(&Source { path, text }).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The value of a setting of the service, in MiB.
#[track_caller]
fn mebibytes(service: &str, key: &str) -> usize {
    let line = service
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("the service has no {key}"));
    let number = line
        .strip_suffix('M')
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{key}={line} is no number of MiB"))
}

#[test]
fn the_service_gets_the_memory_that_the_bill_asks_for() {
    let bill = Bill::new(&config_of(read("gateway/gateway.toml"))).total();
    let limit = mebibytes(&read("deploy-arm/tidegate.service"), "MemoryMax") << 20;
    assert!(
        bill <= limit,
        "the bill is {} MiB, the service gets {} MiB",
        bill >> 20,
        limit >> 20
    );
}

#[test]
fn enrolment_changes_what_it_says_in_the_shipped_config() {
    let box_root = tempfile::tempdir().unwrap();
    let etc = box_root.path().join("etc/tidegate");
    std::fs::create_dir_all(&etc).unwrap();
    std::fs::write(etc.join("gateway.toml"), read("gateway/gateway.toml")).unwrap();
    std::fs::write(etc.join("credentials.toml"), "").unwrap();

    let enrolled = Command::new(root().join("deploy-arm/tidegate-enroll"))
        .args([
            "--id",
            "box-7",
            "--listen",
            "0.0.0.0:1884",
            "--kafka",
            "k1:9092,k2:9092",
        ])
        .env("ROOT", box_root.path())
        // The program is built by the tests that run it; here the config itself is looked at.
        .env("TIDEGATE", "true")
        .output()
        .unwrap();
    assert!(
        enrolled.status.success(),
        "{}",
        String::from_utf8_lossy(&enrolled.stderr)
    );

    let config = config_of(std::fs::read_to_string(etc.join("gateway.toml")).unwrap());
    assert_eq!(config.gateway.id, "box-7");
    assert_eq!(config.broker.listen.to_string(), "0.0.0.0:1884");
    assert_eq!(config.kafka.bootstrap, "k1:9092,k2:9092");
}
