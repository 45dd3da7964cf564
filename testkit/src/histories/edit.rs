//! Changes of the baseline.

use crate::histories::baseline::{Existing, Given, Mode, Placement, Wants};
use crate::histories::setting::Setting;
use crate::histories::step::Edit;

impl Wants {
    /// The baseline after a change.
    pub fn edit(&mut self, setting: &Setting, edit: Edit) {
        match edit {
            Edit::NextVersion => self.version += 1,
            Edit::EarlierVersion => self.version = self.version.saturating_sub(1).max(1),
            Edit::Region { number } => {
                let number = number % self.regions.len();
                self.regions[number] = !self.regions[number];
            }
            Edit::Placement => {
                self.placement = match self.placement {
                    Placement::Central => Placement::Copy,
                    Placement::Copy => Placement::Central,
                }
            }
            Edit::Existing => {
                self.existing = match self.existing {
                    Existing::Keep => Existing::Adopt,
                    Existing::Adopt => Existing::Replace,
                    Existing::Replace => Existing::Keep,
                }
            }
            Edit::OnUnusable => self.release_unusable = !self.release_unusable,
            Edit::Guarding => self.selective_system = !self.selective_system,
            Edit::Models => self.without_embedding = !self.without_embedding,
            Edit::Mode(mode) => self.mode = mode,
            Edit::Root(given) => self.root = given,
            Edit::Workload(given) => self.workload = given,
            Edit::Sandbox(given) => self.sandbox = given,
            Edit::FirstMember(given) => self.first_member = given,
            Edit::Exclude => self.excludes = !self.excludes,
            Edit::Name => self.misnamed = !self.misnamed,
            Edit::Limits => self.tight = !self.tight,
            Edit::Invalid => self.invalid = !self.invalid,
            Edit::Start => *self = self.begun_anew(setting),
        }
        // It would be no valid baseline without an assignment.
        if [self.root, self.workload, self.sandbox, self.first_member] == [Given::Unsaid; 4] {
            self.sandbox = Given::None;
        }
    }

    /// As it was at the start, but for the guardrail's version, and for who is about to leave.
    pub fn begun_anew(&self, setting: &Setting) -> Wants {
        Wants { version: self.version, leaving: self.leaving.clone(), ..Wants::start(setting) }
    }

    /// The baseline as somebody who wants everything in order would have it: valid, acted on, and
    /// asking for the guardrail by its name.
    pub fn put_right(&mut self) {
        self.mode = Mode::Sync;
        self.misnamed = false;
        self.invalid = false;
    }
}
