//! Whether a member's copy of a guardrail is as it should be, and the next step if it isn't. Decides; does no I/O.
//!
//! A copy is found by its name, which follows from the original's, and judged by its content:
//!
//! | the copy | then |
//! | --- | --- |
//! | isn't there | create it |
//! | is there, not made by us | held: nothing of it is touched |
//! | has a ready version of equal content | use it: the enforced one, or else the newest |
//! | has such a version, in the making | not ready |
//! | has none; its draft is being worked on | not ready |
//! | has none; its draft differs | write the draft |
//! | has none; its draft is equal | publish it |
//!
//! A version is published only from a draft that was read back equal, and used only after it was
//! itself read back equal. So neither an administrator who edits the draft, nor one who writes our
//! marker on something else, nor AWS showing a content differently from how it was written ever
//! gets a wrong version enforced, or an endless row of versions published.

mod held;
mod leftover;
mod marker;
mod prune;
mod tags;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::baseline::GuardrailName;
use crate::content::{CannotCopy, Content, Digest};
use crate::failure::Failure;
use crate::ids::{GuardrailArn, GuardrailVersion, KmsKeyArn, Target};
use crate::observed::Observation;

pub use held::{CopyHeld, of_a_copy};
pub use leftover::{Leftover, LeftoverDoubt};
pub use marker::{Marker, SOURCE_TAG};
pub use prune::{Listed, prunable, prunable_among};
pub use tags::{Tags, carried, to_write};
pub use wanted::WantedCopy;

/// How many versions AWS lets a guardrail have.
pub const VERSIONS_AT_MOST: usize = 20;

/// How many of a copy's newest versions are kept in any case.
pub const VERSIONS_KEPT: usize = 3;

/// What ends the name of a copy.
const SUFFIX: &str = "-keeper";

/// The version of a guardrail that is to be copied, as the owner account showed it.
#[derive(Clone, Debug)]
pub struct Original {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Its version.
    pub version: GuardrailVersion,
    /// Its name.
    pub name: GuardrailName,
    /// What it does.
    pub content: Content,
    /// The hash of that.
    pub digest: Digest,
    /// Whether its owner encrypts it with a key of their own. A copy is encrypted with that only if
    /// the baseline gives it as the copies' key as well.
    pub customer_key: bool,
    /// The key that copies are to be encrypted with, where the baseline gives one.
    pub copy_key: Option<KmsKeyArn>,
    /// Its tags that copies are to carry, where they were looked up.
    pub tags: Option<Tags>,
}

impl Original {
    /// The name of every copy of it.
    ///
    /// The original's name and `-keeper`. One that would be too long is cut, and distinguished from others
    /// that are cut alike by eight digits of its hash.
    pub fn copy_name(&self) -> GuardrailName {
        let name = self.name.as_str();
        let whole = format!("{name}{SUFFIX}");
        let hash: String = Sha256::digest(name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let cut: String = name.chars().take(50 - SUFFIX.len() - hash.len() - 1).collect();
        let fitting = whole.parse().or_else(|_| format!("{cut}-{hash}{SUFFIX}").parse());
        fitting.expect("a name's letters and a suffix of such letters are a name")
    }

    /// What is written on a copy.
    pub fn marker(&self) -> Marker {
        Marker { source: self.guardrail.clone(), version: self.version, digest: self.wanted().mark() }
    }

    /// What a copy of it must be.
    pub fn wanted(&self) -> WantedCopy {
        WantedCopy { content: self.digest.clone(), key: self.copy_key.clone() }
    }
}

/// Why there is no original to copy. Displays as what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoOriginal {
    /// The guardrail or the version doesn't exist.
    Missing,
    /// The version isn't usable yet, or never will be.
    NotReady(Status),
    /// It can't be copied.
    CannotCopy(CannotCopy),
    /// It could not be read.
    Unreadable(Failure),
}

impl fmt::Display for NoOriginal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoOriginal::Missing => f.write_str("the guardrail has no such version in this Region"),
            NoOriginal::NotReady(status) => write!(f, "the guardrail is {status}, not READY"),
            NoOriginal::CannotCopy(why) => why.fmt(f),
            NoOriginal::Unreadable(failure) => write!(f, "the guardrail could not be read: {failure}"),
        }
    }
}

/// A published version of a guardrail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Published {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Its version.
    pub version: GuardrailVersion,
}

/// What the member enforces by a guardrail of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enforced {
    /// Nothing at all.
    Nothing,
    /// A guardrail of another account or Region.
    OfAnother,
    /// This version of a guardrail in the same account and Region.
    Own(Published),
    /// It isn't known. So nothing may be removed.
    Unknown,
}

impl Enforced {
    /// What an observation of the target says.
    pub fn of(observation: &Observation, target: &Target) -> Enforced {
        match observation {
            Observation::Absent => Enforced::Nothing,
            Observation::Enforced(seen) => {
                let guardrail = &seen.enforcement.guardrail;
                if guardrail.account == target.account && guardrail.region == target.region {
                    let version = seen.enforcement.version;
                    Enforced::Own(Published { guardrail: guardrail.clone(), version })
                } else {
                    Enforced::OfAnother
                }
            }
            Observation::Unreadable(_) => Enforced::Unknown,
        }
    }

    /// The enforced version of this guardrail.
    fn version_of(&self, guardrail: &GuardrailArn) -> Option<GuardrailVersion> {
        match self {
            Enforced::Own(own) if own.guardrail == *guardrail => Some(own.version),
            Enforced::Own(_) | Enforced::Nothing | Enforced::OfAnother | Enforced::Unknown => None,
        }
    }
}

/// Whether a draft or version can be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// It can.
    Ready,
    /// It never will.
    Failed,
    /// It is being deleted.
    Deleting,
    /// It is being created.
    Creating,
    /// It is being changed.
    Updating,
    /// A version of it is being published.
    Versioning,
    /// A state that AWS added: its word. It can't be used, and it isn't known for how long.
    Unknown(String),
}

impl Status {
    /// Whether AWS is at work on it, so that it ends by itself.
    pub fn passes(&self) -> bool {
        match self {
            Status::Creating | Status::Updating | Status::Versioning => true,
            Status::Ready | Status::Failed | Status::Deleting | Status::Unknown(_) => false,
        }
    }

    /// Whether it may still become ready. An unknown state may be one that passes.
    fn may_pass(&self) -> bool {
        self.passes() || matches!(self, Status::Unknown(_))
    }
}

impl From<String> for Status {
    fn from(word: String) -> Status {
        match word.as_str() {
            "READY" => Status::Ready,
            "FAILED" => Status::Failed,
            "DELETING" => Status::Deleting,
            "CREATING" => Status::Creating,
            "UPDATING" => Status::Updating,
            "VERSIONING" => Status::Versioning,
            _ => Status::Unknown(word),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> String {
        status.to_string()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Ready => "READY",
            Status::Failed => "FAILED",
            Status::Deleting => "DELETING",
            Status::Creating => "CREATING",
            Status::Updating => "UPDATING",
            Status::Versioning => "VERSIONING",
            Status::Unknown(word) => word,
        })
    }
}

/// The guardrail that has a copy's name, as the member showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenCopy {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Its draft, which can be edited and can't be enforced.
    pub draft: Edition,
    /// All of its versions, which can't be edited.
    pub versions: BTreeMap<GuardrailVersion, Edition>,
    /// Whether it carries our tag.
    pub tagged: bool,
}

/// The draft or one version of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Whether it can be used.
    pub status: Status,
    /// The hash of what it does. What can't be copied is in any case no copy.
    pub content: Result<Digest, CannotCopy>,
    /// The ARN of the key that it is encrypted with, where that isn't one of AWS's.
    pub key: Option<String>,
    /// What its description says. A hint: any principal of the account can write it.
    pub marker: Option<Marker>,
}

impl SeenCopy {
    /// Whether we made it, as far as tag and descriptions show. The descriptions of versions can't
    /// be edited, so that our mark doesn't get lost by an edit of the draft.
    ///
    /// A member's administrator who forges a mark hands us a guardrail to write over; it is enforced
    /// only with the right content all the same.
    pub fn is_ours(&self) -> bool {
        self.tagged || self.draft.marker.is_some() || self.versions.values().any(|it| it.marker.is_some())
    }
}

/// What a look at a copy comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyVerdict {
    /// This is the version to enforce.
    Ready(Published),
    /// This is to be done next.
    Needs(CopyStep),
    /// AWS isn't done yet; looking again later is all there is to do.
    NotReady(Status),
    /// Nothing is done, for this reason.
    Held(CopyHeld),
}

impl CopyVerdict {
    /// Whether the copy's draft is about to be written.
    pub fn is_written(&self) -> bool {
        matches!(self, CopyVerdict::Needs(CopyStep::Create | CopyStep::UpdateDraft(_)))
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyStep {
    /// Create the copy.
    Create,
    /// Write the original's content into the copy's draft.
    UpdateDraft(GuardrailArn),
    /// Publish the draft as a version.
    Publish(GuardrailArn),
    /// Delete a version that isn't in use.
    DeleteVersion(Published),
}

impl fmt::Display for CopyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyStep::Create => f.write_str("create the copy"),
            CopyStep::UpdateDraft(guardrail) => write!(f, "update the draft of {}", guardrail.id),
            CopyStep::Publish(guardrail) => write!(f, "publish {}", guardrail.id),
            CopyStep::DeleteVersion(Published { guardrail, version }) => {
                write!(f, "delete {}:{version}", guardrail.id)
            }
        }
    }
}

/// Judges what has the copy's name.
pub fn judge(wanted: &WantedCopy, seen: Option<&SeenCopy>, enforced: &Enforced) -> CopyVerdict {
    let Some(seen) = seen else { return CopyVerdict::Needs(CopyStep::Create) };
    let guardrail = &seen.guardrail;
    if !seen.is_ours() {
        return CopyVerdict::Held(CopyHeld::NameTaken { guardrail: guardrail.clone() });
    }
    if seen.draft.status == Status::Deleting {
        return CopyVerdict::NotReady(Status::Deleting);
    }

    let is_equal = |edition: &Edition| wanted.is_met_by(edition);
    let in_status = |wanted: fn(&Status) -> bool| {
        let found = seen.versions.iter().filter(move |(_, it)| is_equal(it) && wanted(&it.status));
        found.map(|(version, it)| (*version, &it.status)).collect::<Vec<_>>()
    };
    let ready = in_status(|status| *status == Status::Ready);
    let enforced_one = enforced.version_of(guardrail);
    let preferred = ready.iter().find(|(version, _)| Some(*version) == enforced_one).or(ready.last());
    if let Some((version, _)) = preferred {
        return CopyVerdict::Ready(Published { guardrail: guardrail.clone(), version: *version });
    }
    if let Some((_, busy)) = in_status(Status::may_pass).last() {
        return CopyVerdict::NotReady((*busy).clone());
    }
    // A second attempt may help against AWS's bad luck; more would fill the copy with wrecks.
    if in_status(|status| *status == Status::Failed).len() >= 2 {
        return CopyVerdict::Held(CopyHeld::VersionsFailed { guardrail: guardrail.clone() });
    }
    // Published from a draft that was equal, and not equal: another one won't be either.
    let claims = |edition: &&Edition| {
        edition.status == Status::Ready
            && edition.marker.as_ref().is_some_and(|marker| marker.digest == wanted.mark())
    };
    if seen.versions.values().filter(claims).count() >= 2 {
        return CopyVerdict::Held(CopyHeld::VersionsReadBackDifferent { guardrail: guardrail.clone() });
    }

    match &seen.draft.status {
        busy @ (Status::Creating
        | Status::Updating
        | Status::Versioning
        | Status::Unknown(_)
        | Status::Deleting) => CopyVerdict::NotReady(busy.clone()),
        Status::Ready if is_equal(&seen.draft) => publish(seen, enforced),
        Status::Ready | Status::Failed => CopyVerdict::Needs(CopyStep::UpdateDraft(guardrail.clone())),
    }
}

fn publish(seen: &SeenCopy, enforced: &Enforced) -> CopyVerdict {
    let guardrail = seen.guardrail.clone();
    let count = seen.versions.len();
    if count < VERSIONS_AT_MOST {
        return CopyVerdict::Needs(CopyStep::Publish(guardrail));
    }
    match prunable(seen, enforced, None, VERSIONS_KEPT).first() {
        Some(version) => {
            CopyVerdict::Needs(CopyStep::DeleteVersion(Published { guardrail, version: *version }))
        }
        None => CopyVerdict::Held(CopyHeld::VersionsFull { guardrail, count }),
    }
}

#[cfg(test)]
mod tests;
