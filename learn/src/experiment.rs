//! What an experiment is: one unknown, what it makes to find it out, and what its answers may be.

use std::future::Future;
use std::pin::Pin;

use crate::calls::Halt;
use crate::lab::Lab;

/// Observes, and judges by what it saw.
pub type Observing<'a> = Pin<Box<dyn Future<Output = Result<Verdict, Halt>> + 'a>>;

/// One unknown about AWS, and how it is found out.
#[derive(Clone, Copy)]
pub struct Experiment {
    /// The simulator's switch, which is also the experiment's name.
    pub switch: &'static str,
    /// What nobody knows.
    pub question: &'static str,
    /// The positions of the switch.
    pub positions: &'static [&'static str],
    /// What has to be there first.
    pub needs: &'static [Need],
    /// What it makes and removes again; empty for one that only reads.
    pub makes: &'static str,
    /// What it calls, and how the answer is read.
    pub method: &'static str,
    /// Makes it.
    pub observe: for<'a> fn(&'a Lab) -> Observing<'a>,
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Experiment").field("switch", &self.switch).finish_non_exhaustive()
    }
}

/// What an experiment needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The management account's credentials.
    Management,
    /// The throw-away account's own guardrail.
    Own,
    /// The management account's guardrail.
    Shared,
    /// That policies can be attached.
    PolicyType,
    /// That the model answers.
    Model,
    /// An OU that holds the throw-away account and nothing else.
    Unit,
    /// A customer managed key.
    Key,
    /// That the management account may be touched.
    TouchesManagement,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// A position of the switch.
    Position(&'static str),
    /// Something that the switch has no position for.
    Otherwise(String),
    /// Nothing, because.
    NotFoundOut(String),
    /// It wasn't tried, because.
    NotTried(String),
}

/// An answer, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was found out.
    pub answer: Learned,
    /// From what.
    pub seen: String,
}

impl Verdict {
    /// A position of the switch.
    pub fn position(position: &'static str, seen: impl Into<String>) -> Verdict {
        Verdict { answer: Learned::Position(position), seen: seen.into() }
    }

    /// Something that the switch has no position for.
    pub fn otherwise(what: impl Into<String>) -> Verdict {
        Verdict { answer: Learned::Otherwise(what.into()), seen: String::new() }
    }

    /// Nothing, because.
    pub fn not_found_out(why: impl Into<String>) -> Verdict {
        Verdict { answer: Learned::NotFoundOut(why.into()), seen: String::new() }
    }

    /// It wasn't tried, because.
    pub fn not_tried(why: impl Into<String>) -> Verdict {
        Verdict { answer: Learned::NotTried(why.into()), seen: String::new() }
    }
}

/// What came of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// The simulator's switch.
    pub switch: &'static str,
    /// The question.
    pub question: &'static str,
    /// What came of it.
    pub verdict: Verdict,
}

/// What no run of this program can find out.
#[derive(Clone, Copy, Debug)]
pub struct BeyondReach {
    /// The simulator's switch, where it has one.
    pub switch: Option<&'static str>,
    /// What nobody knows.
    pub what: &'static str,
    /// Why a run can't find it out.
    pub why: &'static str,
}

/// What stays unknown after a run. A switch that no experiment settles must stand here.
pub const BEYOND_REACH: &[BeyondReach] = &[
    BeyondReach {
        switch: Some("enforced-on-async-invoke"),
        what: "whether enforced guardrails act on StartAsyncInvoke",
        why: "its answer goes to a bucket of S3 that would have to be made, and its models make videos, which cost dollars",
    },
    BeyondReach {
        switch: None,
        what: "the shapes of events that were never captured, and what the version of an enforced guardrail is called in CloudTrail's data events",
        why: "events arrive minutes later in a trail or on a bus; a run would have to make both and wait. Look into the event history and your trail after a run: everything that it did is there",
    },
    BeyondReach {
        switch: None,
        what: "the rates of Bedrock's control plane and of reading effective policies",
        why: "finding a limit means to exceed it, and limits of the management account are shared with everything else that runs there",
    },
    BeyondReach {
        switch: None,
        what: "the Regions and partitions that have enforcement",
        why: "a run uses one Region; run it again with another --region",
    },
    BeyondReach {
        switch: None,
        what: "whether enforced guardrails act on batches, agents, knowledge bases, flows and bidirectional streams",
        why: "each needs resources of its own that cost money and take minutes to hours to make",
    },
    BeyondReach {
        switch: None,
        what: "the IAM resource type of the calls that read and write resource policies of guardrails",
        why: "it takes principals with narrowed permissions, which a run doesn't make",
    },
    BeyondReach {
        switch: None,
        what: "the longest list and the most configurations that a merged policy may have",
        why: "a document holds 10,000 characters; a run that finds no limit within them proves nothing about several policies together",
    },
    BeyondReach {
        switch: None,
        what: "whether a lock beside keys keeps new settings out, and which ids of models Put takes besides documented ones",
        why: "the simulator has no switch for them, so an experiment could not be tried before it is made",
    },
    BeyondReach {
        switch: None,
        what: "what happens in an account that leaves the organization",
        why: "an account that left can't be brought back by a program",
    },
];
