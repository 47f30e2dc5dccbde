//! rumqttd as the central broker of a fleet: one file of its own config, until it is killed.

use std::error::Error;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: centre CONFIG.toml")?;
    let config: rumqttd::Config = toml::from_str(&fs::read_to_string(path)?)?;
    rumqttd::Broker::new(config).start()?;
    Ok(())
}
