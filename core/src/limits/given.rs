//! A person's approval of a revision: what the approval's parameter says, who gave it, and whether it counts.
//!
//! SSM's history says of each version of a parameter who wrote it. Author and approver are taken from there and from
//! nowhere else: nobody can name somebody else in a text.

mod principal;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::words::words;
use principal::{is_nobodys, is_same_person};

/// One version of a parameter, as its history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenVersion {
    /// Its number.
    pub version: i64,
    /// The text.
    pub text: String,
    /// Who wrote it: the ARN that SSM gives (`LastModifiedUser`), if it gives one.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Whether an approval counts that the author of the revision gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfApproval {
    /// It counts like anybody else's.
    Counts,
    /// It doesn't: another person has to approve.
    Refused,
}

/// A person's approval, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenApproval {
    /// The version of the approval's parameter.
    pub version: i64,
    /// When it was given, by SSM's clock.
    pub at: Timestamp,
    /// Who gave it, if SSM says so.
    pub approver: Option<String>,
    /// Who wrote the baseline's present text, each time that it was written, as far as SSM says so.
    pub authors: Vec<String>,
    /// Whether it counts.
    pub verdict: ApprovalVerdict,
}

words! {
    /// Whether an approval counts, and why not.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ApprovalVerdict {
        /// It counts.
        Counts = "approved",
        /// The deployment takes no approval by an author of the revision.
        ByItsAuthor = "approved_by_its_author",
        /// The deployment takes no approval by an author, and SSM doesn't say who wrote the baseline, or who approved it.
        Anonymous = "approved_anonymously",
        /// It is older than the text that it names: that text was put back since, after another one.
        Outdated = "approval_outdated",
    }

    /// A short stable name, as outcome events carry it.
    pub fn code(self) -> &'static str;
}

/// Judges the last approval that was given. `None` where it is for another revision, or is no revision at all, and where
/// the baseline's last text isn't this revision: then nothing is approved by it.
///
/// An approval names a text, and the same text may come back later, when other things are released by it. So it counts
/// only if it was given since that text was put there, after another one or as the first. Everybody counts as an author
/// who wrote this text, as far back as the history goes (SSM keeps 100 versions).
pub fn judge_approval(
    revision: &Revision,
    approvals: &[WrittenVersion],
    baselines: &[WrittenVersion],
    self_approval: SelfApproval,
) -> Option<GivenApproval> {
    let last = approvals.iter().max_by_key(|written| written.version)?;
    if revision_of(&last.text)? != *revision {
        return None;
    }
    let mut baselines: Vec<&WrittenVersion> = baselines.iter().collect();
    baselines.sort_by_key(|written| written.version);
    // A revision is a short hash, and two texts of one revision can be computed: so texts are compared, and not revisions.
    let text = &baselines.last().filter(|written| Revision::of(&written.text) == *revision)?.text;
    let is_it = |written: &&&WrittenVersion| written.text == *text;
    let put_there = baselines.iter().rev().take_while(is_it).last()?;
    let writers: Vec<Option<&String>> =
        baselines.iter().filter(is_it).map(|written| written.by.as_ref()).collect();
    // Whoever may ask for a token chooses the name that it shows.
    let known: Vec<Option<&String>> =
        writers.iter().map(|writer| writer.filter(|arn| !is_nobodys(arn))).collect();
    let approver = last.by.as_deref().filter(|arn| !is_nobodys(arn));
    let verdict = if last.at < put_there.at {
        ApprovalVerdict::Outdated
    } else {
        verdict(approver, &known, self_approval)
    };
    let mut authors: Vec<String> = writers.into_iter().flatten().cloned().collect();
    authors.sort();
    authors.dedup();
    let (version, at, approver) = (last.version, last.at, last.by.clone());
    Some(GivenApproval { version, at, approver, authors, verdict })
}

fn verdict(
    approver: Option<&str>,
    writers: &[Option<&String>],
    self_approval: SelfApproval,
) -> ApprovalVerdict {
    match (self_approval, approver) {
        (SelfApproval::Counts, _) => ApprovalVerdict::Counts,
        (SelfApproval::Refused, None) => ApprovalVerdict::Anonymous,
        (SelfApproval::Refused, Some(approver)) => {
            if writers.iter().flatten().any(|author| is_same_person(author, approver)) {
                ApprovalVerdict::ByItsAuthor
            } else if writers.iter().any(Option::is_none) {
                ApprovalVerdict::Anonymous
            } else {
                ApprovalVerdict::Counts
            }
        }
    }
}

/// The revision that an approval names: its text is that and nothing else.
pub fn revision_of(text: &str) -> Option<Revision> {
    text.trim().parse().ok()
}

impl GivenApproval {
    /// Whether the approval counts.
    pub fn counts(&self) -> bool {
        self.verdict == ApprovalVerdict::Counts
    }

    /// Whether this is the version of the parameter that was written then, judged as the deployment would now.
    pub fn is_of(&self, version: i64, at: Timestamp, self_approval: SelfApproval) -> bool {
        let lasts = match self.verdict {
            ApprovalVerdict::Counts | ApprovalVerdict::Outdated => true,
            ApprovalVerdict::ByItsAuthor | ApprovalVerdict::Anonymous => {
                self_approval == SelfApproval::Refused
            }
        };
        self.version == version && self.at == at && lasts
    }

    /// Whether it was given after another one. A parameter that was deleted begins with version 1 again.
    pub(super) fn is_later_than(&self, other: &GivenApproval) -> bool {
        (self.at, self.version) > (other.at, other.version)
    }

    /// The authors in words.
    fn authors(&self) -> String {
        if self.authors.is_empty() { "nobody that SSM names".to_owned() } else { self.authors.join(" and ") }
    }
}

impl fmt::Display for GivenApproval {
    /// Who approved, and why that doesn't count where it doesn't.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let approver = self.approver.as_deref().unwrap_or("somebody that SSM does not name");
        let authors = self.authors();
        match self.verdict {
            ApprovalVerdict::Counts => write!(f, "{approver} approved it, written by {authors}"),
            ApprovalVerdict::ByItsAuthor => write!(
                f,
                "the approval by {approver} does not count, because the same person wrote it ({authors}): somebody else \
                 has to approve it"
            ),
            ApprovalVerdict::Anonymous => write!(
                f,
                "the approval by {approver} does not count, because SSM does not say who wrote it and who approved it \
                 (written by {authors}): put both again"
            ),
            ApprovalVerdict::Outdated => write!(
                f,
                "the approval by {approver} does not count, because another text was there since: approve it again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Author_1a2b/alice@example.com";
    const BOB: &str = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Approver_3c4d/bob@example.com";

    fn written(version: i64, second: i64, text: &str, by: Option<&str>) -> WrittenVersion {
        let at = Timestamp::from_second(second).unwrap();
        WrittenVersion { version, text: text.to_owned(), by: by.map(str::to_owned), at }
    }

    fn of(text: &str) -> String {
        Revision::of(text).to_string()
    }

    /// The baseline's history: what was written, by whom, one after the other, from second 100 on.
    fn history(texts: &[(&str, Option<&str>)]) -> Vec<WrittenVersion> {
        let numbered = texts.iter().zip(1..);
        numbered.map(|((text, by), number)| written(number, number * 100, text, *by)).collect()
    }

    #[track_caller]
    fn judged(baselines: &[WrittenVersion], approval: WrittenVersion, rule: SelfApproval) -> String {
        // Whatever the order in which SSM lists them, and whatever was approved before.
        let before = written(approval.version - 1, 1, &of("another"), Some(ALICE));
        let mut turned = baselines.to_vec();
        turned.reverse();
        let revision = Revision::of("text");
        let given = judge_approval(&revision, &[before.clone(), approval.clone()], baselines, rule);
        assert_eq!(given, judge_approval(&revision, &[approval, before], &turned, rule));
        given.map_or("none".to_owned(), |given| given.verdict.code().to_owned())
    }

    #[test]
    fn an_approval_counts_for_the_text_that_is_there_and_for_no_other() {
        let text = Some(ALICE);
        for (name, baselines, approval, expected) in [
            (
                "the first text",
                history(&[("text", text)]),
                written(4, 100, &of("text"), Some(BOB)),
                "approved",
            ),
            (
                "after another",
                history(&[("other", text), ("text", text)]),
                written(4, 200, &of("text"), Some(BOB)),
                "approved",
            ),
            (
                "with space around it",
                history(&[("text", text)]),
                written(4, 150, &format!(" {}\n", of("text")), Some(BOB)),
                "approved",
            ),
            (
                "for another revision",
                history(&[("text", text)]),
                written(4, 150, &of("other"), Some(BOB)),
                "none",
            ),
            ("no revision", history(&[("text", text)]), written(4, 150, "yes", Some(BOB)), "none"),
            (
                "another text is there by now",
                history(&[("text", text), ("other", text)]),
                written(4, 300, &of("text"), Some(BOB)),
                "none",
            ),
            ("nothing is there", history(&[]), written(4, 300, &of("text"), Some(BOB)), "none"),
            // The same text came back: the approval was for the time before.
            (
                "put back since",
                history(&[("text", text), ("other", text), ("text", text)]),
                written(4, 250, &of("text"), Some(BOB)),
                "approval_outdated",
            ),
            (
                "given in advance",
                history(&[("other", text), ("text", text)]),
                written(4, 150, &of("text"), Some(BOB)),
                "approval_outdated",
            ),
            // Put once more without a change, it is the text that was approved.
            (
                "put twice",
                history(&[("other", text), ("text", text), ("text", text)]),
                written(4, 250, &of("text"), Some(BOB)),
                "approved",
            ),
        ] {
            for rule in [SelfApproval::Counts, SelfApproval::Refused] {
                assert_eq!(judged(&baselines, approval.clone(), rule), expected, "{name}, {rule:?}");
            }
        }
    }

    /// Two texts of one revision, which were computed.
    #[test]
    fn an_approval_of_one_text_does_not_count_for_its_twin() {
        let (harmless, harmful) = (
            include_str!("../../../tests/it/twins/harmless.yaml"),
            include_str!("../../../tests/it/twins/harmful.yaml"),
        );
        let revision = Revision::of(harmless);
        assert_eq!(revision, Revision::of(harmful));
        assert_ne!(harmless, harmful);
        for (texts, expected) in [
            (&[harmless][..], "approved"),
            (&[harmless, harmful], "approval_outdated"),
            (&[harmful], "approved"),
        ] {
            let texts: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (*text, Some(ALICE))).collect();
            let approval = written(4, 150, revision.as_str(), Some(BOB));
            let given = judge_approval(&revision, &[approval], &history(&texts), SelfApproval::Refused);
            assert_eq!(given.unwrap().verdict.code(), expected);
        }
    }

    #[test]
    fn an_authors_own_approval_counts_only_where_the_deployment_takes_it() {
        let pipeline = "arn:aws:sts::111111111111:assumed-role/Pipeline/run-17";
        for (name, writers, approver, refused) in [
            ("two people", vec![Some(ALICE)], Some(BOB), "approved"),
            ("the author", vec![Some(ALICE)], Some(ALICE), "approved_by_its_author"),
            (
                "one who wrote it before somebody else did",
                vec![Some(ALICE), Some(BOB)],
                Some(ALICE),
                "approved_by_its_author",
            ),
            (
                "the pipeline, in another run",
                vec![Some(pipeline)],
                Some("arn:aws:sts::111111111111:assumed-role/Pipeline/run-18"),
                "approved_by_its_author",
            ),
            ("nobody knows who wrote it", vec![None], Some(BOB), "approved_anonymously"),
            ("nobody knows who wrote it once", vec![Some(ALICE), None], Some(BOB), "approved_anonymously"),
            ("nobody knows who approved it", vec![Some(ALICE)], None, "approved_anonymously"),
            (
                "a token, which any name can be chosen for",
                vec![Some("arn:aws:iam::111111111111:user/alice")],
                Some("arn:aws:sts::111111111111:federated-user/bob"),
                "approved_anonymously",
            ),
            (
                "written with such a token",
                vec![Some("arn:aws:sts::111111111111:federated-user/bob")],
                Some("arn:aws:iam::111111111111:user/alice"),
                "approved_anonymously",
            ),
        ] {
            let texts: Vec<(&str, Option<&str>)> = writers.iter().map(|by| ("text", *by)).collect();
            let approval = written(7, 1000, &of("text"), approver);
            assert_eq!(judged(&history(&texts), approval.clone(), SelfApproval::Refused), refused, "{name}");
            assert_eq!(judged(&history(&texts), approval, SelfApproval::Counts), "approved", "{name}");
        }
        // Whoever wrote it before another text came in between wrote it.
        let again = history(&[("text", Some(ALICE)), ("other", Some(BOB)), ("text", Some(BOB))]);
        let by_alice = written(7, 1000, &of("text"), Some(ALICE));
        assert_eq!(judged(&again, by_alice, SelfApproval::Refused), "approved_by_its_author");
    }

    #[test]
    fn what_is_told_of_an_approval_names_both() {
        let given = |verdict| GivenApproval {
            version: 3,
            at: Timestamp::UNIX_EPOCH,
            approver: Some(BOB.to_owned()),
            authors: vec![ALICE.to_owned()],
            verdict,
        };
        for verdict in [ApprovalVerdict::Counts, ApprovalVerdict::ByItsAuthor, ApprovalVerdict::Anonymous] {
            let text = given(verdict).to_string();
            assert!(text.contains(ALICE) && text.contains(BOB), "{text}");
        }
        let nobody = GivenApproval { approver: None, authors: Vec::new(), ..given(ApprovalVerdict::Counts) };
        assert_eq!(
            nobody.to_string(),
            "somebody that SSM does not name approved it, written by nobody that SSM names"
        );
        let text = serde_json::to_string(&given(ApprovalVerdict::ByItsAuthor)).unwrap();
        assert_eq!(
            serde_json::from_str::<GivenApproval>(&text).unwrap(),
            given(ApprovalVerdict::ByItsAuthor)
        );
    }
}
