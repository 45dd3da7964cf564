//! Invitations into the organization.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::caller::Caller;
use super::error::ApiError;
use super::event::Trail;
use super::organization::JoinedMethod;
use super::{Model, clock};

/// How long an invitation can be accepted.
const LIFE_SECONDS: u64 = 15 * 24 * 3600;

/// An invitation of an account into the organization.
#[derive(Clone, Debug, Serialize)]
pub struct Handshake {
    /// e.g. `h-…`.
    pub id: String,
    /// The invited account.
    pub account: String,
    /// How the account was named: by id or by address.
    pub target: (TargetKind, String),
    /// What was written to it.
    pub notes: Option<String>,
    /// How far it is.
    pub state: HandshakeState,
    /// When it was made.
    pub requested_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// How an invited account was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetKind {
    /// By its id.
    Account,
    /// By the address of its root user.
    Email,
}

/// How far an invitation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HandshakeState {
    /// Made, not answered.
    Open,
    /// Taken back.
    Canceled,
    /// Accepted.
    Accepted,
    /// Declined.
    Declined,
    /// Never answered in time.
    Expired,
}

impl HandshakeState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            HandshakeState::Open => "OPEN",
            HandshakeState::Canceled => "CANCELED",
            HandshakeState::Accepted => "ACCEPTED",
            HandshakeState::Declined => "DECLINED",
            HandshakeState::Expired => "EXPIRED",
        }
    }
}

impl Model {
    /// Invites an account, named by id or by address.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn invite(
        &mut self,
        caller: &Caller,
        kind: TargetKind,
        target: &str,
        notes: Option<String>,
    ) -> Result<Handshake, ApiError> {
        self.authorize_management(caller, "InviteAccountToOrganization")?;
        let account = match kind {
            TargetKind::Account => self.account(target),
            TargetKind::Email => {
                self.accounts.values().find(|account| account.email.eq_ignore_ascii_case(target))
            }
        };
        let Some(account) = account else {
            return Err(ApiError::because(
                "InvalidInputException",
                "INVALID_PARTY_TYPE_TARGET",
                "You specified an account that doesn't exist.",
            ));
        };
        let id = account.id.clone();
        if account.membership.is_some() {
            return Err(ApiError::because(
                "HandshakeConstraintViolationException",
                "ALREADY_IN_AN_ORGANIZATION",
                "The account is already a member of an organization.",
            ));
        }
        let now = self.now();
        let open =
            |other: &&Handshake| other.account == id && self.handshake_state(other) == HandshakeState::Open;
        if self.handshakes.values().find(open).is_some() {
            let message = "A handshake with the same action and target already exists.";
            return Err(ApiError::new("DuplicateHandshakeException", message));
        }
        let handshake = Handshake {
            id: format!("h-{}", self.ids.lower(10)),
            account: id.clone(),
            target: (kind, target.to_owned()),
            notes,
            state: HandshakeState::Open,
            requested_at: now,
            expires_at: clock::after(now, LIFE_SECONDS),
        };
        self.handshakes.insert(handshake.id.clone(), handshake.clone());
        self.trail(caller, Trail::organizations(
            "InviteAccountToOrganization",
            json!({ "target": { "type": if kind == TargetKind::Account { "ACCOUNT" } else { "EMAIL" }, "id": target } }),
            json!({ "handshake": {
                "id": handshake.id, "state": "OPEN", "action": "INVITE",
                "parties": [
                    { "type": "ORGANIZATION", "id": self.organization.id.trim_start_matches("o-") },
                    { "type": "ACCOUNT", "id": id },
                ],
            } }),
        ));
        Ok(handshake)
    }

    /// The state of an invitation at the model's time.
    pub fn handshake_state(&self, handshake: &Handshake) -> HandshakeState {
        if handshake.state == HandshakeState::Open && handshake.expires_at <= self.now() {
            HandshakeState::Expired
        } else {
            handshake.state
        }
    }

    /// An invitation that the caller takes part in.
    ///
    /// # Errors
    /// `HandshakeNotFoundException`, `AccessDeniedException`.
    pub fn handshake(&self, caller: &Caller, action: &str, id: &str) -> Result<&Handshake, ApiError> {
        self.authorize(caller, &format!("organizations:{action}"), "*")?;
        let handshake = self.handshakes.get(id).ok_or_else(|| {
            ApiError::new("HandshakeNotFoundException", "You specified a handshake that doesn't exist.")
        })?;
        let takes_part =
            caller.account() == handshake.account || caller.account() == self.organization.management_account;
        if takes_part {
            Ok(handshake)
        } else {
            Err(ApiError::denied("You don't have permissions to access this resource."))
        }
    }

    /// Ends an open invitation: the invited account accepts or declines, the management account cancels.
    ///
    /// # Errors
    /// Whatever stands in the way.
    pub fn answer_handshake(
        &mut self,
        caller: &Caller,
        action: &'static str,
        id: &str,
        answer: HandshakeState,
    ) -> Result<Handshake, ApiError> {
        let handshake = self.handshake(caller, action, id)?.clone();
        let invited = caller.account() == handshake.account;
        if invited == (answer == HandshakeState::Canceled) {
            return Err(ApiError::denied("You don't have permissions to access this resource."));
        }
        match self.handshake_state(&handshake) {
            HandshakeState::Open => {}
            state if state == answer => {
                let message = "The specified handshake is already in the requested state.";
                return Err(ApiError::new("HandshakeAlreadyInStateException", message));
            }
            _ => {
                let message = "You can't perform the operation on the handshake in its current state.";
                return Err(ApiError::new("InvalidHandshakeTransitionException", message));
            }
        }
        let answered = Handshake { state: answer, ..handshake };
        self.handshakes.insert(id.to_owned(), answered.clone());
        self.trail(
            caller,
            Trail::organizations(
                action,
                json!({ "handshakeId": id }),
                json!({ "handshake": { "id": id, "state": answer.name(), "action": "INVITE" } }),
            ),
        );
        if answer == HandshakeState::Accepted {
            self.admit(&answered.account, JoinedMethod::Invited);
        }
        Ok(answered)
    }
}
