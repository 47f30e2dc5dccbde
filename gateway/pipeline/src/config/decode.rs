//! A plan out of its bytes, field by field into its place: it is large, and no stack holds many of it.

use super::Plan;
use heapless::{LenType, Vec};
use serde::de::DeserializeOwned;

/// The bytes are no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlan;

impl Plan {
    /// Becomes the plan that was encoded by postcard.
    ///
    /// # Errors
    /// [`NoPlan`]; what was read before the fault stays.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(), NoPlan> {
        // In the order in which postcard writes the fields.
        let Self {
            gateway,
            batch,
            conditions,
            derived,
            charts,
            suppressions,
            defaults,
            rules,
        } = self;
        let mut fields = Fields(bytes);
        *gateway = fields.read()?;
        *batch = fields.read()?;
        fields.fill(conditions)?;
        fields.fill(derived)?;
        fields.fill(charts)?;
        fields.fill(suppressions)?;
        *defaults = fields.read()?;
        fields.fill(rules)?;
        if fields.0.is_empty() {
            Ok(())
        } else {
            Err(NoPlan)
        }
    }
}

/// What is left of the bytes.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, NoPlan> {
        let (value, rest) = postcard::take_from_bytes(self.0).map_err(|_| NoPlan)?;
        self.0 = rest;
        Ok(value)
    }

    fn fill<T: DeserializeOwned, const N: usize, L: LenType>(
        &mut self,
        items: &mut Vec<T, N, L>,
    ) -> Result<(), NoPlan> {
        items.clear();
        let count: u32 = self.read()?;
        for _ in 0..count {
            let item = self.read()?;
            items.push(item).map_err(|_| NoPlan)?;
        }
        Ok(())
    }
}
