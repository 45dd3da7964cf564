//! Which messages of a queue are visible, kept back or in flight, found without looking at all of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ids::Ids;
use super::queue::MessageState;

/// The numbers of a queue's messages by their state. Numbers grow in the order sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// What can be handed out: every visible message, and of each group in `groups` the first if it is free.
    pub(super) ready: BTreeSet<u64>,
    pub(super) delayed: BTreeSet<(Timestamp, u64)>,
    pub(super) in_flight: BTreeSet<(Timestamp, u64)>,
    /// The groups of a FIFO queue; empty for a standard queue.
    groups: BTreeMap<String, Group>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    visible: BTreeSet<u64>,
    in_flight: usize,
    /// What stands for the group among what is ready.
    front: Option<u64>,
}

impl Index {
    pub(super) fn enter(&mut self, number: u64, state: MessageState, group: Option<&str>) {
        match state {
            MessageState::Delayed(until) => drop(self.delayed.insert((until, number))),
            MessageState::Visible => match group {
                Some(group) => drop(self.group(group).visible.insert(number)),
                None => drop(self.ready.insert(number)),
            },
            MessageState::InFlight(until) => {
                self.in_flight.insert((until, number));
                if let Some(group) = group {
                    self.group(group).in_flight += 1;
                }
            }
        }
        self.refresh(group);
    }

    pub(super) fn leave(&mut self, number: u64, state: MessageState, group: Option<&str>) {
        match state {
            MessageState::Delayed(until) => drop(self.delayed.remove(&(until, number))),
            MessageState::Visible => match group {
                Some(group) => drop(self.group(group).visible.remove(&number)),
                None => drop(self.ready.remove(&number)),
            },
            MessageState::InFlight(until) => {
                self.in_flight.remove(&(until, number));
                if let Some(group) = group {
                    self.group(group).in_flight -= 1;
                }
            }
        }
        self.refresh(group);
    }

    /// The first visible message of a group that is in flight, for a receive that began it.
    pub(super) fn next_of(&self, group: &str) -> Option<u64> {
        let group = self.groups.get(group).filter(|group| group.in_flight > 0)?;
        group.visible.first().copied()
    }

    fn group(&mut self, name: &str) -> &mut Group {
        if !self.groups.contains_key(name) {
            self.groups.insert(name.to_owned(), Group::default());
        }
        self.groups.get_mut(name).expect("inserted above when it was missing")
    }

    /// Puts a group among what is ready, or takes it away.
    fn refresh(&mut self, group: Option<&str>) {
        let Some(name) = group else { return };
        let Some(group) = self.groups.get_mut(name) else { return };
        let front = group.visible.first().copied().filter(|_| group.in_flight == 0);
        if front != group.front {
            if let Some(before) = group.front {
                self.ready.remove(&before);
            }
            self.ready.extend(front);
            group.front = front;
        }
        if group.visible.is_empty() && group.in_flight == 0 {
            self.groups.remove(name);
        }
    }
}

/// One of a set: the first or, with a shuffle, any.
///
/// It looks for the next number from a point between the first and the last, which takes no walk through a
/// set of any size; that not all are equally likely doesn't matter to a shuffle.
pub(super) fn pick(set: &BTreeSet<u64>, shuffle: Option<&mut Ids>) -> Option<u64> {
    let (first, last) = (*set.first()?, *set.last()?);
    let Some(ids) = shuffle else { return Some(first) };
    set.range(first + ids.below(last - first + 1)..).next().copied()
}
