//! What a guardrail found, as the runtime's answers show it.

use serde_json::{Value, json};

use crate::model::assess::{Action, Assessment, Finding, FindingKind};
use crate::model::inference::{Applied, Origin};

/// A `GuardrailAssessment`.
pub(super) fn shown(applied: &Applied, assessment: &Assessment) -> Value {
    let origins: Vec<&str> = applied
        .origins
        .iter()
        .map(|origin| match origin {
            Origin::Request => "REQUEST",
            Origin::AccountEnforced => "ACCOUNT_ENFORCED",
            Origin::OrganizationEnforced => "ORGANIZATION_ENFORCED",
        })
        .collect();
    let mut shown = json!({
        "invocationMetrics": {
            "guardrailProcessingLatency": 1,
            "usage": usage(assessment),
            "guardrailCoverage": coverage(assessment),
        },
        "appliedGuardrailDetails": {
            "guardrailId": applied.name.id,
            "guardrailVersion": applied.version,
            "guardrailArn": applied.name.arn(),
            "guardrailOrigin": origins,
            "guardrailOwnership": if applied.cross_account { "CROSS_ACCOUNT" } else { "SELF" },
        },
    });
    for finding in &assessment.findings {
        add_finding(&mut shown, finding);
    }
    shown
}

/// Puts a finding into the list of its policy, which it makes if it isn't there yet.
fn add_finding(shown: &mut Value, finding: &Finding) {
    let action = match finding.action {
        Action::Blocked => "BLOCKED",
        Action::Anonymized => "ANONYMIZED",
        Action::None => "NONE",
    };
    let mut row = json!({ "match": finding.matched, "action": action, "detected": true });
    let (policy, list, other) = match &finding.kind {
        FindingKind::Word => ("wordPolicy", "customWords", "managedWordLists"),
        FindingKind::Profanity => {
            row["type"] = "PROFANITY".into();
            ("wordPolicy", "managedWordLists", "customWords")
        }
        FindingKind::Topic(name) => {
            row = json!({ "name": name, "type": "DENY", "action": action, "detected": true });
            ("topicPolicy", "topics", "topics")
        }
        FindingKind::Pii(kind) => {
            row["type"] = kind.clone().into();
            ("sensitiveInformationPolicy", "piiEntities", "regexes")
        }
        FindingKind::Pattern(name, pattern) => {
            row["name"] = name.clone().into();
            row["regex"] = pattern.clone().into();
            ("sensitiveInformationPolicy", "regexes", "piiEntities")
        }
    };
    // Both lists of a policy are required, also when nothing is in one of them.
    for list in [list, other] {
        if shown[policy][list].is_null() {
            shown[policy][list] = json!([]);
        }
    }
    if let Some(rows) = shown[policy][list].as_array_mut() {
        rows.push(row);
    }
}

/// A unit is a thousand characters, begun.
pub(super) fn usage(assessment: &Assessment) -> Value {
    let units = assessment.characters.div_ceil(1000);
    json!({
        "topicPolicyUnits": 0,
        "contentPolicyUnits": 0,
        "wordPolicyUnits": units,
        "sensitiveInformationPolicyUnits": 0,
        "sensitiveInformationPolicyFreeUnits": 0,
        "contextualGroundingPolicyUnits": 0,
    })
}

pub(super) fn coverage(assessment: &Assessment) -> Value {
    json!({ "textCharacters": { "guarded": assessment.characters, "total": assessment.characters } })
}

pub(super) fn action_reason(assessment: &Assessment) -> &'static str {
    if assessment.blocked() {
        "Guardrail blocked."
    } else if assessment.intervened() {
        "Guardrail masked."
    } else {
        "No action."
    }
}
