//! A small MQTT 3.1.1 client: packets, the window of what is unacknowledged, the socket.

pub(crate) mod packet;
pub(crate) mod window;
pub(crate) mod link;
pub(crate) mod refusal;
