//! The key policy of a customer managed KMS key that encrypts a guardrail: which principals it lets decrypt.
//!
//! A principal that calls a model under such a guardrail needs `kms:Decrypt` on the key
//! (<https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-permissions-kms.html>). For another
//! account than the key's, KMS asks both sides: the key policy and the caller's own permissions
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>).
//! Only the first is judged here.

use super::document::Document;
use super::judgement::{AccessQuestion, AccessVerdict};
use super::reach::{Audience, Protected};
use super::resource::Action;
use crate::ids::{AccountId, KmsKeyArn, OrganizationId};

/// Whether a key policy lets an account of the organization decrypt, so that the account's own policies
/// decide about its principals.
///
/// A key's own account is not asked about: there, a key policy may name single principals, and which one
/// calls isn't known.
pub fn key_admits(
    policy: &Document,
    key: &KmsKeyArn,
    account: &AccountId,
    organization: &OrganizationId,
) -> AccessVerdict {
    let audience = Audience::Account { account, organization };
    AccessQuestion { audience, actions: &[Action::Decrypt], resource: Protected::key(key) }
        .answer(Some(policy))
}

/// Whether a key policy lets every account that is or will be in the organization decrypt. Whether single
/// accounts that it names are all there are, the policy doesn't say.
pub fn key_admits_organization(
    policy: &Document,
    key: &KmsKeyArn,
    organization: &OrganizationId,
) -> AccessVerdict {
    let audience = Audience::Organization(organization);
    AccessQuestion { audience, actions: &[Action::Decrypt], resource: Protected::key(key) }
        .answer(Some(policy))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect!` at every call reads better than a `&expect!`"
    )]
    #[track_caller]
    fn check(statements: &str, expected: Expect) {
        let key =
            "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555".parse().unwrap();
        let own = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"kms:*","Resource":"*"}"#;
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{own}{statements}]}}"#);
        let document: Document = text.parse().unwrap();
        let verdict =
            key_admits(&document, &key, &"300000000001".parse().unwrap(), &"o-exampleorgid".parse().unwrap());
        expected.assert_eq(&verdict.to_string());
    }

    #[test]
    fn the_policy_that_kms_gives_a_key_admits_no_other_account() {
        check("", expect!["not granted: no statement gives kms:Decrypt"]);
    }

    #[test]
    fn the_organization_or_the_account_is_admitted() {
        let decrypt = r#""Effect":"Allow","Action":"kms:Decrypt","Resource":"*""#;
        for whom in [
            r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#,
            r#""Principal":{"AWS":"*"},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#,
            r#""Principal":{"AWS":["300000000009","arn:aws:iam::300000000001:root"]}"#,
            r#""Principal":"*""#,
            r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["o-exampleorgid/*"]}}"#,
        ] {
            check(&format!(",{{{decrypt},{whom}}}"), expect!["granted"]);
        }
    }

    #[test]
    fn what_admits_others_or_another_action_does_not_admit() {
        for statement in [
            r#"{"Effect":"Allow","Principal":{"AWS":"300000000009"},"Action":"kms:Decrypt","Resource":"*"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorgid"}}}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":["kms:Encrypt","kms:DescribeKey"],"Resource":"*"}"#,
        ] {
            check(&format!(",{statement}"), expect!["not granted: no statement gives kms:Decrypt"]);
        }
    }

    #[test]
    fn a_condition_that_is_not_understood_leaves_it_open() {
        check(
            r#",{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"bedrock.us-east-1.amazonaws.com"}}}"#,
            expect!["unclear: statement 2 may or may not grant it, because of its Condition"],
        );
        check(
            r#",{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"},"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["o-exampleorgid/r-exam/ou-exam-workload/*"]}}}"#,
            expect!["not granted: no statement gives kms:Decrypt"],
        );
    }

    #[test]
    fn a_denial_of_anybody_in_the_account_counts() {
        check(
            r#",{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"},{"Effect":"Deny","Principal":{"AWS":"300000000001"},"Action":"kms:*","Resource":"*"}"#,
            expect!["not granted: statement 3 denies it"],
        );
        check(
            r#",{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*"}"#,
            expect!["granted"],
        );
    }

    #[test]
    fn single_principals_of_the_account_are_no_grant_for_all_of_it() {
        check(
            r#",{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::300000000001:role/App"},"Action":"kms:Decrypt","Resource":"*"}"#,
            expect!["not granted: no statement gives kms:Decrypt"],
        );
    }
}
