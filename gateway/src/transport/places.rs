//! How many connections there may be, in all and from one address.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a peer comes from, as far as limits go: an IPv4 address, or the 64 bits of an IPv6 network, for whoever has one
/// address of those has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// Places for connections.
///
/// Shared: the doors' thread gives them out, and they come back on the thread of the loop.
#[derive(Clone, Debug)]
pub struct Places(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    taken: u16,
    taken_max: u16,
    per_origin_max: u16,
    /// Only origins that have a place: never more than places.
    origins: HashMap<Origin, u16>,
}

/// The right to one place; it ends when this is dropped.
#[derive(Debug)]
pub struct Ticket {
    places: Places,
    origin: Option<Origin>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// All are taken.
    Full,
    /// All that one origin may have are taken.
    OriginFull,
}

impl Places {
    /// So many places, and so many for one origin.
    #[must_use]
    pub fn new(taken_max: u16, per_origin_max: u16) -> Self {
        Self(Arc::new(Mutex::new(Table {
            taken: 0,
            taken_max,
            per_origin_max,
            origins: HashMap::with_capacity(usize::from(taken_max)),
        })))
    }

    /// A place for a peer; those of this machine's own sockets have no origin.
    ///
    /// # Errors
    /// [`NoPlace`]
    pub fn take(&self, origin: Option<Origin>) -> Result<Ticket, NoPlace> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.taken == table.taken_max {
            return Err(NoPlace::Full);
        }
        if let Some(origin) = origin {
            let max = table.per_origin_max;
            let taken = table.origins.entry(origin).or_default();
            if *taken >= max {
                return Err(NoPlace::OriginFull);
            }
            *taken += 1;
        }
        table.taken += 1;
        Ok(Ticket {
            places: self.clone(),
            origin,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.taken -= 1;
        let Some(origin) = self.origin else { return };
        if let Some(taken) = table.origins.get_mut(&origin) {
            *taken -= 1;
            if *taken == 0 {
                table.origins.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Option<Origin> {
        Some(Origin::from(text.parse::<IpAddr>().expect("an address")))
    }

    #[test]
    fn an_address_has_its_share_and_leaves_the_rest_to_others() {
        let places = Places::new(4, 2);
        let mut tickets: Vec<_> = (0..2)
            .map(|_| places.take(origin("10.0.0.1")).expect("a place"))
            .collect();
        assert_eq!(
            places.take(origin("10.0.0.1")).err(),
            Some(NoPlace::OriginFull)
        );
        let _other = places.take(origin("10.0.0.2")).expect("a place");
        let _local = places.take(None).expect("a place");
        assert_eq!(places.take(None).err(), Some(NoPlace::Full));
        tickets.pop();
        let _again = places.take(origin("10.0.0.1")).expect("given back");
    }

    #[test]
    fn an_origin_without_a_place_is_not_remembered() {
        let places = Places::new(4, 2);
        for host in 0..=255 {
            drop(places.take(origin(&format!("10.0.0.{host}"))));
        }
        assert!(places.0.lock().expect("whole").origins.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_origin_and_ipv4_stays_itself() {
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:10.0.0.1"), origin("10.0.0.1"));
    }
}
