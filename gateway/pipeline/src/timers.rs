//! When each sensor is due next: a binary heap over the sensors, of fixed size, in which each has at most one place.

use crate::link::{Link, NONE};
use crate::time::Instant;

/// The heap. Its cells are in the links: `waiting` of cell n is the sensor at place n, `place` of a sensor's cell says where
/// it stands, or `NONE`. No sensor is due before the one above it (at half its place); of two that are due at the same
/// instant the one with the lower id is first, so that the order of expiry doesn't depend on the order of insertion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timers {
    waiting: u16,
}

impl Timers {
    /// The sensor that is due first, and when.
    pub(crate) fn first(self, links: &[Link]) -> Option<(u16, Instant)> {
        let sensor = links.first()?.waiting;
        (self.waiting > 0).then(|| (sensor, links[usize::from(sensor)].due))
    }

    /// When `sensor` is due.
    pub(crate) fn due(self, links: &[Link], sensor: u16) -> Option<Instant> {
        let link = links[usize::from(sensor)];
        (link.place != NONE).then_some(link.due)
    }

    /// Makes `sensor` due at `due`, or at no time.
    pub(crate) fn set(&mut self, links: &mut [Link], sensor: u16, due: Option<Instant>) {
        let place = links[usize::from(sensor)].place;
        match (due, place) {
            (None, NONE) => {}
            (None, place) => self.remove(links, place),
            (Some(due), NONE) => {
                links[usize::from(sensor)].due = due;
                put(links, self.waiting, sensor);
                self.waiting += 1;
                rise(links, self.waiting - 1);
            }
            (Some(due), place) => {
                let before = links[usize::from(sensor)].due;
                links[usize::from(sensor)].due = due;
                if due < before {
                    rise(links, place)
                } else {
                    self.sink(links, place)
                }
            }
        }
    }

    fn remove(&mut self, links: &mut [Link], place: u16) {
        links[usize::from(links[usize::from(place)].waiting)].place = NONE;
        self.waiting -= 1;
        let last = links[usize::from(self.waiting)].waiting;
        if place < self.waiting {
            put(links, place, last);
            rise(links, place);
            self.sink(links, links[usize::from(last)].place);
        }
    }

    fn sink(self, links: &mut [Link], mut place: u16) {
        loop {
            let mut least = place;
            for below in [2 * usize::from(place) + 1, 2 * usize::from(place) + 2] {
                if below < usize::from(self.waiting) && key(links, below as u16) < key(links, least)
                {
                    least = below as u16;
                }
            }
            if least == place {
                return;
            }
            swap(links, place, least);
            place = least;
        }
    }
}

fn rise(links: &mut [Link], mut place: u16) {
    while place > 0 && key(links, place) < key(links, (place - 1) / 2) {
        swap(links, place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

fn key(links: &[Link], place: u16) -> (Instant, u16) {
    let sensor = links[usize::from(place)].waiting;
    (links[usize::from(sensor)].due, sensor)
}

fn put(links: &mut [Link], place: u16, sensor: u16) {
    links[usize::from(place)].waiting = sensor;
    links[usize::from(sensor)].place = place;
}

fn swap(links: &mut [Link], a: u16, b: u16) {
    let (at_a, at_b) = (links[usize::from(a)].waiting, links[usize::from(b)].waiting);
    put(links, a, at_b);
    put(links, b, at_a);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_first_is_always_the_least(steps in proptest::collection::vec((0_u16..20, proptest::option::of(0_u64..50)), 1..200)) {
            let mut links = [Link::default(); 20];
            let mut timers = Timers::default();
            let mut expected = BTreeMap::new();
            for (sensor, due) in steps {
                timers.set(&mut links, sensor, due.map(Instant));
                match due {
                    Some(due) => expected.insert(sensor, due),
                    None => expected.remove(&sensor),
                };
                let first = expected.iter().map(|(sensor, due)| (*due, *sensor)).min();
                prop_assert_eq!(timers.first(&links), first.map(|(due, sensor)| (sensor, Instant(due))));
                prop_assert_eq!(timers.due(&links, sensor), due.map(Instant));
            }
        }
    }
}
