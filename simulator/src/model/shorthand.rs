//! The model in few words: what tests and demonstrations do to the world around the code they test.

use super::Model;
use super::caller::Caller;
use super::enforcement::{Enforce, EnforcedConfiguration};
use super::error::ApiError;
use super::guardrail::GuardrailName;
use super::inference::{Invocation, Piece, Reply};
use super::lifecycle::CreateAccount;
use super::organization::{Account, AccountState, JoinedMethod, ToldState};

impl Model {
    /// Enforces as a principal would, with every check; a `configId` is sent if there is one to replace.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn put_enforcement_as(
        &mut self,
        principal_arn: &str,
        account: &str,
        region: &str,
        wanted: Enforce,
    ) -> Result<EnforcedConfiguration, ApiError> {
        let caller = self.caller_in(principal_arn, account, region)?;
        let config_id = self.enforcement(account, region).map(|existing| existing.config_id.clone());
        self.put_enforcement(&caller, config_id.as_deref(), wanted)
    }

    /// Removes what is enforced, as a principal would.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn delete_enforcement_as(
        &mut self,
        principal_arn: &str,
        account: &str,
        region: &str,
    ) -> Result<(), ApiError> {
        let caller = self.caller_in(principal_arn, account, region)?;
        let config_id = self.enforcement(account, region).map(|existing| existing.config_id.clone());
        self.delete_enforcement(&caller, config_id.as_deref().unwrap_or("none"))
    }

    fn caller_in(&mut self, principal_arn: &str, account: &str, region: &str) -> Result<Caller, ApiError> {
        let caller = self.caller(principal_arn, region)?;
        if caller.account() == account {
            Ok(caller)
        } else {
            Err(ApiError::denied(format!("{principal_arn} is not a principal of account {account}.")))
        }
    }

    /// Asks for an account and answers its id. It exists once [`Model::finish_account_creation`] is called;
    /// then it is moved from the root to `parent`.
    ///
    /// # Errors
    /// `ParentNotFoundException`.
    pub fn create_account(&mut self, name: &str, parent: &str) -> Result<String, ApiError> {
        self.require_parent(parent)?;
        let move_to = (parent != self.organization.root).then(|| parent.to_owned());
        let email = format!("{}@example.com", name.replace(char::is_whitespace, "-").to_lowercase());
        let wanted = CreateAccount { name: name.to_owned(), email, ..CreateAccount::default() };
        Ok(self.begin_creation(wanted, move_to).account)
    }

    /// As [`Model::create_account`], of an account with an id that the caller chose.
    ///
    /// # Errors
    /// `ParentNotFoundException`, or `DuplicateAccountException` for an account that exists.
    pub fn create_account_of_id(&mut self, id: &str, name: &str, parent: &str) -> Result<(), ApiError> {
        if self.account(id).is_some() {
            return Err(ApiError::new("DuplicateAccountException", format!("Account {id} exists already.")));
        }
        let account = self.create_account(name, parent)?;
        if let Some(creation) = self.creations.values_mut().find(|creation| creation.account == account) {
            creation.account = id.to_owned();
        }
        Ok(())
    }

    /// Ends the creation of an account that was asked for: it joins, its roles and its events are there.
    pub fn finish_account_creation(&mut self, account: &str) {
        let request = self.creations.values().find(|creation| creation.account == account);
        if let Some(request) = request.map(|creation| creation.id.clone()) {
            self.finish_creation(&request);
        }
    }

    /// Lets an account join by invitation, as if it had accepted one, and moves it to `parent`. It is made if
    /// it doesn't exist.
    ///
    /// # Errors
    /// `ParentNotFoundException`, or `DuplicateAccountException` for one that is in the organization already.
    pub fn join(&mut self, account: &str, parent: &str) -> Result<(), ApiError> {
        self.require_parent(parent)?;
        if self.member(account).is_some() {
            return Err(ApiError::new(
                "DuplicateAccountException",
                format!("Account {account} is a member already."),
            ));
        }
        if self.account(account).is_none() {
            let email = format!("root+{account}@example.com");
            let name = format!("account {account}");
            self.accounts.insert(account.to_owned(), Account::standalone(account, &name, &email));
        }
        self.admit(account, JoinedMethod::Invited);
        if parent == self.organization.root { Ok(()) } else { self.move_account(account, parent) }
    }

    /// Moves an account, as the management account would.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn move_account(&mut self, account: &str, parent: &str) -> Result<(), ApiError> {
        let source = self.parent_of(account)?;
        let caller = self.management_caller();
        self.move_account_as(&caller, account, &source, parent)
    }

    /// Closes an account, as the management account would, and lets the closure be done.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn close(&mut self, account: &str) -> Result<(), ApiError> {
        let caller = self.management_caller();
        self.close_account_as(&caller, account)?;
        let mine = |pending: &super::Pending| matches!(pending, super::Pending::Closure { account: id } if id == account);
        self.pending.retain(|(_, pending)| !mine(pending));
        self.finish_closure(account);
        Ok(())
    }

    /// Suspends an account, as AWS does; no event tells of it.
    pub fn suspend(&mut self, account: &str) {
        self.set_state(account, AccountState::Suspended);
    }

    /// Makes a suspended account active again.
    pub fn reinstate(&mut self, account: &str) {
        self.set_state(account, AccountState::Active);
    }

    /// Has Organizations tell something else of an account's state, or with `None` the state itself again.
    pub fn tell_state(&mut self, account: &str, told: Option<ToldState>) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.told_state = told;
        }
    }

    /// Has Organizations tell another id of an account than its own, or with an empty text none.
    pub fn tell_id(&mut self, account: &str, told: Option<&str>) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.told_id = told.map(str::to_owned);
        }
    }

    /// Takes an account out of the organization, as the management account would.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn remove(&mut self, account: &str) -> Result<(), ApiError> {
        let caller = self.management_caller();
        self.remove_account_as(&caller, account)
    }

    /// Lets an account leave the organization, as its administrator would.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn leave(&mut self, account: &str) -> Result<(), ApiError> {
        let caller = self.caller(&format!("arn:aws:iam::{account}:root"), super::event::HOME_REGION)?;
        self.leave_organization(&caller)
    }

    /// Deletes a guardrail, enforced or not, as an administrator of its account would if AWS let it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn delete_guardrail(&mut self, arn: &str) -> Result<(), ApiError> {
        let name = GuardrailName::from_arn(arn)
            .ok_or_else(|| ApiError::validation("This is not a guardrail's ARN."))?;
        self.remove_guardrail(&name, None)
    }

    /// Attaches a resource policy, legal or not, or takes it away. No event tells of it.
    ///
    /// # Errors
    /// `ValidationException` for an ARN of neither a guardrail nor a guardrail profile.
    pub fn set_resource_policy(&mut self, arn: &str, policy: Option<&str>) -> Result<(), ApiError> {
        self.attach_resource_policy(arn, policy)
    }

    /// Finds a guardrail by name.
    pub fn guardrail_arn(&self, account: &str, region: &str, name: &str) -> Option<&str> {
        let mut guardrails = self.region(account, region)?.guardrails.values();
        let found = guardrails.find(|guardrail| guardrail.draft.content.name == name)?;
        Some(&found.arn)
    }

    /// Says something to a model, as a principal would, with every guardrail that applies.
    ///
    /// # Errors
    /// As AWS answers.
    pub fn converse(
        &mut self,
        principal_arn: &str,
        account: &str,
        region: &str,
        model: &str,
        text: &str,
    ) -> Result<Reply, ApiError> {
        let caller = self.caller_in(principal_arn, account, region)?;
        let messages = vec![Piece { text: text.to_owned(), tagged: false }];
        self.invoke(&caller, &Invocation { model: model.to_owned(), messages, ..Invocation::default() })
    }
}
