//! Power cuts: every disk that one could leave behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::{Disk, Entries, Node, ROOT};

/// What a power cut does to names that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Model {
    /// Each change survives on its own, but the old name of a rename goes only if the new one has come, and for one name
    /// order holds.
    A,
    /// A prefix of all changes survives: one journal.
    B,
}

/// What a power cut does to content that was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Data {
    /// The file is empty.
    Lost,
    /// Half of it is there.
    Torn,
    /// All of it happened to be there.
    Kept,
}

impl Disk {
    /// Every disk that a power cut at this moment could leave, each once.
    pub fn after_power_cut(&self) -> Vec<Disk> {
        let mut disks = BTreeMap::new();
        for survivors in self.survivors() {
            let mut names = self.clone();
            names.commit(&survivors);
            for data in names.fates_of_data() {
                let disk = names.reboot(*data);
                disks.entry(disk.fingerprint()).or_insert(disk);
            }
        }
        disks.into_values().collect()
    }

    /// One of them, by `roll`, which answers with a number below the one that it is given: there may be far too many to list.
    pub fn after_some_power_cut(&self, roll: &mut dyn FnMut(usize) -> usize) -> Disk {
        let count = self.pending.len();
        let survivors = match self.model {
            Model::B => {
                let prefix = roll(count + 1);
                (0..count).map(|at| at < prefix).collect()
            }
            Model::A => {
                let likely = 1 + roll(3);
                let mut set = vec![false; count];
                for at in 0..count {
                    if roll(4) < likely {
                        self.require(at, &mut set);
                    }
                }
                set
            }
        };
        let mut names = self.clone();
        names.commit(&survivors);
        let fates = names.fates_of_data();
        names.reboot(fates[roll(fates.len())])
    }

    /// Where every file that has a durable name is flushed, data has but one fate.
    fn fates_of_data(&self) -> &'static [Data] {
        let unflushed = |ino| matches!(&self.nodes[ino], Node::File(file) if !file.flushed);
        let at_stake = self.durable.values().flat_map(Entries::values).any(unflushed);
        if at_stake { &[Data::Lost, Data::Torn, Data::Kept] } else { &[Data::Kept] }
    }

    /// The sets of pending changes that may survive together.
    fn survivors(&self) -> Vec<Vec<bool>> {
        let count = self.pending.len();
        match self.model {
            Model::B => (0..=count).map(|prefix| (0..count).map(|at| at < prefix).collect()).collect(),
            Model::A => {
                let mut sets = vec![vec![false; count]];
                let litter: Vec<bool> =
                    self.pending.iter().map(|change| self.is_litter(change.dir)).collect();
                for at in (0..count).filter(|at| !litter[*at]) {
                    let with_it: Vec<_> = sets
                        .iter()
                        .map(|set| {
                            let mut set = set.clone();
                            self.require(at, &mut set);
                            set
                        })
                        .collect();
                    sets.extend(with_it);
                    sets.sort_unstable();
                    sets.dedup();
                }
                let with_litter: Vec<_> = sets
                    .iter()
                    .map(|set| {
                        let possible =
                            |at: usize| litter[at] && self.pending[at].needs.is_none_or(|other| set[other]);
                        (0..count).map(|at| set[at] || possible(at)).collect()
                    })
                    .collect();
                sets.extend(with_litter);
                sets
            }
        }
    }

    /// Nobody reads `tmp/`: what of it survives makes no difference to anyone. So either all of it does or none, and not
    /// every choice of it, which would only be more of the same.
    fn is_litter(&self, dir: u64) -> bool {
        let is_tmp = |entries: &Entries| entries.get("tmp") == Some(&dir);
        self.nodes.values().any(|node| matches!(node, Node::Dir(entries) if is_tmp(entries)))
    }

    /// What is there after the machine starts again: the durable names, and of the rest nothing.
    fn reboot(&self, data: Data) -> Disk {
        let mut disk = Disk::new(self.model);
        disk.next = self.next;
        disk.restore(self, ROOT, data);
        let mut links: BTreeMap<u64, u64> = BTreeMap::new();
        for ino in disk.durable.values().flat_map(Entries::values) {
            *links.entry(*ino).or_default() += 1;
        }
        for (ino, node) in &mut disk.nodes {
            if let Node::File(file) = node {
                file.links = links.get(ino).copied().unwrap_or_default();
            }
        }
        disk
    }

    fn restore(&mut self, before: &Disk, dir: u64, data: Data) {
        let entries = before.durable[&dir].clone();
        for ino in entries.values() {
            match &before.nodes[ino] {
                Node::Dir(_) => self.restore(before, *ino, data),
                Node::File(file) => {
                    let mut file = file.clone();
                    if !file.flushed {
                        file.data = match data {
                            Data::Lost => Arc::default(),
                            Data::Torn => file.data[..file.data.len() / 2].into(),
                            Data::Kept => file.data,
                        };
                    }
                    file.flushed = true;
                    file.locked_by = None;
                    self.nodes.insert(*ino, Node::File(file));
                }
            }
        }
        self.durable.insert(dir, entries.clone());
        self.nodes.insert(dir, Node::Dir(entries));
    }
}
