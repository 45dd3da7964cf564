use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ids::Role;
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

fn basic(management: bool, kind: &str) -> Selectors {
    Selectors::Basic(vec![Basic { management, kind: kind.to_owned() }])
}

fn field(name: &str, equals: &[&str], not_equals: &[&str]) -> Field {
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    Field { name: name.to_owned(), equals: set(equals), not_equals: set(not_equals), otherwise: false }
}

fn one_trail(selectors: Selectors) -> Trail {
    Trail {
        name: "all".to_owned(),
        home: Some("us-east-1".to_owned()),
        multi_region: true,
        logging: Ok(true),
        selectors: Ok(selectors),
    }
}

#[test]
fn trails_that_let_events_through_and_others() {
    let management = || field("eventCategory", &["Management"], &[]);
    let logs = "Ok: trail all logs management events";
    let silent = "Problem: trail all doesn't log management events that write";
    let narrowed = "Unknown: trail all logs some management events, chosen by more than source and readOnly";
    let all = || one_trail(basic(true, "All"));
    let advanced = |fields: Vec<Field>| one_trail(Selectors::Advanced(vec![fields]));
    let table = [
        (vec![], "Problem: no trail logs here"),
        (vec![all()], logs),
        (vec![one_trail(basic(true, "WriteOnly"))], logs),
        (vec![one_trail(basic(true, "ReadOnly"))], silent),
        (vec![one_trail(basic(false, "All"))], silent),
        (vec![one_trail(Selectors::Basic(vec![]))], silent),
        (vec![Trail { multi_region: false, ..all() }], "Problem: no trail logs here"),
        (vec![Trail { multi_region: false, home: Some("eu-west-1".to_owned()), ..all() }], logs),
        (vec![Trail { logging: Ok(false), ..all() }], "Problem: trail all is switched off"),
        (vec![Trail { logging: Ok(false), ..all() }, all()], logs),
        (
            vec![Trail { logging: Err(denied("GetTrailStatus")), ..all() }],
            "Unknown: it isn't known what trail all logs: GetTrailStatus was denied",
        ),
        (vec![Trail { selectors: Err(denied("GetEventSelectors")), ..all() }, all()], logs),
        (vec![advanced(vec![management()])], logs),
        (vec![advanced(vec![management(), field("readOnly", &["false"], &[])])], logs),
        (vec![advanced(vec![management(), field("readOnly", &["true"], &[])])], silent),
        (vec![advanced(vec![management(), field("eventSource", &[], &["kms.amazonaws.com"])])], logs),
        (vec![advanced(vec![management(), field("eventSource", &[], &["bedrock.amazonaws.com"])])], silent),
        (vec![advanced(vec![management(), field("eventSource", &["s3.amazonaws.com"], &[])])], silent),
        (vec![advanced(vec![management(), field("eventName", &["PutResourcePolicy"], &[])])], narrowed),
        (vec![advanced(vec![field("eventCategory", &["Data"], &[])])], silent),
    ];
    for (trails, expected) in table {
        let finding = trail(&hub(), &region(), &Ok(trails.clone()));
        assert_eq!(told(std::slice::from_ref(&finding)), [expected], "{trails:?}");
        all_say_what_to_do(&[finding]);
    }
    let finding = trail(&hub(), &region(), &Err(denied("DescribeTrails")));
    assert_eq!(told(&[finding]), ["Unknown: it isn't known which trails log: DescribeTrails was denied"]);
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:events";

fn rule(pattern: &str, enabled: bool, targets: &[&str]) -> Rule {
    let targets = Ok(targets.iter().map(|one| (*one).to_owned()).collect());
    Rule { name: "listening".to_owned(), enabled, pattern: Some(pattern.to_owned()), targets }
}

#[test]
fn rules_that_send_events_on_and_others() {
    let pattern = r#"{"source":["aws.bedrock"],"detail":{"eventName":["CreateGuardrail"]}}"#;
    let good = "Ok: a rule forwards events of aws.bedrock on default";
    let none = "Problem: no rule sends events of aws.bedrock on default to events";
    let table = [
        (vec![], none),
        (vec![rule(pattern, true, &[QUEUE])], good),
        (vec![rule(r#"{"source":[{"prefix":"aws."}]}"#, true, &[QUEUE])], good),
        (vec![rule(pattern, true, &["arn:aws:sqs:us-east-1:111111111111:other", QUEUE])], good),
        (
            vec![rule(pattern, false, &[QUEUE])],
            "Problem: rule listening for events of aws.bedrock on default is disabled",
        ),
        (vec![rule(pattern, false, &[QUEUE]), rule(pattern, true, &[QUEUE])], good),
        (vec![rule(pattern, true, &["arn:aws:sqs:us-east-1:111111111111:other"])], none),
        (vec![rule(r#"{"source":["aws.s3"]}"#, true, &[QUEUE])], none),
        (vec![rule("nonsense", true, &[QUEUE])], none),
        (vec![Rule { pattern: None, ..rule("", true, &[QUEUE]) }], none),
        (
            vec![Rule { targets: Err(denied("ListTargetsByRule")), ..rule(pattern, true, &[]) }],
            "Unknown: it isn't known where the rule for events of aws.bedrock on default sends them: ListTargetsByRule was denied",
        ),
    ];
    let judge = |seen: &Result<Vec<Rule>, Failure>| {
        let needs = [Listens::Source("aws.bedrock")];
        let findings = rules(Check::Hub, &Place::WHOLE, "default", &needs, seen, QUEUE, "deploy it");
        all_say_what_to_do(&findings);
        told(&findings)
    };
    for (seen, expected) in table {
        assert_eq!(judge(&Ok(seen.clone())), [expected], "{seen:?}");
    }
    assert_eq!(
        judge(&Err(denied("ListRules"))),
        ["Unknown: the rules on default can't be read: ListRules was denied"]
    );
    assert!(Listens::DetailType("Reconcile Requested").is_for(r#"{"detail-type":["Reconcile Requested"]}"#));
}

#[test]
fn stack_sets_and_their_stacks() {
    let instance = |status: &str, detailed: &str| Instance {
        account: "300000000001".to_owned(),
        region: "eu-west-1".to_owned(),
        status: status.to_owned(),
        detailed: (!detailed.is_empty()).then(|| detailed.to_owned()),
        reason: None,
    };
    for (status, detailed, expected) in [
        ("CURRENT", "SUCCEEDED", "Ok: the stack of roles is current"),
        ("CURRENT", "", "Ok: the stack of roles is current"),
        ("OUTDATED", "RUNNING", "Unknown: the stack of roles is being deployed"),
        ("OUTDATED", "FAILED", "Problem: the stack of roles is outdated, last FAILED"),
        ("OUTDATED", "", "Problem: the stack of roles is outdated"),
        ("CURRENT", "FAILED", "Problem: the stack of roles is current, last FAILED"),
        ("INOPERABLE", "INOPERABLE", "Problem: the stack of roles is inoperable"),
    ] {
        let seen = StackSet { status: "ACTIVE".to_owned(), auto_deployment: Some(true) };
        let findings = stack_set("roles", &seen, &Ok(vec![instance(status, detailed)]), &BTreeSet::new());
        all_say_what_to_do(&findings);
        assert_eq!(told(&findings)[1], expected);
    }
    let target: Target = "300000000002/eu-west-1".parse().unwrap();
    let seen = StackSet { status: "DELETED".to_owned(), auto_deployment: Some(false) };
    let findings = stack_set("roles", &seen, &Ok(vec![instance("CURRENT", "")]), &BTreeSet::from([target]));
    assert_eq!(
        told(&findings),
        [
            "Problem: roles is DELETED",
            "Ok: the stack of roles is current",
            "Problem: roles has no stack here, and the baseline guards the account"
        ]
    );
    let seen = StackSet { status: "ACTIVE".to_owned(), auto_deployment: None };
    let findings = stack_set("roles", &seen, &Err(denied("ListStackInstances")), &BTreeSet::new());
    assert_eq!(
        told(&findings),
        [
            "Problem: roles doesn't deploy to accounts that join",
            "Unknown: the stacks of roles aren't known: ListStackInstances was denied"
        ]
    );
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

/// Two statements as those of deploy/: what is protected, and who protects whom is exempt.
const SHIPPED: &str = r#"{"Statement":[
    {"Sid":"Roles","Effect":"Deny","Action":["iam:Create*","iam:Put*","iam:Update*"],
     "Resource":["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::*:role/stacksets-exec-*",
                 "arn:*:iam::OWNER_ACCOUNT_ID:role/GuardrailAuthor"]},
    {"Sid":"Enforcement","Effect":"Deny","Action":["bedrock:Put","bedrock:Delete"],"Resource":"*",
     "Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::OWNER_ACCOUNT_ID:role/GuardrailAuthor"]},
                  "StringEquals":{"aws:PrincipalAccount":"HUB_ACCOUNT_ID"}}},
    {"Sid":"OnlyKeyAdministratorsChangeTheKeys","Effect":"Deny","Action":"kms:Disable","Resource":"arn:*:kms:*:*:key/GUARDRAIL_KEY_ID"}]}"#;

fn shipped<'a>(
    hub: &'a AccountId,
    owner: &'a AccountId,
    member: &'a crate::ids::RoleName,
    keys: bool,
) -> Shipped<'a> {
    let (path, text) = ("deploy/it", SHIPPED);
    Shipped { path, text, hub, owner, function: None, member, stack: None, keys }
}

/// The policy as somebody fills it in, with one thing changed.
fn attached(from: &str, to: &str) -> Attached {
    let content =
        SHIPPED.replace("HUB_ACCOUNT_ID", "111111111111").replace("OWNER_ACCOUNT_ID", "222222222222");
    let content = content.replace("GUARDRAIL_KEY_ID", "1-2-3").replace("GuardrailAuthor", "Writer");
    assert!(content.contains(from), "{from} isn't there");
    let policies = vec![ControlPolicy { name: "ours".to_owned(), content: content.replace(from, to) }];
    BTreeMap::from([("r-exam".to_owned(), Ok(policies))])
}

#[test]
fn a_service_control_policy_denies_all_that_it_has_to_or_not() {
    let (hub, owner, member) = (account("111111111111"), account("222222222222"), "Renamed".parse().unwrap());
    let shipped = shipped(&hub, &owner, &member, true);
    let chains = [(account("300000000001"), vec!["r-exam".to_owned(), "300000000001".to_owned()])];
    let judge = |from: &str, to: &str| {
        // The member role has another name here.
        let mut attached = attached(from, to);
        let Some(Ok(policies)) = attached.get_mut("r-exam") else { panic!("it is there") };
        policies[0].content = policies[0].content.replace("GuardrailKeeperMember", "Renamed");
        let found = protection(&shipped, &attached, &chains);
        all_say_what_to_do(&found);
        told(&found)
    };
    let good = "Ok: deploy/it is attached and denies everything that it has to deny; exempt: \
                arn:*:iam::*:role/Renamed, arn:*:iam::222222222222:role/Writer";
    // Written in another way, or saying more, it is as good.
    for (from, to) in [
        ("kms:Disable", "kms:Disable"),
        (r#""bedrock:Put","bedrock:Delete""#, r#""bedrock:Delete","bedrock:Copy","BEDROCK:put""#),
        (r#""Resource":"*""#, r#""Resource":["*"]"#),
        (
            r#"["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::*:role/stacksets"#,
            r#"["x","arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::*:role/stacksets"#,
        ),
        ("1-2-3", "another-key"),
    ] {
        assert_eq!(judge(from, to), [good], "{from} → {to}");
    }
    let member = r#""arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::222222222222:role/Writer""#;
    let of_identity_center =
        |set: &str| format!("arn:*:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{set}");
    assert!(
        judge(member, &format!(r#"{member},"{}""#, of_identity_center("Authors_*")))[0].starts_with("Ok: ")
    );
    for (from, to, less) in [
        (r#""bedrock:Put","#, "", "Enforcement of ours doesn't deny bedrock:Put"),
        (
            r#""Resource":"*""#,
            r#""Resource":"arn:*:bedrock:eu-west-1:*:*""#,
            "Enforcement of ours doesn't cover *",
        ),
        (
            r#","arn:*:iam::*:role/stacksets-exec-*""#,
            "",
            "Roles of ours doesn't cover arn:*:iam::*:role/stacksets-exec-*",
        ),
        (
            r#"["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::2"#,
            r#"["arn:*:iam::2"#,
            "Enforcement of ours doesn't exempt arn:*:iam::*:role/Renamed",
        ),
        (
            member,
            &format!(r#"{member},"arn:*:iam::*:role/Admin""#),
            "Enforcement of ours exempts arn:*:iam::*:role/Admin, and no statement protects that role",
        ),
        (
            member,
            &format!(r#"{member},"*""#),
            "Enforcement of ours exempts *, and no statement protects that role",
        ),
        (
            member,
            &format!(r#"{member},"{}""#, of_identity_center("*")),
            &format!(
                "Enforcement of ours exempts {}, and no statement protects that role",
                of_identity_center("*")
            ),
        ),
        (
            r#""StringEquals":{"#,
            r#""Bool":{"aws:ViaAWSService":"false"},"StringEquals":{"#,
            "Enforcement of ours has an additional condition: Bool aws:ViaAWSService",
        ),
        (
            r#":"111111111111""#,
            r#":"999999999999""#,
            "Enforcement of ours has other values for aws:PrincipalAccount: 999999999999",
        ),
        (
            r#""StringEquals":{"aws:PrincipalAccount":"111111111111"}"#,
            r#""StringEquals":{}"#,
            "Enforcement of ours lacks its condition StringEquals aws:PrincipalAccount",
        ),
        (
            r#""Sid":"Enforcement","Effect":"Deny""#,
            r#""Sid":"Enforcement","Effect":"Allow""#,
            "Enforcement of ours denies nothing",
        ),
        (
            r#""Sid":"Enforcement","#,
            r#""Sid":"Enforcement","NotResource":"x","#,
            "Enforcement of ours has NotResource, which the shipped policy doesn't have",
        ),
        (
            "key/1-2-3",
            "key/GUARDRAIL_KEY_ID",
            "OnlyKeyAdministratorsChangeTheKeys of ours still has the placeholder GUARDRAIL_KEY_ID: replace it",
        ),
        (
            "role/Writer\"]}",
            "role/*\"]}",
            "Roles of ours doesn't cover arn:*:iam::222222222222:role/GuardrailAuthor",
        ),
        (r#""Sid":"Enforcement""#, r#""Sid":"Another""#, "Enforcement of deploy/it isn't attached"),
        (
            r#""Sid":"OnlyKey"#,
            r#""Sid":"Key"#,
            "OnlyKeyAdministratorsChangeTheKeys of deploy/it isn't attached",
        ),
    ] {
        let found = judge(from, to);
        assert!(found.contains(&format!("Problem: {less}")), "{from} → {to}: {found:?}");
    }
}

#[test]
fn a_service_control_policy_covers_an_account_from_wherever_it_is_attached() {
    let (hub, owner) = (account("111111111111"), account("222222222222"));
    let member = "GuardrailKeeperMember".parse().unwrap();
    let shipped = shipped(&hub, &owner, &member, false);
    let chain = ["r-exam", "ou-exam-work", "300000000001"].map(str::to_owned).to_vec();
    let chains = [(account("300000000001"), chain.clone())];
    let Some(Ok(ours)) = attached("kms", "kms").remove("r-exam") else { panic!("it is there") };
    let nothing = || Ok(Vec::new());
    for target in &chain {
        let mut attached: Attached = chain.iter().map(|target| (target.clone(), nothing())).collect();
        attached.insert(target.clone(), Ok(ours.clone()));
        assert!(told(&protection(&shipped, &attached, &chains))[0].starts_with("Ok: "), "{target}");
        assert!(is_protected(&shipped, &attached, &chain) && !is_protected(&shipped, &attached, &[]));
        // Enough is known where it could be read: nothing takes a denial back.
        attached.extend(
            chain
                .iter()
                .filter(|one| *one != target)
                .map(|one| (one.clone(), Err(denied("ListPoliciesForTarget")))),
        );
        assert!(told(&protection(&shipped, &attached, &chains))[0].starts_with("Ok: "), "{target}");
        // Elsewhere it is no use; what couldn't be read is never good and never a problem.
        let elsewhere = Attached::from([("ou-exam-other".to_owned(), Ok(ours.clone()))]);
        assert_eq!(told(&protection(&shipped, &elsewhere, &chains)), ["Problem: deploy/it isn't attached"]);
        let unread = Attached::from([(target.clone(), Err(denied("ListPoliciesForTarget")))]);
        let found = protection(&shipped, &unread, &chains);
        all_say_what_to_do(&found);
        assert_eq!(
            told(&found),
            ["Unknown: whether deploy/it is attached isn't known: ListPoliciesForTarget was denied"]
        );
    }
    // Two policies may hold the statements together; text that is no policy holds none.
    let part = |from: &str, to: &str| {
        let Some(Ok(mut part)) = attached(from, to).remove("r-exam") else { panic!("it is there") };
        part.remove(0)
    };
    let parts = vec![
        part(r#""Sid":"Roles""#, r#""Sid":"X""#),
        part(r#""Sid":"Enforcement""#, r#""Sid":"X""#),
        ControlPolicy { name: "broken".to_owned(), content: "{".to_owned() },
    ];
    let attached = Attached::from([("r-exam".to_owned(), Ok(parts))]);
    assert!(told(&protection(&shipped, &attached, &chains))[0].starts_with("Ok: "));
}

fn facts() -> Facts {
    Facts {
        partition: "aws".parse().unwrap(),
        organization: "o-exampleorgid".parse().unwrap(),
        management: hub(),
        hub: hub(),
        owner: account("222222222222"),
        member: account("300000000001"),
        region: region(),
        member_role: "Member".parse().unwrap(),
        copies: false,
        parameter: None,
        queues: Vec::new(),
        table: None,
        bus: None,
    }
}

fn actions(needs: &[RequiredAction]) -> BTreeSet<&'static str> {
    needs.iter().map(|need| need.action).collect()
}

#[test]
fn needs_follow_from_who_owns_and_who_copies() {
    let member = account("300000000001");
    let plain = actions(&of_member(&facts(), &member));
    assert!(plain.contains("bedrock:ApplyGuardrail") && !plain.contains("bedrock:ListGuardrails"));
    let owner = actions(&of_member(&facts(), &facts().owner));
    assert!(owner.contains("bedrock:PutResourcePolicy") && owner.contains("bedrock:ListGuardrails"));
    let copies = actions(&of_member(&Facts { copies: true, ..facts() }, &member));
    assert!(copies.contains("bedrock:CreateGuardrail") && !copies.contains("bedrock:PutResourcePolicy"));
    let function = actions(&of_function(&facts()));
    assert!(function.contains("sts:AssumeRole") && !function.contains("dynamodb:Scan"));
    let table = Some("arn:aws:dynamodb:us-east-1:111111111111:table/ledger".to_owned());
    assert!(actions(&of_function(&Facts { table, ..facts() })).contains("dynamodb:Scan"));
}

/// What the tests saw the function call, and what Lambda does in its role's name.
#[test]
fn what_is_asked_for_is_what_is_called() {
    let recorded = include_str!("../../../tests/permissions/calls.txt");
    let called: BTreeSet<&str> = recorded
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            (words.next()? == "function").then(|| words.nth(1))?
        })
        .collect();
    let by_lambda = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let arn = |what: &str| Some(format!("arn:aws:{what}"));
    // Nothing is copied where the originals are.
    let everything = |owner: AccountId| Facts {
        owner,
        copies: true,
        parameter: arn("ssm:us-east-1:111111111111:parameter/baseline"),
        queues: arn("sqs:us-east-1:111111111111:events").into_iter().collect(),
        table: arn("dynamodb:us-east-1:111111111111:table/ledger"),
        bus: arn("events:us-east-1:111111111111:event-bus/keeper"),
        ..facts()
    };
    let (as_owner, apart) = (everything(hub()), everything(facts().owner));
    let asked: BTreeSet<&str> =
        [&as_owner, &apart].into_iter().flat_map(|facts| actions(&of_function(facts))).collect();
    assert_eq!(asked, called.into_iter().chain(by_lambda).collect());
    assert!(!actions(&of_function(&as_owner)).contains("bedrock:CreateGuardrail"));
}

#[test]
fn what_a_role_lacks_is_named_and_what_nobody_said_is_not_taken_for_granted() {
    let needs = of_member(&facts(), &account("300000000001"));
    let evaluated = |need: &RequiredAction, decision: SimulatedDecision| Evaluated {
        action: need.action.to_owned(),
        resource: need.resource.clone(),
        decision,
        details: BTreeMap::new(),
        by_organization: None,
        by_boundary: None,
        missing_keys: BTreeSet::new(),
    };
    let judge = |seen: Result<Vec<Evaluated>, Failure>| {
        let findings = lacking(Check::MemberRole, &Place::WHOLE, "Member", &needs, &seen, "deploy it");
        all_say_what_to_do(&findings);
        told(&findings)
    };
    let mut all: Vec<Evaluated> =
        needs.iter().map(|need| evaluated(need, SimulatedDecision::Allowed)).collect();
    assert_eq!(judge(Ok(all.clone())), ["Ok: Member has all 5 permissions that it needs"]);
    all[0].decision = SimulatedDecision::Explicit;
    all[1].decision = SimulatedDecision::Implicit;
    all[1].missing_keys.insert("aws:SourceVpce".to_owned());
    all.truncate(4);
    assert_eq!(
        judge(Ok(all)),
        [
            "Problem: Member may not bedrock:DeleteEnforcedGuardrailConfiguration: a policy of its own denies it",
            "Unknown: whether Member may bedrock:ListEnforcedGuardrailsConfiguration depends on aws:SourceVpce",
            "Unknown: whether Member may bedrock:GetGuardrail isn't known: IAM didn't say",
        ]
    );
    assert_eq!(
        judge(Err(denied("SimulatePrincipalPolicy"))),
        ["Unknown: what Member may do isn't known: SimulatePrincipalPolicy was denied"]
    );
}

#[test]
fn a_thousand_accounts_with_one_problem_are_one_group() {
    let many = (0..1000).map(|number| {
        let place = Place::account(&account(&format!("{}", 300_000_000_000_u64 + number)));
        Finding::unread(Check::Trails, place, "not known", &denied("DescribeTrails"))
            .detailed(number.to_string())
    });
    let findings: Vec<Finding> = many.chain([Finding::ok(Check::Baseline, Place::WHOLE, "valid")]).collect();
    let summary = DoctorSummary::of(&findings);
    assert_eq!(summary.checks[&Check::Trails].len(), 1);
    assert_eq!(summary.checks[&Check::Trails][0].places.len(), 1000);
    assert_eq!(summary.counts, BTreeMap::from([(Outcome::Unknown, 1000), (Outcome::Ok, 1)]));
    assert!(!summary.is_good());
    assert!(DoctorSummary::of(&findings[1000..]).is_good());
    let not_asked = Finding::not_applicable(Check::Hub, Place::WHOLE, "no bus");
    assert!(DoctorSummary::of(&[not_asked]).is_good());
}
