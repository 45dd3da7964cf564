//! Whether somebody's Bedrock policy can become the keeper's, and as which part.
//!
//! Taking it over changes its name and its tags, and no setting: it has no effect on any account. So only a policy is taken
//! that the keeper could have written: attached to one point, in the keeper's own form, at a point that the baseline
//! assigns. The keeper would detach any other at its next look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::kept::OrganizationLevelRecord;
use crate::baseline::{Baseline, OrganizationAssignment};
use crate::bedrock_policy::{
    AttachPoint, BedrockPolicy, InvalidBedrockPolicy, MAX_PARTS, OwnDocument, OwnForm, OwnFormObstacle,
    PolicyId, PolicyPart,
};

/// A policy as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPolicy {
    /// Its id.
    pub id: PolicyId,
    /// What people call it.
    pub name: String,
    /// What it is attached to.
    pub points: BTreeSet<AttachPoint>,
    /// What it says.
    pub content: Result<BedrockPolicy, InvalidBedrockPolicy>,
}

/// A policy that can become the keeper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptablePolicy {
    /// Its id.
    pub id: PolicyId,
    /// The part that it becomes, which is its name then.
    pub part: PolicyPart,
    /// What it says, as one of the keeper's documents.
    pub content: OwnDocument,
}

/// How a policy stands before it is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdoptionStart {
    /// It can become the keeper's.
    Adoptable(AdoptablePolicy),
    /// It is the keeper's already.
    AlreadyOurs(PolicyPart),
}

/// Why a policy can't become the keeper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAdoptable {
    /// It is attached to nothing.
    Unattached,
    /// It is attached to more than one point.
    SeveralPoints(BTreeSet<AttachPoint>),
    /// The baseline assigns nothing on this level to its point.
    NotAssigned(AttachPoint),
    /// What it says can't be read.
    Unreadable(InvalidBedrockPolicy),
    /// It says something that no document of the keeper's says.
    OtherForm {
        /// What stands in the way.
        obstacles: BTreeSet<OwnFormObstacle>,
        /// The keeper's document that enforces the same, where there is one.
        alike: Option<OwnDocument>,
    },
    /// Every name that the keeper has for this point is taken.
    NoName(AttachPoint),
}

/// Judges whether a policy can become the keeper's. `names` are those of every Bedrock policy.
///
/// # Errors
/// Everything that stands in the way.
pub fn adoptable(
    found: &FoundPolicy,
    baseline: &Baseline,
    known: &OrganizationLevelRecord,
    names: &BTreeMap<PolicyId, String>,
) -> Result<AdoptionStart, Vec<NotAdoptable>> {
    let recorded = known.own.get(&found.id);
    if let Some(part) = recorded.filter(|part| part.to_string() == found.name) {
        return Ok(AdoptionStart::AlreadyOurs(part.clone()));
    }
    let mut obstacles = Vec::new();
    let point = match found.points.iter().collect::<Vec<_>>().as_slice() {
        [] => {
            obstacles.push(NotAdoptable::Unattached);
            None
        }
        [point] => Some(*point),
        _ => {
            obstacles.push(NotAdoptable::SeveralPoints(found.points.clone()));
            None
        }
    };
    let assigned = |point: &AttachPoint| {
        let mut targets = baseline.organization_assignments.iter().flat_map(targets_of);
        targets.any(|target| target == *point)
    };
    obstacles.extend(point.filter(|point| !assigned(point)).cloned().map(NotAdoptable::NotAssigned));
    let content = match found.content.as_ref().map(BedrockPolicy::own_form) {
        Ok(OwnForm::Is(content)) => Some(content),
        Ok(OwnForm::IsNot { obstacles: in_the_way, alike }) => {
            obstacles.push(NotAdoptable::OtherForm { obstacles: in_the_way, alike });
            None
        }
        Err(invalid) => {
            obstacles.push(NotAdoptable::Unreadable(invalid.clone()));
            None
        }
    };
    let part = point.and_then(|point| {
        // A run that was stopped has recorded it already.
        let begun = recorded.filter(|part| part.point == *point && is_free(part, found, known, names));
        let part = begun.cloned().or_else(|| free_part(point, found, known, names));
        if part.is_none() {
            obstacles.push(NotAdoptable::NoName(point.clone()));
        }
        part
    });
    match (part, content) {
        (Some(part), Some(content)) if obstacles.is_empty() => {
            Ok(AdoptionStart::Adoptable(AdoptablePolicy { id: found.id.clone(), part, content }))
        }
        _ => Err(obstacles),
    }
}

fn targets_of(assignment: &OrganizationAssignment) -> impl Iterator<Item = AttachPoint> {
    assignment.targets.iter().map(AttachPoint::from)
}

/// The first part of a point whose name nobody has.
fn free_part(
    point: &AttachPoint,
    found: &FoundPolicy,
    known: &OrganizationLevelRecord,
    names: &BTreeMap<PolicyId, String>,
) -> Option<PolicyPart> {
    let parts = (1..=MAX_PARTS).map(|number| PolicyPart { point: point.clone(), number });
    parts.into_iter().find(|part| is_free(part, found, known, names))
}

/// Whether no other policy has the name of a part, nor is known to be that part, nor about to be.
fn is_free(
    part: &PolicyPart,
    found: &FoundPolicy,
    known: &OrganizationLevelRecord,
    names: &BTreeMap<PolicyId, String>,
) -> bool {
    let name = part.to_string();
    let has_name = names.iter().any(|(id, taken)| *id != found.id && *taken == name);
    let is_known = known.own.iter().any(|(id, taken)| *id != found.id && taken == part);
    !has_name && !is_known && known.creating.as_ref() != Some(part)
}

impl NotAdoptable {
    /// A short stable name.
    pub fn code(&self) -> &'static str {
        match self {
            NotAdoptable::Unattached => "unattached",
            NotAdoptable::SeveralPoints(_) => "several_points",
            NotAdoptable::NotAssigned(_) => "not_assigned",
            NotAdoptable::Unreadable(_) => "unreadable",
            NotAdoptable::OtherForm { .. } => "other_form",
            NotAdoptable::NoName(_) => "no_name",
        }
    }

    /// What to do about it.
    pub fn todo(&self) -> String {
        match self {
            NotAdoptable::Unattached => {
                "there is nothing to take over: let the baseline assign the point, and the keeper creates its own policy"
                    .to_owned()
            }
            NotAdoptable::SeveralPoints(_) => {
                "attach policies of their own to the other points, and detach this one there; preview-policy shows what \
                 each step does"
                    .to_owned()
            }
            NotAdoptable::NotAssigned(point) => format!(
                "push a baseline that assigns it (targets: [{point}], level: organization), in mode audit if the keeper \
                 is to write nothing there before"
            ),
            NotAdoptable::Unreadable(_) => "correct it; check-policy says how".to_owned(),
            NotAdoptable::OtherForm { alike: Some(_), .. } => {
                "put the keeper's document into the policy first; preview-policy FILE --policy ID shows what that does"
                    .to_owned()
            }
            NotAdoptable::OtherForm { alike: None, .. } => {
                "change these settings first; preview-policy FILE --policy ID shows what that does".to_owned()
            }
            NotAdoptable::NoName(_) => "delete or rename policies whose names begin with guardrail-keeper-".to_owned(),
        }
    }

    /// The keeper's document that enforces what the policy does, where that isn't in the keeper's form.
    pub fn document(&self) -> Option<&OwnDocument> {
        match self {
            NotAdoptable::OtherForm { alike, .. } => alike.as_ref(),
            NotAdoptable::Unattached
            | NotAdoptable::SeveralPoints(_)
            | NotAdoptable::NotAssigned(_)
            | NotAdoptable::Unreadable(_)
            | NotAdoptable::NoName(_) => None,
        }
    }
}

impl fmt::Display for NotAdoptable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAdoptable::Unattached => f.write_str("it is attached to nothing"),
            NotAdoptable::SeveralPoints(points) => {
                f.write_str(
                    "it is attached to more than one point, and each policy of the keeper's is for one: ",
                )?;
                crate::words::write_list(f, points, ", ")
            }
            NotAdoptable::NotAssigned(point) => write!(
                f,
                "the baseline assigns nothing to {point} on the organization's level: the keeper would detach the policy at \
                 its next look"
            ),
            NotAdoptable::Unreadable(invalid) => {
                write!(f, "what it says can't be read: {}", invalid.to_string().replace('\n', "; "))
            }
            NotAdoptable::OtherForm { obstacles, .. } => {
                f.write_str("no document of the keeper's says just this: ")?;
                crate::words::write_list(f, obstacles, "; ")
            }
            NotAdoptable::NoName(point) => {
                write!(f, "every name that the keeper has for policies of {point} is taken")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "p-corporate1";

    fn baseline(target: &str) -> Baseline {
        let text = format!(
            "version: 2\norganization: o-exampleorgid\nowner: \"111111111111\"\nguardrails:\n  corporate:\n    name: \
             corporate\n    version: 1\n    regions: [us-east-1]\nassignments:\n  - targets: [{target}]\n    guardrail: \
             corporate\n    level: organization\n"
        );
        Baseline::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    fn document(name: &str) -> String {
        format!(
            r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"{name}":{{
            "identifier":{{"@@assign":"arn:aws:bedrock:us-east-1:111111111111:guardrail/abc123:1"}},
            "selective_content_guarding":{{"system":{{"@@assign":"comprehensive"}},"messages":{{"@@assign":"comprehensive"}}}},
            "model_enforcement":{{"included_models":{{"@@assign":["ALL"]}},"excluded_models":{{"@@assign":[]}}}}}}}}}}}}}}"#
        )
    }

    fn found(points: &[&str], text: &str) -> FoundPolicy {
        FoundPolicy {
            id: ID.parse().unwrap(),
            name: "corporate".to_owned(),
            points: points.iter().map(|point| point.parse().unwrap()).collect(),
            content: BedrockPolicy::parse(text),
        }
    }

    fn names(others: &[(&str, &str)]) -> BTreeMap<PolicyId, String> {
        let all = [(ID, "corporate")].iter().chain(others);
        all.map(|(id, name)| (id.parse().unwrap(), (*name).to_owned())).collect()
    }

    fn part(text: &str) -> PolicyPart {
        text.parse().unwrap()
    }

    fn becomes(known: &OrganizationLevelRecord, others: &[(&str, &str)]) -> String {
        let found = found(&["r-exam"], &document("keeper"));
        match adoptable(&found, &baseline("r-exam"), known, &names(others)) {
            Ok(AdoptionStart::Adoptable(AdoptablePolicy { part, .. })) => part.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn it_gets_the_first_name_that_nobody_has() {
        let nothing = OrganizationLevelRecord::default();
        assert_eq!(becomes(&nothing, &[]), "guardrail-keeper-r-exam-1");
        let taken = [("p-otherother", "guardrail-keeper-r-exam-1")];
        assert_eq!(becomes(&nothing, &taken), "guardrail-keeper-r-exam-2");
        let creating = OrganizationLevelRecord {
            creating: Some(part("guardrail-keeper-r-exam-1")),
            own: BTreeMap::from([("p-22222222".parse().unwrap(), part("guardrail-keeper-r-exam-2"))]),
            ..OrganizationLevelRecord::default()
        };
        assert_eq!(becomes(&creating, &[]), "guardrail-keeper-r-exam-3");
        let all: Vec<(String, String)> = (1..=MAX_PARTS)
            .map(|number| (format!("p-other00{number}"), format!("guardrail-keeper-r-exam-{number}")))
            .collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
        assert!(becomes(&nothing, &all).contains("NoName"), "{}", becomes(&nothing, &all));
    }

    #[test]
    fn a_run_that_was_stopped_is_continued_and_what_is_ours_is_known() {
        let begun = OrganizationLevelRecord {
            own: BTreeMap::from([(ID.parse().unwrap(), part("guardrail-keeper-r-exam-4"))]),
            ..OrganizationLevelRecord::default()
        };
        assert_eq!(becomes(&begun, &[]), "guardrail-keeper-r-exam-4");
        // Meanwhile somebody took that name.
        assert_eq!(
            becomes(&begun, &[("p-otherother", "guardrail-keeper-r-exam-4")]),
            "guardrail-keeper-r-exam-1"
        );
        let mut renamed = found(&["r-exam"], &document("keeper"));
        "guardrail-keeper-r-exam-4".clone_into(&mut renamed.name);
        assert_eq!(
            adoptable(&renamed, &baseline("r-exam"), &begun, &names(&[])),
            Ok(AdoptionStart::AlreadyOurs(part("guardrail-keeper-r-exam-4")))
        );
    }

    #[test]
    fn everything_that_stands_in_the_way_is_said_at_once_with_what_to_do() {
        let judged = |points: &[&str], text: &str, assigned: &str| {
            let known = OrganizationLevelRecord::default();
            let found = found(points, text);
            let obstacles = adoptable(&found, &baseline(assigned), &known, &names(&[])).unwrap_err();
            for obstacle in &obstacles {
                assert!(!obstacle.todo().is_empty() && !obstacle.to_string().is_empty());
            }
            obstacles.iter().map(NotAdoptable::code).collect::<Vec<_>>()
        };
        let (ours, named) = (document("keeper"), document("main"));
        assert_eq!(judged(&[], &ours, "r-exam"), ["unattached"]);
        assert_eq!(judged(&["r-exam", "ou-exam-workload"], &ours, "r-exam"), ["several_points"]);
        assert_eq!(judged(&["ou-exam-workload"], &ours, "r-exam"), ["not_assigned"]);
        assert_eq!(judged(&["ou-exam-workload"], &named, "r-exam"), ["not_assigned", "other_form"]);
        assert_eq!(judged(&[], r#"{"nonsense":1}"#, "r-exam"), ["unattached", "unreadable"]);
        let found = found(&["r-exam"], &named);
        let known = OrganizationLevelRecord::default();
        let obstacles = adoptable(&found, &baseline("r-exam"), &known, &names(&[])).unwrap_err();
        let suggested = obstacles[0].document().unwrap();
        assert_eq!(BedrockPolicy::parse(&suggested.text()), BedrockPolicy::parse(&ours));
    }
}
