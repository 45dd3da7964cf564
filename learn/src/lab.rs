//! What experiments work with: everything that is made is written into the journal first.

use std::cell::RefCell;
use std::time::Duration;

use aws_sdk_bedrock::types::{
    AccountEnforcedGuardrailInferenceInputConfiguration, GuardrailWordConfig, GuardrailWordPolicyConfig,
    ModelEnforcement, Tag,
};
use serde_json::json;

use crate::answered::Answered;
use crate::calls::{Calling, Halt};
use crate::cloud::{Party, TwoAccounts};
use crate::consent::Consent;
use crate::journal::{Journal, Made};
use crate::undo::{Left, unwind};

/// The tag of everything that can have one, by which permissions tell what is a run's.
const TAG: &str = "guardrail-learn:run";
/// How long a version may take to become ready, and a grant to have effect.
const READY: Duration = Duration::from_secs(180);

/// What the user allows besides, and what there is to work with.
#[derive(Clone, Debug)]
pub struct Means {
    /// The model that is called.
    pub model: String,
    /// The model of Chat Completions and Responses.
    pub openai_model: String,
    /// The model of Messages.
    pub messages_model: String,
    /// The model on bedrock-mantle.
    pub mantle_model: String,
    /// An OU that holds the throw-away account and nothing else.
    pub unit: Option<String>,
    /// A customer managed key of the management account that the organization may use.
    pub key: Option<String>,
    /// Whether a policy that guards no model may be attached to the management account.
    pub touches_management: bool,
    /// Whether the policy type may be enabled, which stays so.
    pub enables_policy_type: bool,
}

/// A guardrail that was made for a run. It stops one word, with a text of its own.
#[derive(Clone, Debug)]
pub struct Trap {
    /// Its id.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The word.
    pub word: String,
    /// What it says in place of an answer, by which it is told from others.
    pub marker: String,
}

/// How long something took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The simulator's setting for it.
    pub setting: &'static str,
    /// From what to what.
    pub what: &'static str,
    /// How long.
    pub took: Duration,
}

/// Where experiments are made. There is one only with the user's consent.
#[derive(Debug)]
pub struct Lab {
    /// How calls are made.
    pub calls: Calling,
    /// Who takes part.
    pub cloud: TwoAccounts,
    /// What there is to work with.
    pub means: Means,
    journal: RefCell<Journal>,
    run: String,
    /// The guardrail of the throw-away account, if an experiment needs it.
    own: RefCell<Option<Trap>>,
    /// The one of the management account, with two versions and granted to the organization.
    shared: RefCell<Option<Trap>>,
    measured: RefCell<Vec<Timing>>,
}

impl Lab {
    /// A place to make experiments in.
    pub fn new(_: &Consent, calls: Calling, cloud: TwoAccounts, means: Means, journal: Journal) -> Lab {
        let run = journal.header().run.clone();
        Lab {
            calls,
            cloud,
            means,
            journal: RefCell::new(journal),
            run,
            own: RefCell::new(None),
            shared: RefCell::new(None),
            measured: RefCell::new(Vec::new()),
        }
    }

    /// The guardrail of the throw-away account.
    ///
    /// # Errors
    /// [`Halt::Because`] where it wasn't prepared.
    pub fn own(&self) -> Result<Trap, Halt> {
        let missing = || Halt::Because("the account's guardrail could not be made".to_owned());
        self.own.borrow().clone().ok_or_else(missing)
    }

    /// The guardrail of the management account.
    ///
    /// # Errors
    /// [`Halt::Because`] where it wasn't prepared.
    pub fn shared(&self) -> Result<Trap, Halt> {
        let missing = || Halt::Because("the management account's guardrail could not be made".to_owned());
        self.shared.borrow().clone().ok_or_else(missing)
    }

    /// Makes the guardrail of the throw-away account.
    ///
    /// # Errors
    /// [`Halt`] where that isn't possible.
    pub async fn prepare_own(&self) -> Result<(), Halt> {
        let own = self.trap(Party::Member, "own", None).await?;
        self.version(Party::Member, &own).await?;
        *self.own.borrow_mut() = Some(own);
        Ok(())
    }

    /// Makes the guardrail of the management account, and waits until the other account can apply it.
    ///
    /// # Errors
    /// [`Halt`] where that isn't possible.
    pub async fn prepare_shared(&self) -> Result<(), Halt> {
        let shared = self.trap(Party::Management, "shared", None).await?;
        self.version(Party::Management, &shared).await?;
        self.version(Party::Management, &shared).await?;
        self.grant(Party::Management, &shared).await?;
        self.until_applicable(&shared).await?;
        *self.shared.borrow_mut() = Some(shared);
        Ok(())
    }

    /// Waits until the throw-away account can apply another account's guardrail.
    ///
    /// # Errors
    /// [`Halt::Because`] where it never can.
    pub async fn until_applicable(&self, trap: &Trap) -> Result<(), Halt> {
        let can = self.calls.until(READY, async || Ok(self.apply(&trap.arn).await?.ok())).await?;
        let never = || Halt::Because(format!("the throw-away account can't apply {}", trap.arn));
        can.ok_or_else(never)
    }

    /// Applies version 1 of a guardrail to a harmless text, as the throw-away account.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn apply(&self, guardrail: &str) -> Result<Answered<()>, Halt> {
        use aws_sdk_bedrockruntime::types::{
            GuardrailContentBlock, GuardrailContentSource, GuardrailTextBlock,
        };
        let text = GuardrailTextBlock::builder().text("hello").build().expect("there is a text");
        let client = &self.cloud.member.runtime;
        let applied = self.calls.once("ApplyGuardrail", async || {
            let apply = client.apply_guardrail().guardrail_identifier(guardrail).guardrail_version("1");
            let content = GuardrailContentBlock::Text(text.clone());
            apply.source(GuardrailContentSource::Input).content(content).send().await
        });
        Ok(applied.await?.map(drop))
    }

    /// A name that nothing else has.
    pub fn name(&self, label: &str) -> String {
        format!("{}-{}-{label}", crate::cloud::NAME, self.run)
    }

    /// Makes a guardrail that stops one word.
    ///
    /// # Errors
    /// [`Halt`] where that isn't possible.
    pub async fn trap(&self, owner: Party, label: &str, key: Option<&str>) -> Result<Trap, Halt> {
        let client = &self.cloud.side(owner)?.bedrock;
        let name = self.name(label);
        // Letters and digits only, so that no filter takes it for several words.
        let (word, marker) = (format!("tungsten{label}{}", self.run), format!("stopped by {name}"));
        let number = self.record(Made::Guardrail { owner, name: name.clone() })?;
        let unbuilt = |error: aws_sdk_bedrock::error::BuildError| Halt::Because(error.to_string());
        let words = GuardrailWordConfig::builder().text(&word).build().map_err(unbuilt)?;
        let policy = GuardrailWordPolicyConfig::builder().words_config(words).build();
        let tag = Tag::builder().key(TAG).value(&self.run).build().map_err(unbuilt)?;
        let made = self.calls.call("CreateGuardrail", async || {
            let create = client.create_guardrail().name(&name).word_policy_config(policy.clone());
            let create = create.blocked_input_messaging(&marker).blocked_outputs_messaging(&marker);
            create.set_kms_key_id(key.map(str::to_owned)).tags(tag.clone()).send().await
        });
        let made = made.await??;
        let (id, arn) = (made.guardrail_id().to_owned(), made.guardrail_arn().to_owned());
        self.journal.borrow_mut().identify(number, &id)?;
        let trap = Trap { id, arn, word, marker };
        self.until_ready(owner, &trap, "DRAFT").await?;
        Ok(trap)
    }

    /// Makes a version of a guardrail, which is deleted with it.
    ///
    /// # Errors
    /// [`Halt`] where that isn't possible.
    pub async fn version(&self, owner: Party, trap: &Trap) -> Result<String, Halt> {
        let client = &self.cloud.side(owner)?.bedrock;
        let made = self.calls.call("CreateGuardrailVersion", async || {
            client.create_guardrail_version().guardrail_identifier(&trap.id).send().await
        });
        let version = made.await??.version().to_owned();
        self.until_ready(owner, trap, &version).await?;
        Ok(version)
    }

    /// By ListGuardrails: whether GetGuardrail finds a version is one of the questions.
    async fn until_ready(&self, owner: Party, trap: &Trap, version: &str) -> Result<(), Halt> {
        let ready = async || {
            let listed = self.versions(owner, &trap.id).await?;
            let ready = listed.iter().any(|(listed, status)| listed == version && status == "READY");
            Ok(ready.then_some(()))
        };
        let never = || Halt::Because(format!("version {version} of {} doesn't become ready", trap.arn));
        self.calls.until(READY, ready).await?.ok_or_else(never)
    }

    /// The versions of a guardrail and their states.
    ///
    /// # Errors
    /// [`Halt`] where they can't be read.
    pub async fn versions(&self, owner: Party, id: &str) -> Result<Vec<(String, String)>, Halt> {
        let client = &self.cloud.side(owner)?.bedrock;
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = self.calls.call("ListGuardrails", async || {
                let list = client.list_guardrails().guardrail_identifier(id);
                list.set_next_token(token.clone()).send().await
            });
            let page = page.await??;
            let rows = page.guardrails().iter();
            found.extend(rows.map(|row| (row.version().to_owned(), row.status().as_str().to_owned())));
            match page.next_token() {
                Some(next) => token = Some(next.to_owned()),
                None => return Ok(found),
            }
        }
    }

    /// Lets the whole organization use a guardrail, in the words of AWS's documents.
    ///
    /// # Errors
    /// [`Halt`] where that isn't possible.
    pub async fn grant(&self, owner: Party, trap: &Trap) -> Result<(), Halt> {
        let statement = self.organization_statement(&trap.arn);
        Ok(self.put_resource_policy(owner, trap, &json!([statement])).await??)
    }

    /// The statement that admits the organization.
    pub fn organization_statement(&self, arn: &str) -> serde_json::Value {
        json!({
            "Effect": "Allow", "Principal": "*", "Resource": arn,
            "Action": ["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"],
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": self.cloud.organization } },
        })
    }

    /// Puts a resource policy of these statements.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn put_resource_policy(
        &self,
        owner: Party,
        trap: &Trap,
        statements: &serde_json::Value,
    ) -> Result<Answered<()>, Halt> {
        let client = &self.cloud.side(owner)?.bedrock;
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        self.record(Made::ResourcePolicy { owner, guardrail: trap.arn.clone() })?;
        let put = self.calls.firmly("PutResourcePolicy", async || {
            client.put_resource_policy().resource_arn(&trap.arn).resource_policy(&text).send().await
        });
        Ok(put.await?.map(drop))
    }

    /// Enforces version 1 of a guardrail in the throw-away account, without a `configId`.
    ///
    /// # Errors
    /// [`Halt`].
    pub async fn enforce(
        &self,
        guardrail: &str,
        models: Option<ModelEnforcement>,
    ) -> Result<Answered<String>, Halt> {
        let client = &self.cloud.member.bedrock;
        let configuration = AccountEnforcedGuardrailInferenceInputConfiguration::builder()
            .guardrail_identifier(guardrail)
            .guardrail_version("1")
            .set_model_enforcement(models)
            .build()
            .map_err(|error| Halt::Because(error.to_string()))?;
        let number = self.record(Made::Enforcement { guardrail: guardrail.to_owned() })?;
        let put = self.calls.firmly("PutEnforcedGuardrailConfiguration", async || {
            let put = client.put_enforced_guardrail_configuration();
            put.guardrail_inference_config(configuration.clone()).send().await
        });
        let put = put.await?;
        if let Some(id) = put.as_ref().ok().and_then(|put| put.config_id()) {
            self.identify(number, id)?;
        }
        Ok(put.map(|put| put.updated_by().unwrap_or_default().to_owned()))
    }

    /// Writes down how long something took.
    pub fn measure(&self, setting: &'static str, what: &'static str, took: Duration) {
        self.measured.borrow_mut().push(Timing { setting, what, took });
    }

    /// How long things took.
    pub fn measured(&self) -> Vec<Timing> {
        self.measured.borrow().clone()
    }

    /// Writes down that something is about to be made.
    ///
    /// # Errors
    /// [`Halt::Journal`].
    pub fn record(&self, what: Made) -> Result<usize, Halt> {
        Ok(self.journal.borrow_mut().record(what)?)
    }

    /// Writes down the id that AWS gave.
    ///
    /// # Errors
    /// [`Halt::Journal`].
    pub fn identify(&self, number: usize, id: &str) -> Result<(), Halt> {
        Ok(self.journal.borrow_mut().identify(number, id)?)
    }

    /// Writes down that something isn't there after all.
    ///
    /// # Errors
    /// [`Halt::Journal`].
    pub fn forget(&self, number: usize) -> Result<(), Halt> {
        Ok(self.journal.borrow_mut().undone(number)?)
    }

    /// The number that the next entry of the journal gets.
    pub fn mark(&self) -> usize {
        self.journal.borrow().mark()
    }

    /// Removes what was made since a mark, the last first; what can't be removed is tried once more at the end. The
    /// first signal doesn't end it. Answers what is left, and why.
    pub async fn unwind(&self, mark: usize) -> Vec<Left> {
        unwind(&self.calls, &self.cloud, &self.journal, mark).await
    }

    /// What stays on purpose.
    pub fn staying(&self) -> Vec<Made> {
        self.journal.borrow().staying()
    }

    /// Removes the journal, if nothing is left that it tells of.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(&self) -> std::io::Result<()> {
        self.journal.borrow().close()
    }
}
