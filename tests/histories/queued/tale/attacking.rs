//! What an adversary does, carried out on the model.

use simulator::{Enforce, Model, ServiceControl};

use super::super::attack::Flooding;
use super::*;
use testkit::histories::model::administrator;
use testkit::histories::step::{DELETE, Edit, region_of};

impl Tale<'_> {
    pub(super) fn attack(&mut self, attack: &Attack) {
        *self.figures.attacks.entry(attack.kind()).or_default() += 1;
        if let Some(meddling) = attack.as_meddling() {
            self.meddle(meddling);
            return;
        }
        match attack {
            Attack::InOurName { account, region, what } => {
                self.act(false, |stage| stage.write_in_our_name(*account, *region, *what));
            }
            Attack::Flood { account, region, times, leaves, how } => {
                let flood = Flood { account: *account, region: *region, times: *times, leaves: *leaves };
                self.act(false, |stage| flood.come(stage, *how));
            }
            Attack::Shut { account: Some(account) } => self.deny_all(*account),
            Attack::Shut { account: None } => {
                (1..self.setting.assignable().len()).for_each(|account| self.deny_all(account));
            }
            Attack::Detach { account, region } => self.detach(*account, *region),
            Attack::EditDraft { region } => {
                let region = region_of(self.setting, *region);
                self.act(true, |stage| stage.weaken_draft(region));
            }
            Attack::Revisions(edits) => edits.iter().for_each(|edit| self.put_revision(&[*edit])),
            Attack::AuditThenExclude { then } => {
                self.put_revision(&[Edit::Mode(Mode::Audit)]);
                self.put_revision(&[Edit::Mode(Mode::Sync), *then]);
            }
            Attack::Harm { what, approves } => {
                self.wants.tight = true;
                self.put_revision(&[*what]);
                if *approves {
                    self.approve_as_author();
                }
            }
            Attack::Squat { .. }
            | Attack::Recreate { .. }
            | Attack::DeleteVersion { .. }
            | Attack::Narrow { .. } => {}
        }
    }

    /// Somebody acts on the world. `owner` says whether it is the owner's side that he changes.
    fn act(&mut self, owner: bool, act: impl FnOnce(&mut Stage<'_>)) {
        let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
        self.server.with(|model| {
            act(&mut Stage { setting, wants, model, made });
            lock(&self.judge).meddled(model, owner);
        });
    }

    fn put_revision(&mut self, edits: &[Edit]) {
        self.figures.plain.edits += 1;
        edits.iter().for_each(|edit| self.wants.edit(self.setting, *edit));
        self.publish();
    }

    /// As long as the policy is attached, AWS refuses him; once whoever administers policies has detached it, it doesn't.
    fn detach(&mut self, account: usize, region: usize) {
        let (account, region) = (account_of(self.setting, account), region_of(self.setting, region));
        self.act(false, |stage| {
            let protection = ServiceControl {
                targets: vec![account.clone()],
                deny: vec![format!("bedrock:{DELETE}"), format!("bedrock:{PUT}")],
                except: vec![format!("arn:aws:iam::*:role/{MEMBER_ROLE}")],
                regions: Vec::new(),
            };
            if account == stage.setting.owner() || stage.model.member(&account).is_none() {
                return;
            }
            stage.model.organization.service_control.push(protection);
            let refused = remove(stage.model, &account, region).is_err();
            stage.model.organization.service_control.pop();
            assert!(refused, "{account} was protected");
            drop(remove(stage.model, &account, region));
        });
    }
}

/// The account's administrator removes what is enforced, as far as AWS lets him.
fn remove(model: &mut Model, account: &str, region: &str) -> Result<(), simulator::ApiError> {
    let caller = model.caller(&administrator(account), region)?;
    let Some(there) = model.enforcement(account, region).map(|it| it.config_id.clone()) else {
        // Then he shows that he may not even enforce something.
        let nothing = Enforce::new("arn:aws:bedrock:us-east-1:299999999999:guardrail/none", "1");
        return model.put_enforcement(&caller, None, nothing).map(drop);
    };
    model.delete_enforcement(&caller, &there)
}

/// A flood of events about one place.
#[derive(Clone, Copy)]
struct Flood {
    account: usize,
    region: usize,
    times: usize,
    leaves: Option<Enforced>,
}

impl Flood {
    fn come(self, stage: &mut Stage<'_>, how: Flooding) {
        let Flood { account, region, times, leaves } = self;
        let what = Enforced::Earlier;
        for _ in 0..times {
            match how {
                Flooding::Openly => {
                    stage.meddle(Meddling::Enforce { account, region, what });
                    stage.meddle(Meddling::Remove { account, region });
                }
                Flooding::InOurName => {
                    stage.write_in_our_name(account, region, Some(what));
                    stage.write_in_our_name(account, region, None);
                }
                Flooding::BehindARemoval => {
                    stage.meddle(Meddling::Remove { account, region });
                    stage.meddle(Meddling::Enforce { account, region: region + 1, what });
                    stage.meddle(Meddling::Remove { account, region: region + 1 });
                }
            }
        }
        match (leaves, how) {
            (Some(what), Flooding::InOurName) => stage.write_in_our_name(account, region, Some(what)),
            (Some(what), Flooding::Openly) => stage.meddle(Meddling::Enforce { account, region, what }),
            (_, Flooding::BehindARemoval) | (None, _) => {}
        }
    }
}
