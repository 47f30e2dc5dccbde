//! Topic aliases (3.3.2.3.4): tables of topics that are lent to connections, one for each direction.

use super::limits::TOPIC_BYTES_MAX;

/// A pool of tables, each with the same number of topics.
pub(super) struct AliasTables {
    texts: Box<[u8]>,
    lens: Box<[u16]>,
    free: Vec<u16>,
    per_table: u16,
}

/// A table lent to a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AliasTable(u16);

impl AliasTables {
    pub(super) fn new(tables: u16, per_table: u16) -> Self {
        let count = usize::from(tables) * usize::from(per_table);
        Self {
            texts: vec![0; count * TOPIC_BYTES_MAX].into_boxed_slice(),
            lens: vec![0; count].into_boxed_slice(),
            free: (0..if per_table == 0 { 0 } else { tables }).collect(),
            per_table,
        }
    }

    /// Bytes it reserves.
    pub(super) const fn memory_bytes(tables: u16, per_table: u16) -> usize {
        tables as usize
            * (per_table as usize * (TOPIC_BYTES_MAX + size_of::<u16>()) + size_of::<u16>())
    }

    /// Lends an empty table, if one is free.
    pub(super) fn lend(&mut self) -> Option<AliasTable> {
        let table = self.free.pop()?;
        let start = usize::from(table) * usize::from(self.per_table);
        self.lens[start..start + usize::from(self.per_table)].fill(0);
        Some(AliasTable(table))
    }

    /// Takes a table back.
    pub(super) fn take_back(&mut self, table: AliasTable) {
        self.free.push(table.0);
    }

    /// Aliases in each table.
    pub(super) const fn per_table(&self) -> u16 {
        self.per_table
    }

    /// The topic an alias (from 1) stands for.
    pub(super) fn topic(&self, table: &AliasTable, alias: u16) -> Option<&str> {
        let at = self.place(table, alias)?;
        let len = usize::from(self.lens[at]);
        let text = &self.texts[at * TOPIC_BYTES_MAX..at * TOPIC_BYTES_MAX + len];
        core::str::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty())
    }

    /// Lets an alias (from 1) stand for a topic from now on; false if there is no such alias.
    pub(super) fn set(&mut self, table: &AliasTable, alias: u16, topic: &str) -> bool {
        let Some(at) = self.place(table, alias) else {
            return false;
        };
        self.texts[at * TOPIC_BYTES_MAX..at * TOPIC_BYTES_MAX + topic.len()]
            .copy_from_slice(topic.as_bytes());
        self.lens[at] = topic.len() as u16;
        true
    }

    /// The alias of a topic we send, and whether the client knows it already; `None` when all are taken by other topics, or
    /// a new one may not be set.
    pub(super) fn assign(
        &mut self,
        table: &AliasTable,
        aliases_max: u16,
        topic: &str,
        may_set: bool,
    ) -> Option<(u16, bool)> {
        for alias in 1..=aliases_max.min(self.per_table) {
            match self.topic(table, alias) {
                Some(known) if known == topic => return Some((alias, true)),
                Some(_) => {}
                None if !may_set => return None,
                None => {
                    self.set(table, alias, topic);
                    return Some((alias, false));
                }
            }
        }
        None
    }

    fn place(&self, table: &AliasTable, alias: u16) -> Option<usize> {
        let inside = (1..=self.per_table).contains(&alias);
        inside.then(|| usize::from(table.0) * usize::from(self.per_table) + usize::from(alias) - 1)
    }
}

#[cfg(test)]
mod tests;
