//! Somebody else's doings, and changes of the baseline, carried out on the model.

use std::sync::Arc;

use serde_json::{Value, json};
use simulator::{
    Content, Enforce, GuardrailName, Model, ModelEnforcement, Permissions, Role, Statement, Tags, ToldState,
    Trust,
};

use testkit::histories::baseline::{COPY, GUARDRAIL, OWN, Placement, Wants};
use testkit::histories::model::{
    ORGANIZATION, ROOT, SANDBOX, TAG, WORKLOAD, administrator, is_keepers, statements,
};
use testkit::histories::setting::{MEMBER_ROLE, Setting};
use testkit::histories::step::{
    CopyEdit, Enforced, GuardrailEdit, Meddling, PolicyEdit, RoleEdit, Told, Unit, account_of, region_of,
};

/// The world that steps act on.
pub(crate) struct Stage<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) wants: &'a Wants,
    pub(crate) model: &'a mut Model,
    /// How many guardrails were made so far, for the next one's id.
    pub(crate) made: &'a mut u32,
}

impl Stage<'_> {
    /// Does it, if it can be done here and now.
    pub(crate) fn meddle(&mut self, meddling: Meddling) {
        match meddling {
            Meddling::Policy { region, to } => self.policy(region_of(self.setting, region), to),
            Meddling::Remove { account, region } => {
                let (account, region) = self.place(account, region);
                drop(self.model.delete_enforcement_as(&administrator(&account), &account, region));
            }
            Meddling::Enforce { account, region, what } => self.enforce(account, region, what),
            Meddling::Role { account, to } => self.role(account, to),
            Meddling::Guardrail { region, to } => self.guardrail(region_of(self.setting, region), to),
            Meddling::Copy { account, region, to } => self.copy(account, region, to),
            Meddling::Move { account, to } => {
                let to = match to {
                    Unit::Root => ROOT,
                    Unit::Workload => WORKLOAD,
                    Unit::Sandbox => SANDBOX,
                };
                drop(self.model.move_account(&account_of(self.setting, account), to));
            }
            Meddling::Suspend { account } => {
                let account = account_of(self.setting, account);
                // Without the owner nothing at all would happen.
                if account != self.setting.owner() {
                    self.model.suspend(&account);
                }
            }
            Meddling::Reinstate { account } => self.model.reinstate(&account_of(self.setting, account)),
            Meddling::TellState { account, to } => {
                let told = match to {
                    Told::True => None,
                    Told::Word => Some(ToldState::Word("REINSTATING".to_owned())),
                    Told::Nothing => Some(ToldState::Nothing),
                };
                self.model.tell_state(&account_of(self.setting, account), told);
            }
        }
    }

    fn place(&self, account: usize, region: usize) -> (String, &'static str) {
        (account_of(self.setting, account), region_of(self.setting, region))
    }

    /// The owner's guardrail of the wanted name.
    fn original(&self, region: &str) -> Option<String> {
        self.model.guardrail_arn(&self.setting.owner(), region, GUARDRAIL).map(str::to_owned)
    }

    fn policy(&mut self, region: &str, to: PolicyEdit) {
        let Some(arn) = self.original(region) else { return };
        let present: Option<Value> =
            self.model.resource_policy(&arn).map(|text| serde_json::from_str(&text).expect("it is JSON"));
        let mut all: Vec<Value> = present.iter().flat_map(statements).collect();
        *self.made += 1;
        let number = *self.made;
        let own = json!({ "AWS": administrator(&self.setting.owner()) });
        let organization = json!({ "StringEquals": { "aws:PrincipalOrgID": ORGANIZATION } });
        match to {
            PolicyEdit::Delete => {
                drop(self.model.set_resource_policy(&arn, None));
                return;
            }
            PolicyEdit::Foreign => {
                all = vec![json!({
                    "Effect": "Allow", "Principal": own, "Action": ["bedrock:GetGuardrail"], "Resource": arn,
                })];
            }
            PolicyEdit::AddForeign => all.push(json!({
                "Sid": format!("Tooling{number}"), "Effect": "Allow", "Principal": own,
                "Action": "bedrock:ApplyGuardrail", "Resource": [arn],
            })),
            PolicyEdit::AddDeny => all.push(json!({
                "Effect": "Deny", "Principal": "*", "Action": "bedrock:ApplyGuardrail", "Resource": arn,
            })),
            PolicyEdit::RemoveDeny => all.retain(|statement| statement["Effect"] != "Deny"),
            PolicyEdit::Partial => {
                all = vec![json!({
                    "Effect": "Allow", "Principal": "*", "Action": "bedrock:GetGuardrail", "Resource": arn,
                    "Condition": organization,
                })];
            }
            PolicyEdit::Units => {
                all = vec![json!({
                    "Effect": "Allow", "Principal": "*",
                    "Action": ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"], "Resource": arn,
                    "Condition": {
                        "StringEquals": { "aws:PrincipalOrgID": ORGANIZATION },
                        "ForAnyValue:StringLike": {
                            "aws:PrincipalOrgPaths": [format!("{ORGANIZATION}/*/{WORKLOAD}/*")],
                        },
                    },
                })];
            }
            PolicyEdit::Theirs => all.push(json!({
                "Sid": format!("Theirs{number}"), "Effect": "Allow", "Principal": { "AWS": "*" },
                "Action": ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"], "Resource": [arn],
                "Condition": organization,
            })),
        }
        if all.is_empty() {
            drop(self.model.set_resource_policy(&arn, None));
            return;
        }
        let policy = json!({ "Version": "2012-10-17", "Id": format!("edit-{number}"), "Statement": all });
        drop(self.model.set_resource_policy(&arn, Some(&policy.to_string())));
    }

    /// Whoever can use the name of the keeper's role in an account removes what is enforced there, or enforces something.
    pub(crate) fn write_in_our_name(&mut self, account: usize, region: usize, what: Option<Enforced>) {
        let (account, region) = self.place(account, region);
        let role = format!("arn:aws:iam::{account}:role/{MEMBER_ROLE}");
        match what {
            None => drop(self.model.delete_enforcement_as(&role, &account, region)),
            Some(what) => self.enforce_as(&role, &account, region, what),
        }
    }

    fn enforce(&mut self, account: usize, region: usize, what: Enforced) {
        let (account, region) = self.place(account, region);
        self.enforce_as(&administrator(&account), &account, region, what);
    }

    fn enforce_as(&mut self, who: &str, account: &str, region: &'static str, what: Enforced) {
        let Some(original) = self.original(region) else { return };
        let copy = self.model.guardrail_arn(account, region, COPY).map(str::to_owned);
        let wanted = |stage: &Stage<'_>| match (stage.wants.placement, &copy) {
            (Placement::Copy, Some(copy)) => {
                let versions = GuardrailName::from_arn(copy).and_then(|name| stage.model.guardrail(&name));
                let newest = versions.and_then(|guardrail| guardrail.versions.keys().next_back().copied());
                Enforce::new(copy, &newest.unwrap_or(1).to_string())
            }
            _ => Enforce::new(&original, &stage.wants.version.to_string()),
        };
        let enforce = match what {
            Enforced::Equal => wanted(self),
            Enforced::Earlier => Enforce::new(&original, "1"),
            Enforced::Own => {
                let Some(own) = self.own_guardrail(account, region) else { return };
                Enforce::new(&own, "1")
            }
            Enforced::Weaker => Enforce {
                model_enforcement: Some(ModelEnforcement {
                    included_models: vec!["amazon.nova-pro-v1:0".to_owned()],
                    excluded_models: Vec::new(),
                }),
                ..wanted(self)
            },
        };
        drop(self.model.put_enforcement_as(who, account, region, enforce));
    }

    /// A guardrail that a member has of its own, with one version.
    fn own_guardrail(&mut self, account: &str, region: &str) -> Option<String> {
        if let Some(known) = self.model.guardrail_arn(account, region, OWN) {
            return Some(known.to_owned());
        }
        let content = content(OWN, "their-secret");
        self.add(account, region, content, Tags::new(), 1)
    }

    fn add(
        &mut self,
        account: &str,
        region: &str,
        content: Content,
        tags: Tags,
        versions: u32,
    ) -> Option<String> {
        *self.made += 1;
        let id = format!("made{}", self.made);
        let made = self.model.add_guardrail(account, region, &id, content, tags).ok()?;
        let name = GuardrailName::from_arn(&made.arn)?;
        self.make_ready(&name);
        for _ in 0..versions {
            drop(self.model.add_guardrail_version(&name, None));
        }
        self.make_ready(&name);
        Some(made.arn)
    }

    /// What somebody else makes is there at once; only what the keeper makes has to be waited for.
    fn make_ready(&mut self, name: &GuardrailName) {
        let now = self.model.clock.now();
        let Ok(state) = self.model.region_mut(&name.account, &name.region) else { return };
        let Some(guardrail) = state.guardrails.get_mut(&name.id) else { return };
        guardrail.draft.ready_at = now;
        for edition in guardrail.versions.values_mut() {
            edition.ready_at = edition.ready_at.min(now);
        }
    }

    fn role(&mut self, account: usize, to: RoleEdit) {
        let account = account_of(self.setting, account);
        let deny = match to {
            RoleEdit::Revoked => {
                self.model.revoke_role(&account, MEMBER_ROLE);
                return;
            }
            RoleEdit::Restored => Vec::new(),
            RoleEdit::WithoutApply => {
                vec![Statement { actions: vec!["bedrock:ApplyGuardrail".to_owned()], ..Statement::default() }]
            }
        };
        let role = Role {
            name: MEMBER_ROLE.to_owned(),
            trust: Trust { principals: vec![administrator(&self.setting.hub())], ..Trust::default() },
            permissions: Permissions { deny, ..Permissions::administrator() },
            ..Role::default()
        };
        self.model.put_role(&account, role);
    }

    fn guardrail(&mut self, region: &str, to: GuardrailEdit) {
        let owner = self.setting.owner();
        let name = self.original(region).and_then(|arn| GuardrailName::from_arn(&arn));
        let wanted = self.wants.version;
        match (to, name) {
            (GuardrailEdit::Publish { changed }, Some(name)) => {
                *self.made += 1;
                let word = format!("word-{}", self.made);
                self.strengthen_draft(&name);
                self.with_guardrail(&name, |guardrail| {
                    if changed {
                        guardrail.draft.content = Arc::new(content(GUARDRAIL, &word));
                    }
                });
                drop(self.model.add_guardrail_version(&name, None));
                self.make_ready(&name);
            }
            (GuardrailEdit::DeleteVersion, Some(name)) => {
                drop(self.model.remove_guardrail(&name, Some(&wanted.to_string())));
            }
            (GuardrailEdit::Delete, Some(name)) => drop(self.model.remove_guardrail(&name, None)),
            (GuardrailEdit::Recreate, name) => {
                if let Some(name) = name {
                    drop(self.model.remove_guardrail(&name, None));
                }
                self.add(&owner, region, content(GUARDRAIL, "anew"), Tags::new(), wanted);
            }
            (GuardrailEdit::Fail, Some(name)) => {
                drop(self.model.fail_guardrail(&name, Some(wanted), "made to fail"));
            }
            (GuardrailEdit::Reason, Some(name)) => self.with_guardrail(&name, |guardrail| {
                if let Some(edition) = guardrail.versions.get_mut(&wanted) {
                    let mut changed = (*edition.content).clone();
                    changed.automated_reasoning_policy = Some(serde_json::Map::new());
                    edition.content = Arc::new(changed);
                }
            }),
            (GuardrailEdit::Repair, _) => self.repair(region),
            (_, None) => {}
        }
    }

    /// The owner's guardrail of a Region gets a DRAFT that blocks less; no version is published of it.
    pub(crate) fn weaken_draft(&mut self, region: &str) {
        let name = self.original(region).and_then(|arn| GuardrailName::from_arn(&arn));
        let Some(name) = name else { return };
        self.with_guardrail(&name, |guardrail| {
            let mut weaker = content(GUARDRAIL, "nothing-else");
            weaker.word_policy = None;
            guardrail.draft.content = Arc::new(weaker);
        });
    }

    /// Whoever publishes a version looks at what he publishes: no version is as weak as such a DRAFT.
    fn strengthen_draft(&mut self, name: &GuardrailName) {
        self.with_guardrail(name, |guardrail| {
            if guardrail.draft.content.word_policy.is_none() {
                guardrail.draft.content = Arc::new(content(GUARDRAIL, "again"));
            }
        });
    }

    fn with_guardrail(&mut self, name: &GuardrailName, change: impl FnOnce(&mut simulator::Guardrail)) {
        let Ok(state) = self.model.region_mut(&name.account, &name.region) else { return };
        if let Some(guardrail) = state.guardrails.get_mut(&name.id) {
            change(guardrail);
        }
    }

    /// Puts the owner's guardrail of a Region right: it is there, and so is the wanted version, ready
    /// and without an Automated Reasoning policy.
    pub(crate) fn repair(&mut self, region: &str) {
        let (owner, wanted) = (self.setting.owner(), self.wants.version);
        let arn = self
            .original(region)
            .or_else(|| self.add(&owner, region, content(GUARDRAIL, "anew"), Tags::new(), wanted));
        let Some(name) = arn.and_then(|arn| GuardrailName::from_arn(&arn)) else { return };
        self.strengthen_draft(&name);
        self.with_guardrail(&name, |guardrail| {
            let spare = guardrail.draft.clone();
            guardrail.next_version = guardrail.next_version.max(wanted + 1);
            let edition = guardrail.versions.entry(wanted).or_insert(spare);
            edition.failure = None;
            if edition.content.automated_reasoning_policy.is_some() {
                let mut changed = (*edition.content).clone();
                changed.automated_reasoning_policy = None;
                edition.content = Arc::new(changed);
            }
        });
        self.make_ready(&name);
    }

    fn copy(&mut self, account: usize, region: usize, to: CopyEdit) {
        let (account, region) = self.place(account, region);
        *self.made += 1;
        let word = format!("word-{}", self.made);
        let name = self.model.guardrail_arn(&account, region, COPY).and_then(GuardrailName::from_arn);
        if let CopyEdit::Squat { forged } = to {
            if name.is_none() {
                let mut tags = Tags::new();
                if forged {
                    tags.insert(
                        TAG.to_owned(),
                        "arn:aws:bedrock:us-east-1:299999999999:guardrail/x".to_owned(),
                    );
                }
                self.add(&account, region, content(COPY, &word), tags, 1);
            }
            return;
        }
        let Some(name) = name else { return };
        let enforced = self.model.enforcement(&account, region).map(|it| it.guardrail_version.clone());
        match to {
            CopyEdit::EditDraft | CopyEdit::Publish => {
                self.with_guardrail(&name, |guardrail| {
                    guardrail.draft.content = Arc::new(content(COPY, &word));
                });
                if to == CopyEdit::Publish {
                    drop(self.model.add_guardrail_version(&name, None));
                    self.make_ready(&name);
                }
            }
            CopyEdit::Delete => drop(self.model.remove_guardrail(&name, None)),
            CopyEdit::DeleteVersion => self.with_guardrail(&name, |guardrail| {
                let enforced = enforced.and_then(|version| version.parse::<u32>().ok());
                let version = enforced.or(guardrail.versions.keys().next_back().copied());
                version.and_then(|version| guardrail.versions.remove(&version));
            }),
            CopyEdit::Untag => self.with_guardrail(&name, |guardrail| guardrail.tags.clear()),
            CopyEdit::Squat { .. } => {}
        }
    }

    /// Puts right whatever would keep the keeper from its work for good, as somebody does who reads
    /// its alarms. What this doesn't do, [`crate::tale::excuse`] names.
    pub(crate) fn restore(&mut self) {
        for number in 0..self.setting.assignable().len() {
            self.model.reinstate(&account_of(self.setting, number));
            self.model.tell_state(&account_of(self.setting, number), None);
            self.role(number, RoleEdit::Restored);
        }
        for region in self.setting.regions() {
            self.repair(region);
            let Some(arn) = self.original(region) else { continue };
            // Where Bedrock takes one statement only, the keeper's has to be that one.
            let several = self.setting.switches.several_statements == simulator::Answer::Accepted;
            let policy = self.model.resource_policy(&arn).and_then(|text| serde_json::from_str(&text).ok());
            let all: Vec<Value> = policy.iter().flat_map(statements).collect();
            let sid = self.setting.switches.sid == simulator::Answer::Accepted;
            let kept: Vec<Value> = all
                .into_iter()
                .filter(|statement| {
                    let by_name = administrator(&self.setting.owner());
                    let principal = &statement["Principal"];
                    let legal = statement["Effect"] == "Allow"
                        && (*principal == "*" || principal["AWS"] == by_name.as_str())
                        && (sid || statement.get("Sid").is_none());
                    legal && (several || is_keepers(statement, &arn))
                })
                .take(if several { usize::MAX } else { 1 })
                .collect();
            let text = json!({ "Version": "2012-10-17", "Statement": kept }).to_string();
            let text = (!kept.is_empty()).then_some(text);
            drop(self.model.set_resource_policy(&arn, text.as_deref()));
            for account in self.setting.assignable() {
                self.clear_squatter(&account, region);
            }
        }
    }

    /// Deletes a guardrail that has the copy's name and isn't one, unless it is enforced.
    fn clear_squatter(&mut self, account: &str, region: &str) {
        let Some(name) = self.model.guardrail_arn(account, region, COPY).and_then(GuardrailName::from_arn)
        else {
            return;
        };
        let marked = self.model.guardrail(&name).is_some_and(|guardrail| {
            guardrail.tags.contains_key(TAG)
                || guardrail.versions.values().any(|edition| edition.description.is_some())
        });
        if !marked {
            drop(self.model.remove_guardrail(&name, None));
        }
    }
}

/// A guardrail's content that blocks the word that every version blocks, and one more.
fn content(name: &str, word: &str) -> Content {
    serde_json::from_value(json!({
        "name": name,
        "blockedInputMessaging": "This prompt is not allowed here.",
        "blockedOutputsMessaging": "This answer is not allowed here.",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "tungsten-rosebud" }, { "text": word }] },
    }))
    .expect("it is a content")
}
