//! Who has subscribed to what: a tree of filter levels in fixed capacity.
//!
//! A filter `a/+/b` is a path of three nodes. Matching walks all paths that fit a topic and visits no node twice, so its
//! cost is bounded by the number of nodes, and is next to nothing where nobody subscribed.

mod share;

use super::{
    index::{HashIndex, hash},
    limits::TOPIC_LEVELS_MAX,
    packet::SubscribeOptions,
    slab::{NONE, Slab},
    topic::Subscribed,
};
use share::Group;

/// A table of the router is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// One session's wish for the messages of one filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subscription {
    pub(super) session: u32,
    pub(super) options: SubscribeOptions,
    /// v5's Subscription Identifier, 0 if none was given.
    pub(super) id: u32,
    /// Entries of retained messages yet to be looked at for it: from, to.
    pub(super) replay: (u32, u32),
    /// The next subscription of the same session.
    pub(super) next_of_session: u32,
    node: u32,
    group: u32,
    before: u32,
    after: u32,
}

/// Someone a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A subscription of one session.
    One(u32),
    /// One member of this group is to get it.
    Shared(u32),
}

struct Node {
    parent: u32,
    level: Box<str>,
    /// Children other than `+` and `#`, found by hash.
    plain: u32,
    plus: u32,
    hash: u32,
    /// First subscription to exactly this filter.
    subscribers: u32,
    /// First group that shares this filter.
    groups: u32,
}

impl Node {
    fn new(parent: u32, level: &str) -> Self {
        let level = Box::from(level);
        Self {
            parent,
            level,
            plain: 0,
            plus: NONE,
            hash: NONE,
            subscribers: NONE,
            groups: NONE,
        }
    }

    const fn is_idle(&self) -> bool {
        self.plain == 0
            && self.plus == NONE
            && self.hash == NONE
            && self.subscribers == NONE
            && self.groups == NONE
    }
}

const ROOT: u32 = 0;

/// The tree, the subscriptions and the groups.
pub(super) struct Router {
    nodes: Slab<Node>,
    index: HashIndex,
    subscriptions: Slab<Subscription>,
    groups: Slab<Group>,
    seed: u64,
}

impl Router {
    pub(super) fn new(nodes_max: u32, subscriptions_max: u32, groups_max: u32, seed: u64) -> Self {
        let mut nodes = Slab::new(nodes_max + 1);
        let _root = nodes.insert(Node::new(NONE, "")).is_ok();
        Self {
            nodes,
            index: HashIndex::new(nodes_max),
            subscriptions: Slab::new(subscriptions_max),
            groups: Slab::new(groups_max),
            seed,
        }
    }

    /// Bytes it reserves, texts of levels included at 32 bytes each (what the allocator takes for most).
    pub(super) const fn memory_bytes(
        nodes_max: u32,
        subscriptions_max: u32,
        groups_max: u32,
    ) -> usize {
        Slab::<Node>::memory_bytes(nodes_max + 1)
            + (nodes_max + groups_max) as usize * 32
            + HashIndex::memory_bytes(nodes_max)
            + Slab::<Subscription>::memory_bytes(subscriptions_max)
            + Slab::<Group>::memory_bytes(groups_max)
    }

    pub(super) fn get(&self, subscription: u32) -> Option<&Subscription> {
        self.subscriptions.get(subscription)
    }

    pub(super) fn get_mut(&mut self, subscription: u32) -> Option<&mut Subscription> {
        self.subscriptions.get_mut(subscription)
    }

    /// Subscriptions in all.
    pub(super) const fn len(&self) -> u32 {
        self.subscriptions.len()
    }

    /// The session's subscription (its list starts with `first`) to exactly this filter.
    pub(super) fn find(&self, first: u32, filter: &Subscribed<'_>) -> Option<u32> {
        let node = self.find_node(filter.filter.as_str())?;
        let group = match filter.share {
            Some(name) => self.find_group(node, name)?,
            None => NONE,
        };
        let mut number = first;
        while let Some(subscription) = self.subscriptions.get(number) {
            if subscription.node == node && subscription.group == group {
                return Some(number);
            }
            number = subscription.next_of_session;
        }
        None
    }

    /// Adds a subscription the session does not have yet.
    pub(super) fn insert(
        &mut self,
        session: u32,
        filter: &Subscribed<'_>,
        options: SubscribeOptions,
        id: u32,
    ) -> Result<u32, Full> {
        if self.subscriptions.is_full() {
            return Err(Full);
        }
        let node = self.insert_nodes(filter.filter.as_str())?;
        let group = match filter
            .share
            .map(|name| self.insert_group(node, name))
            .transpose()
        {
            Ok(group) => group.unwrap_or(NONE),
            Err(full) => {
                self.prune(node);
                return Err(full);
            }
        };
        let head = self.head_mut(node, group);
        let after = *head;
        let subscription = Subscription {
            session,
            options,
            id,
            replay: (0, 0),
            next_of_session: NONE,
            node,
            group,
            before: NONE,
            after,
        };
        let number = self.subscriptions.insert(subscription).map_err(|_| Full)?;
        *self.head_mut(node, group) = number;
        if let Some(after) = self.subscriptions.get_mut(after) {
            after.before = number;
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.count += 1;
        }
        Ok(number)
    }

    /// Takes a subscription out, with the nodes nobody needs any more.
    pub(super) fn remove(&mut self, number: u32) {
        let Some(subscription) = self.subscriptions.remove(number) else {
            return;
        };
        let Subscription {
            node,
            group,
            before,
            after,
            ..
        } = subscription;
        match self.subscriptions.get_mut(before) {
            Some(before) => before.after = after,
            None => *self.head_mut(node, group) = after,
        }
        if let Some(after) = self.subscriptions.get_mut(after) {
            after.before = before;
        }
        if group != NONE {
            self.leave_group(node, group, number, after);
        }
        self.prune(node);
    }

    /// Adds everyone a message to `topic` goes to.
    pub(super) fn collect(&self, topic: &str, hits: &mut Vec<Hit>) {
        // A wildcard in the first level does not match `$…` [MQTT-4.7.2-1].
        self.visit(ROOT, Some(topic), topic.starts_with('$'), hits);
    }

    /// Writes the filter of a subscription, `$share` head included, behind what stands in `out`.
    pub(super) fn write_filter(&self, number: u32, out: &mut Vec<u8>) {
        let subscription = &self.subscriptions[number];
        if let Some(group) = self.groups.get(subscription.group) {
            out.extend_from_slice(b"$share/");
            out.extend_from_slice(group.name.as_bytes());
            out.push(b'/');
        }
        let mut path = [NONE; TOPIC_LEVELS_MAX];
        let mut depth = 0;
        let mut node = subscription.node;
        while node != ROOT && depth < TOPIC_LEVELS_MAX {
            path[depth] = node;
            depth += 1;
            node = self.nodes[node].parent;
        }
        for (nth, &node) in path[..depth].iter().rev().enumerate() {
            if nth > 0 {
                out.push(b'/');
            }
            out.extend_from_slice(self.nodes[node].level.as_bytes());
        }
    }

    fn visit(&self, node: u32, rest: Option<&str>, hidden: bool, hits: &mut Vec<Hit>) {
        let found = &self.nodes[node];
        if found.hash != NONE && !hidden {
            self.hit(found.hash, hits); // the level of `#` itself, and all below [MQTT-4.7.1-1]
        }
        let Some(rest) = rest else {
            self.hit(node, hits);
            return;
        };
        if found.plus == NONE && found.plain == 0 {
            return;
        }
        let (level, rest) = match rest.split_once('/') {
            Some((level, rest)) => (level, Some(rest)),
            None => (rest, None),
        };
        if found.plus != NONE && !hidden {
            self.visit(found.plus, rest, false, hits);
        }
        if let Some(child) = self.find_plain(node, level) {
            self.visit(child, rest, false, hits);
        }
    }

    fn hit(&self, node: u32, hits: &mut Vec<Hit>) {
        let mut number = self.nodes[node].subscribers;
        while let Some(subscription) = self.subscriptions.get(number) {
            hits.push(Hit::One(number));
            number = subscription.after;
        }
        let mut group = self.nodes[node].groups;
        while let Some(shared) = self.groups.get(group) {
            hits.push(Hit::Shared(group));
            group = shared.next;
        }
    }

    fn hash_of(&self, parent: u32, level: &str) -> u64 {
        hash(self.seed.wrapping_add(u64::from(parent)), level.as_bytes())
    }

    fn find_plain(&self, parent: u32, level: &str) -> Option<u32> {
        if self.nodes[parent].plain == 0 {
            return None;
        }
        self.index.find(self.hash_of(parent, level), |number| {
            let node = &self.nodes[number];
            node.parent == parent && *node.level == *level
        })
    }

    fn find_child(&self, parent: u32, level: &str) -> Option<u32> {
        let special = match level {
            "+" => self.nodes[parent].plus,
            "#" => self.nodes[parent].hash,
            _ => return self.find_plain(parent, level),
        };
        (special != NONE).then_some(special)
    }

    fn find_node(&self, filter: &str) -> Option<u32> {
        filter
            .split('/')
            .try_fold(ROOT, |node, level| self.find_child(node, level))
    }

    fn insert_nodes(&mut self, filter: &str) -> Result<u32, Full> {
        let mut node = ROOT;
        for level in filter.split('/') {
            node = match self.find_child(node, level) {
                Some(child) => child,
                None => match self.nodes.insert(Node::new(node, level)) {
                    Ok(child) => {
                        self.adopt(node, level, child);
                        child
                    }
                    Err(_) => {
                        self.prune(node);
                        return Err(Full);
                    }
                },
            };
        }
        Ok(node)
    }

    fn adopt(&mut self, parent: u32, level: &str, child: u32) {
        match level {
            "+" => self.nodes[parent].plus = child,
            "#" => self.nodes[parent].hash = child,
            _ => {
                self.nodes[parent].plain += 1;
                self.index.insert(self.hash_of(parent, level), child);
            }
        }
    }

    /// Removes a node nobody needs, and then its parents likewise.
    fn prune(&mut self, mut number: u32) {
        while number != ROOT && self.nodes[number].is_idle() {
            let Some(node) = self.nodes.remove(number) else {
                return;
            };
            match &*node.level {
                "+" => self.nodes[node.parent].plus = NONE,
                "#" => self.nodes[node.parent].hash = NONE,
                level => {
                    self.nodes[node.parent].plain -= 1;
                    self.index.remove(self.hash_of(node.parent, level), number);
                }
            }
            number = node.parent;
        }
    }

    fn head_mut(&mut self, node: u32, group: u32) -> &mut u32 {
        match self.groups.get_mut(group) {
            Some(group) => &mut group.members,
            None => &mut self.nodes[node].subscribers,
        }
    }

    #[cfg(test)]
    pub(super) const fn node_count(&self) -> u32 {
        self.nodes.len() - 1
    }
}

#[cfg(test)]
mod tests;
