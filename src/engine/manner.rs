//! How a run differs from an ordinary one.

use jiff::Timestamp;

use crate::limits::RevisionApproval;
use crate::organization::Placement;
use crate::record::Sequence;

/// How a run differs from an ordinary one, which looks at everything in its scope by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Somebody approves the revision, if what follows is applied.
    pub approved: bool,
    /// It follows on what the same run just wrote.
    pub again: bool,
    /// Which side of the work it does.
    pub part: Part,
    /// Its place in the queue, where it came out of one.
    pub sequence: Option<Sequence>,
    /// The event that caused it.
    pub event: Option<String>,
    /// When the account came to where it stands, or was given these Regions, if the event told that.
    pub arrival: Option<Timestamp>,
    /// Since when the owner's side must have been looked at, for what was recorded of it to count.
    pub owner_seen_since: Option<Timestamp>,
    /// What was recorded of the owner's side doesn't count at all: it is read anew. Nothing is given up for what
    /// somebody else saw a while ago.
    pub owner_anew: bool,
    /// How far the present revision has come, where it waits and the account follows the one that was approved before
    /// it: what was ours is put back, what is unguarded is guarded, and nothing else is done.
    pub candidate: Option<RevisionApproval>,
    /// Where the account stands, as Organizations told whoever queued the work. It is asked again
    /// before anything is released.
    pub placement: Option<Placement>,
}

/// Which side of the work a run does. One that comes out of the queue does only its own: so there
/// is one writer per account, and one per guardrail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Both sides.
    #[default]
    Everything,
    /// One account's: guardrails' resource policies are read, and left to the owner's side.
    Account,
    /// The owner's, in some Regions: resource policies, and what members may rely on.
    Owner {
        /// Since when a sweep has looked at every account, so that grants nobody needs any more can
        /// be told from the record.
        swept_since: Option<Timestamp>,
    },
}
