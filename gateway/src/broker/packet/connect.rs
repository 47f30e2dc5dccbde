//! CONNECT (3.1), the one packet that is read before the version is known.

use super::{
    super::topic::TopicName,
    Content, Malformed, Qos, Version,
    property::{Properties, Property},
    publish::Cutter,
    reader::Reader,
};

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Connect<'p> {
    pub(in super::super) version: Version,
    /// Clean session (3.1.1) or clean start (5).
    pub(in super::super) clean_start: bool,
    pub(in super::super) keep_alive_s: u16,
    pub(in super::super) client_id: &'p str,
    pub(in super::super) username: Option<&'p str>,
    pub(in super::super) password: Option<&'p [u8]>,
    pub(in super::super) will: Option<WillSent<'p>>,
    /// v5's Session Expiry Interval; for 3.1.1 0 or "for ever" by its clean-session flag.
    pub(in super::super) session_expiry_s: u32,
    pub(in super::super) receive_max: u16,
    pub(in super::super) packet_bytes_max: u32,
    pub(in super::super) aliases_max: u16,
    /// A method of enhanced authentication was named; we have none.
    pub(in super::super) names_auth_method: bool,
}

/// The message to be published if the client vanishes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct WillSent<'p> {
    pub(in super::super) content: Content<'p>,
    pub(in super::super) qos: Qos,
    pub(in super::super) retain: bool,
    pub(in super::super) delay_s: u32,
}

/// What is wrong with a CONNECT, and the version it wanted if that much could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct ConnectError {
    pub(in super::super) malformed: Malformed,
    pub(in super::super) version: Option<Version>,
}

/// Takes the first packet of a connection.
pub(in super::super) fn decode_connect(packet: &[u8]) -> Result<Connect<'_>, ConnectError> {
    let unknown = |malformed| ConnectError {
        malformed,
        version: None,
    };
    let (kind, flags, mut reader) = super::open(packet).map_err(unknown)?;
    if kind != super::kind::CONNECT {
        return Err(unknown(Malformed::NotConnect));
    }
    if flags != 0 {
        return Err(unknown(Malformed::Flags));
    }
    let version = read_version(&mut reader).map_err(|malformed| ConnectError {
        malformed,
        // A client of a later protocol is answered in the newest form we speak, an older one in the oldest.
        version: match malformed {
            Malformed::ProtocolLevel(6..) => Some(Version::V5),
            Malformed::ProtocolLevel(_) => Some(Version::V311),
            _ => None,
        },
    })?;
    read_body(reader, version).map_err(|malformed| ConnectError {
        malformed,
        version: Some(version),
    })
}

fn read_version(reader: &mut Reader<'_>) -> Result<Version, Malformed> {
    let name = reader.text()?;
    let level = reader.u8()?;
    match (name, level) {
        ("MQTT", 4) => Ok(Version::V311),
        ("MQTT", 5) => Ok(Version::V5),
        ("MQTT" | "MQIsdp", _) => Err(Malformed::ProtocolLevel(level)),
        _ => Err(Malformed::ProtocolName),
    }
}

/// The eight bits of 3.1.2.3 once checked.
#[derive(Clone, Copy)]
struct Flags {
    username: bool,
    password: bool,
    clean_start: bool,
    will: Option<(Qos, bool)>,
}

fn read_flags(byte: u8, version: Version) -> Result<Flags, Malformed> {
    if byte & 0x01 != 0 {
        return Err(Malformed::ConnectFlag);
    }
    let (username, password) = (byte & 0x80 != 0, byte & 0x40 != 0);
    if password && !username && version == Version::V311 {
        return Err(Malformed::PasswordAlone);
    }
    let will = if byte & 0x04 != 0 {
        let qos = Qos::from_bits(byte >> 3 & 0x03).ok_or(Malformed::WillQosThree)?;
        Some((qos, byte & 0x20 != 0))
    } else if byte & 0x38 != 0 {
        return Err(Malformed::WillFlags);
    } else {
        None
    };
    Ok(Flags {
        username,
        password,
        clean_start: byte & 0x02 != 0,
        will,
    })
}

fn read_body(mut reader: Reader<'_>, version: Version) -> Result<Connect<'_>, Malformed> {
    let flags = read_flags(reader.u8()?, version)?;
    let mut connect = Connect {
        version,
        clean_start: flags.clean_start,
        keep_alive_s: reader.u16()?,
        client_id: "",
        username: None,
        password: None,
        will: None,
        session_expiry_s: if version == Version::V311 && !flags.clean_start {
            u32::MAX
        } else {
            0
        },
        receive_max: u16::MAX,
        packet_bytes_max: u32::MAX,
        aliases_max: 0,
        names_auth_method: false,
    };
    if version == Version::V5 {
        read_properties(reader.properties()?, &mut connect)?;
    }
    connect.client_id = reader.text()?;
    if let Some((qos, retain)) = flags.will {
        connect.will = Some(read_will(&mut reader, version, qos, retain)?);
    }
    if flags.username {
        connect.username = Some(reader.text()?);
    }
    if flags.password {
        connect.password = Some(reader.binary()?);
    }
    reader.finish()?;
    Ok(connect)
}

fn read_properties(block: Reader<'_>, connect: &mut Connect<'_>) -> Result<(), Malformed> {
    let mut properties = Properties::new(block);
    let mut auth_data = false;
    while let Some((id, property)) = properties.next()? {
        match property {
            Property::SessionExpiry(seconds) => connect.session_expiry_s = seconds,
            Property::ReceiveMax(count) => connect.receive_max = count,
            Property::PacketBytesMax(bytes) => connect.packet_bytes_max = bytes,
            Property::AliasMax(count) => connect.aliases_max = count,
            Property::AuthMethod(_) => connect.names_auth_method = true,
            Property::AuthData(_) => auth_data = true,
            Property::RequestResponse(_) | Property::RequestProblem(_) | Property::User(..) => {}
            _ => return Err(Malformed::PropertyPlace(id)),
        }
    }
    if auth_data && !connect.names_auth_method {
        Err(Malformed::AuthDataAlone)
    } else {
        Ok(())
    }
}

fn read_will<'p>(
    reader: &mut Reader<'p>,
    version: Version,
    qos: Qos,
    retain: bool,
) -> Result<WillSent<'p>, Malformed> {
    let mut will = WillSent {
        content: Content::plain("", &[]),
        qos,
        retain,
        delay_s: 0,
    };
    if version == Version::V5 {
        let block = reader.properties()?;
        let mut cutter = Cutter::new(block.rest());
        let mut properties = Properties::new(block);
        while let Some((id, property)) = properties.next()? {
            match property {
                Property::WillDelay(seconds) => {
                    will.delay_s = seconds;
                    cutter.cut(5, properties.rest_len());
                }
                Property::MessageExpiry(seconds) => {
                    will.content.expiry_s = Some(seconds);
                    cutter.cut(5, properties.rest_len());
                }
                Property::ResponseTopic(topic) => {
                    TopicName::parse(topic).map_err(|_| Malformed::PropertyValue(id))?;
                }
                Property::PayloadFormat(_)
                | Property::ContentType(_)
                | Property::CorrelationData(_)
                | Property::User(..) => {}
                _ => return Err(Malformed::PropertyPlace(id)),
            }
        }
        will.content.forwarded = cutter.finish();
    }
    will.content.topic = TopicName::parse(reader.text()?)?.as_str();
    will.content.payload = reader.binary()?;
    Ok(will)
}
