//! What an adversary does, carried out on the model.

use super::*;

impl Tale<'_> {
    pub(super) fn attack(&mut self, attack: &Attack) {
        *self.figures.attacks.entry(attack.kind()).or_default() += 1;
        if let Some(meddling) = attack.as_meddling() {
            self.meddle(meddling);
            return;
        }
        let (setting, wants, made) = (self.setting, &self.wants, &mut self.made);
        match attack {
            Attack::InOurName { account, region, what } => self.server.with(|model| {
                let mut stage = Stage { setting, wants, model, made };
                stage.write_in_our_name(*account, *region, *what);
                lock(&self.judge).meddled(model, false);
            }),
            Attack::Flood { account, region, times, leaves } => self.server.with(|model| {
                let mut stage = Stage { setting, wants, model, made };
                let (account, region) = (*account, *region);
                for _ in 0..*times {
                    stage.meddle(Meddling::Enforce { account, region, what: Enforced::Earlier });
                    stage.meddle(Meddling::Remove { account, region });
                }
                if let Some(what) = *leaves {
                    stage.meddle(Meddling::Enforce { account, region, what });
                }
                lock(&self.judge).meddled(model, false);
            }),
            Attack::Shut { account } => self.deny_all(*account),
            Attack::Revisions(edits) => {
                for edit in edits {
                    self.figures.plain.edits += 1;
                    self.wants.edit(self.setting, *edit);
                    self.publish();
                }
            }
            Attack::Squat { .. } | Attack::Recreate { .. } => {}
        }
    }
}
