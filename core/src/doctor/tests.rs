mod control_policies;
mod events_sent_on;
mod needs;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ids::Role;
use crate::settings::OrganizationAccess;
use crate::simulation::{Evaluated, SimulatedDecision};

fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn hub() -> AccountId {
    account("111111111111")
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn denied(operation: &str) -> Failure {
    let message = "AccessDenied: not you".to_owned();
    Failure::new(Category::Denied, operation, message)
}

/// The outcome and text of findings, a line each.
fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|one| format!("{:?}: {}", one.outcome, one.text)).collect()
}

#[track_caller]
fn all_say_what_to_do(findings: &[Finding]) {
    for one in findings.iter().filter(|one| matches!(one.outcome, Outcome::Problem | Outcome::Unknown)) {
        assert!(one.todo.as_ref().is_some_and(|todo| !todo.is_empty()), "{one:?}");
    }
}

#[test]
fn the_organization_and_our_place_in_it() {
    let standing_of = |features: &str, own: &str, in_hub: Option<&str>, delegation: &Delegation| {
        let membership = Membership {
            id: "o-exampleorgid".parse().unwrap(),
            management: hub(),
            features: features.to_owned(),
            own: account(own),
            hub: in_hub.map(account),
        };
        let findings = standing(&membership, delegation);
        all_say_what_to_do(&findings);
        told(&findings)
    };
    let of = |services: &[&str]| Ok(services.iter().map(|one| (*one).to_owned()).collect());
    let stack_sets = of(&["member.org.stacksets.cloudformation.amazonaws.com"]);
    let all = "Ok: o-exampleorgid has all features";
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, &'a Delegation, [&'a str; 2]);
    let table: [Row<'_>; 7] = [
        ("ALL", "111111111111", None, &of(&[]), [all, "Ok: the hub is the management account"]),
        (
            "CONSOLIDATED_BILLING",
            "111111111111",
            None,
            &of(&[]),
            [
                "Problem: o-exampleorgid has the feature set CONSOLIDATED_BILLING",
                "Ok: the hub is the management account",
            ],
        ),
        (
            "ALL",
            "222222222222",
            Some("222222222222"),
            &stack_sets,
            [
                all,
                "Ok: the hub is a delegated administrator of StackSets: whoever may use them there is an administrator of every member",
            ],
        ),
        (
            "ALL",
            "222222222222",
            None,
            &of(&["guardduty.amazonaws.com"]),
            [
                all,
                "Ok: the hub is a delegated administrator, but not for StackSets: role and rules come by other means",
            ],
        ),
        (
            "ALL",
            "222222222222",
            None,
            &of(&[]),
            [all, "Ok: the hub reads the organization, and administers nothing for it"],
        ),
        (
            "ALL",
            "222222222222",
            None,
            &Err(denied("ListDelegatedServicesForAccount")),
            [
                all,
                "Unknown: whether the hub is a delegated administrator isn't known: ListDelegatedServicesForAccount was denied",
            ],
        ),
        (
            "ALL",
            "222222222222",
            Some("111111111111"),
            &stack_sets,
            [all, "Problem: these are credentials of 222222222222, and the function is in 111111111111"],
        ),
    ];
    for (features, own, in_hub, delegation, expected) in table {
        assert_eq!(standing_of(features, own, in_hub, delegation), expected, "{features} {own} {in_hub:?}");
    }
}

#[test]
fn regions_that_an_account_has_not_enabled() {
    let wanted = BTreeSet::from([region()]);
    for (status, expected) in [
        (Some("ENABLED"), "Ok: enabled"),
        (Some("ENABLED_BY_DEFAULT"), "Ok: enabled"),
        (Some("ENABLING"), "Unknown: being enabled"),
        (Some("DISABLED"), "Problem: the Region is disabled"),
        (Some("DISABLING"), "Problem: the Region is disabling"),
        (Some("SOMETHING"), "Unknown: AWS says SOMETHING"),
        (None, "Problem: AWS doesn't list this Region for the account"),
    ] {
        let seen = status.map(|status| ("eu-west-1".to_owned(), status.to_owned())).into_iter().collect();
        let findings = regions(&hub(), &wanted, &Ok(seen));
        all_say_what_to_do(&findings);
        assert_eq!(told(&findings), [expected]);
    }
    let findings = regions(&hub(), &wanted, &Err(denied("ListRegions")));
    assert_eq!(told(&findings), ["Unknown: not known: ListRegions was denied"]);
}

#[test]
fn messages_reach_the_function_and_lambda_lets_it_go_on() {
    let function = "arn:aws:lambda:us-east-1:111111111111:function:guardrail-keeper";
    let of = |state: &str| Mapping { function: function.to_owned(), state: state.to_owned() };
    for (mappings, expected) in [
        (vec![of("Enabled")], "Ok: guardrail-keeper takes events out of their queue"),
        (vec![of("Disabled"), of("Enabled")], "Ok: guardrail-keeper takes events out of their queue"),
        (vec![of("Updating")], "Ok: guardrail-keeper takes events out of their queue"),
        (vec![of("Creating")], "Unknown: guardrail-keeper is about to take events out of their queue"),
        (
            vec![of("Disabled")],
            "Problem: the mapping from the queue of events to guardrail-keeper is disabled, so nothing is taken out of it",
        ),
        (vec![], "Problem: no function takes events out of their queue"),
    ] {
        let finding = mapping("events", &Ok(mappings), "deploy again");
        assert_eq!(told(std::slice::from_ref(&finding)), [expected]);
        all_say_what_to_do(&[finding]);
    }
    let unread = mapping("events", &Err(denied("ListEventSourceMappings")), "deploy again");
    assert_eq!(
        told(&[unread]),
        [
            "Unknown: whether a function takes events out of their queue isn't known: ListEventSourceMappings was denied"
        ]
    );
    let stopped = "Problem: Lambda takes guardrail-keeper for a loop and stops it after 16 runs: an account whose role comes more than half an hour after it joined stays unguarded until the next sweep";
    for (seen, expected) in [
        (
            Ok("Allow".to_owned()),
            "Ok: Lambda lets guardrail-keeper put work back into its queue as often as needed",
        ),
        (Ok("Terminate".to_owned()), stopped),
        (
            Ok("Ask".to_owned()),
            "Unknown: it isn't known whether Lambda stops guardrail-keeper as a loop: its RecursiveLoop is Ask",
        ),
        (
            Err(denied("GetFunctionRecursionConfig")),
            "Unknown: it isn't known whether Lambda stops guardrail-keeper as a loop: GetFunctionRecursionConfig was denied",
        ),
    ] {
        let finding = recursion(function, &seen, "deploy again");
        assert_eq!(told(std::slice::from_ref(&finding)), [expected]);
        all_say_what_to_do(&[finding]);
    }
}

#[test]
fn a_member_role_lets_the_function_in_or_not() {
    let function = Role::parse_arn("arn:aws:iam::111111111111:role/Keeper").unwrap();
    let (in_hub, member) = (hub(), account("300000000001"));
    let trusted = Trusted { function: Some(&function), hub: &in_hub, external_id: Some("sesame") };
    let document = |principal: &str, condition: &str| {
        format!(
            r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal},"Condition":{condition}}}}}"#
        )
    };
    let root = r#"{"AWS":"arn:aws:iam::111111111111:root"}"#;
    let arn = r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/Keeper"}}"#;
    let table = [
        (document(root, "{}"), None),
        (document(root, arn), None),
        (document(r#"{"AWS":["arn:aws:iam::111111111111:role/path/Keeper"]}"#, "{}"), None),
        (document(root, r#"{"StringEquals":{"sts:ExternalId":"sesame"}}"#), None),
        (
            document(root, r#"{"StringEquals":{"sts:ExternalId":"other"}}"#),
            Some("it asks for another external id"),
        ),
        (
            document(root, r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/Other"}}"#),
            Some("it admits arn:aws:iam::111111111111:role/Other and no other role"),
        ),
        (
            document(r#"{"AWS":"arn:aws:iam::999999999999:root"}"#, "{}"),
            Some("no statement admits account 111111111111"),
        ),
        (
            document(r#"{"Service":"lambda.amazonaws.com"}"#, "{}"),
            Some("no statement admits account 111111111111"),
        ),
        ("nonsense".to_owned(), Some("its trust policy isn't JSON")),
    ];
    for (document, why) in table {
        let finding = trust(&member, "Member", &Ok(Some(document.clone())), trusted);
        let expected = match why {
            None => "Ok: Member is there and trusts the function".to_owned(),
            Some(why) => format!("Problem: Member doesn't trust the function: {why}"),
        };
        assert_eq!(told(&[finding]), [expected], "{document}");
    }
    let no_id = Trusted { external_id: None, ..trusted };
    let asks = document(root, r#"{"StringEquals":{"sts:ExternalId":"sesame"}}"#);
    assert_eq!(trust(&member, "Member", &Ok(Some(asks)), no_id).outcome, Outcome::Problem);
    assert_eq!(trust(&member, "Member", &Ok(None), trusted).text, "there is no role Member");
    assert_eq!(trust(&member, "Member", &Err(denied("GetRole")), trusted).outcome, Outcome::Unknown);
}

/// A role of our name that another made: by its ARN, or by whom it lets in.
#[test]
fn a_role_of_our_name_that_is_not_ours_is_found() {
    let (member, hub) = (account("300000000001"), account("111111111111"));
    let arn = "arn:aws:iam::300000000001:role/Member";
    let document = |statements: &str| format!(r#"{{"Statement":[{statements}]}}"#);
    let allow = |rest: &str| format!(r#"{{"Effect":"Allow","Action":"sts:AssumeRole",{rest}}}"#);
    let ours = allow(r#""Principal":{"AWS":"arn:aws:iam::111111111111:root"}"#);
    let ours_by_id = allow(r#""Principal":{"AWS":["111111111111"]}"#);
    let narrowed =
        r#""Principal":"*","Condition":{"ArnLike":{"aws:principalarn":"arn:aws:iam::HUB:role/Keeper"}}"#;
    let with = |more: &str| document(&format!("{ours},{}", allow(more)));
    let others = |whom: &str| Some(format!("Problem: Member trusts others besides the hub: {whom}"));
    let table = [
        (arn, document(&ours), None),
        (arn, document(&ours_by_id), None),
        (arn, document(&allow(&narrowed.replace("HUB", "111111111111"))), None),
        (arn, document(&allow(&narrowed.replace("HUB", "300000000001"))), others("*")),
        (arn, document(&allow(r#""Principal":"*""#)), others("*")),
        (
            arn,
            with(r#""Principal":{"AWS":"arn:aws:iam::300000000001:user/Admin"}"#),
            others("arn:aws:iam::300000000001:user/Admin"),
        ),
        (arn, with(r#""Principal":{"Service":"ec2.amazonaws.com"}"#), others("ec2.amazonaws.com")),
        (
            arn,
            with(r#""Principal":{"Federated":"arn:aws:iam::111111111111:saml-provider/own"}"#),
            others("arn:aws:iam::111111111111:saml-provider/own"),
        ),
        (arn, with(r#""NotPrincipal":{"AWS":"111111111111"}"#), others("all but some (NotPrincipal)")),
        // A prohibition lets nobody in; what isn't JSON is `trust`'s to tell.
        (
            arn,
            document(&format!(r#"{ours},{{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}"#)),
            None,
        ),
        (arn, "nonsense".to_owned(), None),
        (
            "arn:aws:iam::300000000001:role/x/Member",
            document(&ours),
            Some("Problem: another role has the name Member, in a path or in other letters".to_owned()),
        ),
        (
            "arn:aws:iam::300000000001:role/member",
            document(&ours),
            Some("Problem: another role has the name Member, in a path or in other letters".to_owned()),
        ),
    ];
    for (arn, document, expected) in table {
        let found: Vec<Finding> = foreign(&member, "Member", arn, &document, &hub).into_iter().collect();
        assert_eq!(told(&found), expected.into_iter().collect::<Vec<_>>(), "{arn}: {document}");
        assert!(found.iter().all(|finding| finding.todo.is_some()), "{arn}: {document}");
    }
}

#[test]
fn a_thousand_accounts_with_one_problem_are_one_group() {
    let many = (0..1000).map(|number| {
        let place = Place::account(&account(&format!("{}", 300_000_000_000_u64 + number)));
        Check::Trails.at(place).unread("not known", &denied("DescribeTrails")).detailed(number.to_string())
    });
    let findings: Vec<Finding> = many.chain([Check::Baseline.whole().ok("valid")]).collect();
    let summary = DoctorSummary::of(&findings);
    assert_eq!(summary.checks[&Check::Trails].len(), 1);
    assert_eq!(summary.checks[&Check::Trails][0].places.len(), 1000);
    assert_eq!(summary.counts, BTreeMap::from([(Outcome::Unknown, 1000), (Outcome::Ok, 1)]));
    assert!(!summary.is_good());
    assert!(DoctorSummary::of(&findings[1000..]).is_good());
    let not_asked = Check::Hub.whole().not_applicable("no bus");
    assert!(DoctorSummary::of(&[not_asked]).is_good());
}
