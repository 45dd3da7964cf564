//! The laws and tables of resource policies.

mod admitting;
mod hostile;
mod judging;
mod laws;
mod merging;
mod oracle;
mod telling;

use super::{Document, Grant, Resource};

const ORGANIZATION: &str = "o-exampleorgid";
const GUARDRAIL: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0";

fn grant() -> Grant {
    Grant { resource: GUARDRAIL.parse().unwrap(), organization: ORGANIZATION.parse().unwrap() }
}

fn profile_grant() -> Grant {
    let resource: Resource = PROFILE.parse().unwrap();
    Grant { resource, ..grant() }
}

#[track_caller]
fn document(text: &str) -> Document {
    match text.parse() {
        Ok(document) => document,
        Err(error) => panic!("{error}: {text}"),
    }
}

/// A document of these statements; in each, `ARN` is the guardrail, `ORG` the organization.
#[track_caller]
fn policy(statements: &[&str]) -> Document {
    let list = statements.join(",").replace("ARN", GUARDRAIL).replace("ORG", ORGANIZATION);
    document(&format!(r#"{{"Version":"2012-10-17","Statement":[{list}]}}"#))
}

/// The patterns of the Bedrock user guide, (a), (b) and (c).
const OWN_ACCOUNT: &str = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":["bedrock:ApplyGuardrail","bedrock:GetGuardrail"],"Resource":"ARN"}"#;
const ORGANIZATION_WIDE: &str = r#"{"Effect":"Allow","Principal":"*","Action":["bedrock:GetGuardrail","bedrock:ApplyGuardrail"],"Resource":"ARN","Condition":{"StringEquals":{"aws:PrincipalOrgID":"ORG"}}}"#;
const UNIT: &str = r#"{"Effect":"Allow","Principal":"*","Action":["bedrock:ApplyGuardrail","bedrock:GetGuardrail"],"Resource":"ARN","Condition":{"StringEquals":{"aws:PrincipalOrgID":"ORG"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["ORG/*/ou-exam-workload/*"]}}}"#;

/// The widespread wrong example.
const WRONG_EXAMPLE: &str = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:root"},"Action":["bedrock:InvokeGuardrail","bedrock:GetGuardrailPolicy"],"Resource":"arn:aws:bedrock:us-east-1:222222222222:guardrail/my-guardrail/1"}"#;
