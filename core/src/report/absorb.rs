//! What several looks of one run found, as one report.

use super::{GrantReport, Report, State, TargetReport};

impl Report {
    /// Adds what another part of the same run found. Later findings win.
    pub fn absorb(&mut self, other: Report) {
        let Report {
            grants, targets, handed_back, opened, skipped, strangers, warnings, ledger_trouble, ..
        } = other;
        // The state before the first look counts, and not what this run itself recorded.
        self.placement_decided = other.placement_decided.or_else(|| self.placement_decided.take());
        for (target, record) in other.before {
            if !self.targets.contains_key(&target) {
                self.before.entry(target).or_insert(record);
            }
        }
        for (resource, report) in grants {
            // What was written stays in the report, though a later look finds nothing left to do.
            let is_written = self.grants.get(&resource).is_some_and(GrantReport::is_written);
            let keep = report.trouble().is_none() && is_written;
            if !keep {
                self.grants.insert(resource, report);
            }
        }
        for (target, report) in targets {
            // Likewise a target that was changed and is now in sync.
            let is_made = self.targets.get(&target).is_some_and(TargetReport::is_made);
            let keep = report.state() == State::InSync && is_made;
            if !keep {
                self.targets.insert(target, report);
            }
        }
        for (target, writes) in other.owed {
            let owed = self.owed.entry(target).or_default();
            let new = writes.into_iter().filter(|write| !owed.iter().any(|known| known.at == write.at));
            let new: Vec<_> = new.collect();
            owed.extend(new);
        }
        let known = self.strangers.clone();
        self.handed_back.extend(handed_back);
        self.opened.extend(opened);
        self.skipped.extend(skipped);
        self.unknown_states.extend(other.unknown_states);
        self.unplaced.extend(other.unplaced);
        self.strangers.extend(strangers.into_iter().filter(|stranger| !known.contains(stranger)));
        self.warnings.extend(warnings);
        self.ledger_trouble = self.ledger_trouble.take().or(ledger_trouble);
    }
}
