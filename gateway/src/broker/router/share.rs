//! Shared subscriptions (4.8.2): groups of which one member gets each message, in turn.

use super::{Full, NONE, Router};

/// Those who share one filter under one name.
pub(super) struct Group {
    pub(super) name: Box<str>,
    pub(super) next: u32,
    pub(super) members: u32,
    pub(super) count: u32,
    /// The member whose turn it is.
    pub(super) turn: u32,
}

impl Router {
    /// The members of a group, beginning with the one whose turn it is; the turn passes on.
    pub(in super::super) fn take_turn(&mut self, group: u32) -> u32 {
        let members = self.groups[group].members;
        let turn = match self.groups[group].turn {
            NONE => members,
            turn => turn,
        };
        self.groups[group].turn = self.subscriptions[turn].after;
        turn
    }

    /// The member of the group after this one, going round.
    pub(in super::super) fn next_member(&self, group: u32, member: u32) -> u32 {
        match self.subscriptions[member].after {
            NONE => self.groups[group].members,
            after => after,
        }
    }

    /// Members of a group.
    pub(in super::super) fn member_count(&self, group: u32) -> u32 {
        self.groups[group].count
    }

    pub(super) fn find_group(&self, node: u32, name: &str) -> Option<u32> {
        let mut number = self.nodes[node].groups;
        while let Some(group) = self.groups.get(number) {
            if *group.name == *name {
                return Some(number);
            }
            number = group.next;
        }
        None
    }

    pub(super) fn insert_group(&mut self, node: u32, name: &str) -> Result<u32, Full> {
        if let Some(group) = self.find_group(node, name) {
            return Ok(group);
        }
        let next = self.nodes[node].groups;
        let group = Group {
            name: Box::from(name),
            next,
            members: NONE,
            count: 0,
            turn: NONE,
        };
        let number = self.groups.insert(group).map_err(|_| Full)?;
        self.nodes[node].groups = number;
        Ok(number)
    }

    pub(super) fn leave_group(&mut self, node: u32, number: u32, member: u32, after: u32) {
        let group = &mut self.groups[number];
        group.count -= 1;
        if group.turn == member {
            group.turn = after;
        }
        if group.count > 0 {
            return;
        }
        let next = group.next;
        self.groups.remove(number);
        let mut link = self.nodes[node].groups;
        if link == number {
            self.nodes[node].groups = next;
            return;
        }
        while let Some(group) = self.groups.get_mut(link) {
            if group.next == number {
                group.next = next;
                return;
            }
            link = group.next;
        }
    }
}
