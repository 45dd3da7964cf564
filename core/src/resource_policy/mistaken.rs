//! What people write into a guardrail's resource policy where something else is meant, and what that is.
//!
//! Guides on the web have these (`docs/published-guides.md`). None of the actions below exists in AWS's Service
//! Authorization Reference for Amazon Bedrock.

/// An action that doesn't exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MistakenAction {
    /// This one is meant, and belongs here.
    Here(&'static str),
    /// This one is meant, and belongs in the identity policy of whoever calls it.
    Elsewhere(&'static str),
}

/// What is meant by an action that doesn't exist. `None` is any other.
pub(super) fn mistaken_action(name: &str) -> Option<MistakenAction> {
    use MistakenAction::{Elsewhere, Here};
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("bedrock:").unwrap_or(&name) {
        "invokeguardrail" => Some(Here("bedrock:ApplyGuardrail")),
        // It exists with its service's prefix only.
        "applyguardrail" if !name.contains(':') => Some(Here("bedrock:ApplyGuardrail")),
        "putguardrailpolicy" => Some(Elsewhere("bedrock:PutResourcePolicy")),
        "getguardrailpolicy" => Some(Elsewhere("bedrock:GetResourcePolicy")),
        "deleteguardrailpolicy" => Some(Elsewhere("bedrock:DeleteResourcePolicy")),
        _ => None,
    }
}

/// Whether a principal names an organization, a root or an OU: none of them is a principal of IAM's.
pub(super) fn names_an_organization(principal: &str) -> bool {
    match principal.strip_prefix("arn:") {
        Some(rest) => rest.split(':').nth(1) == Some("organizations"),
        None => ["o-", "r-", "ou-"].iter().any(|front| principal.starts_with(front)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_does_not_exist_has_one_that_is_meant() {
        use MistakenAction::{Elsewhere, Here};
        for (name, expected) in [
            ("bedrock:PutGuardrailPolicy", Some(Elsewhere("bedrock:PutResourcePolicy"))),
            ("Bedrock:getguardrailpolicy", Some(Elsewhere("bedrock:GetResourcePolicy"))),
            ("DeleteGuardrailPolicy", Some(Elsewhere("bedrock:DeleteResourcePolicy"))),
            ("bedrock:InvokeGuardrail", Some(Here("bedrock:ApplyGuardrail"))),
            ("ApplyGuardrail", Some(Here("bedrock:ApplyGuardrail"))),
            // These exist, here or in other policies.
            ("bedrock:ApplyGuardrail", None),
            ("bedrock:PutResourcePolicy", None),
            ("bedrock:InvokeGuardrailChecks", None),
            ("bedrock:InvokeModel", None),
            // Of another service, nobody knows what is meant.
            ("s3:PutGuardrailPolicy", None),
            ("", None),
        ] {
            assert_eq!(mistaken_action(name), expected, "{name}");
        }
    }

    #[test]
    fn an_organization_is_told_from_other_principals() {
        for (principal, expected) in [
            ("o-exampleorgid", true),
            ("r-exam", true),
            ("ou-exam-workload", true),
            ("arn:aws:organizations::111111111111:root/o-exampleorgid/r-exam", true),
            ("arn:aws-us-gov:organizations::111111111111:organization/o-exampleorgid", true),
            ("arn:aws:iam::111111111111:root", false),
            ("bedrock.amazonaws.com", false),
            ("AROACKCEVSQ6C2EXAMPLE", false),
            ("arn:", false),
            ("", false),
        ] {
            assert_eq!(names_an_organization(principal), expected, "{principal}");
        }
    }
}
