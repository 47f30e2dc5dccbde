//! Which sensors have sketches beside their panes.

use super::Pipeline;
use crate::memory::Memory;
use crate::window::{FREE, PaneSketch};

impl<M: Memory> Pipeline<M> {
    /// Gives a sensor whose quantiles are to be told its sketches, if some are left, and takes those of any other back.
    pub(super) fn assign_sketches(&mut self, place: usize) {
        let sensor = &mut self.memory.sensors[place];
        let is_wanted = !self.plan.config(sensor.rule).quantiles.is_empty();
        let each = self.each.panes.max(1);
        match (sensor.sketches, is_wanted) {
            (Some(_), true) | (None, false) => {}
            (Some(block), false) => {
                self.memory.sketches[usize::from(block) * each..][..each]
                    .fill(PaneSketch::default());
                sensor.sketches = None;
            }
            (None, true) => {
                let mut blocks = self.memory.sketches.chunks_exact_mut(each);
                match blocks.position(|block| block[0].owner == FREE) {
                    Some(free) => {
                        self.memory.sketches[free * each].owner = place as u16;
                        sensor.sketches = Some(free as u16);
                    }
                    None => self.counters.sketches_full += 1,
                }
            }
        }
    }
}
