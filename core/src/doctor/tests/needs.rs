//! The permissions that a role needs, and what it lacks of them.

use super::*;

fn facts() -> Facts {
    Facts {
        partition: "aws".parse().unwrap(),
        organization: "o-exampleorgid".parse().unwrap(),
        management: hub(),
        hub: hub(),
        owners: BTreeSet::from([account("222222222222")]),
        member: account("300000000001"),
        region: region(),
        member_role: "Member".parse().unwrap(),
        copies: false,
        parameter: None,
        approval: None,
        controls: None,
        queues: Vec::new(),
        table: None,
        bus: None,
        organization_access: OrganizationAccess::None,
        repairs_policy_type: false,
    }
}

/// What somebody's role was seen to call, in deployments that are asked about.
fn called(by: &str, in_deployments: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    let recorded = include_str!("../../../../tests/permissions/calls.txt");
    let calls = recorded.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (role, deployment) = (words.next()?, words.next()?);
        (role == by && in_deployments(deployment)).then(|| words.next())?
    });
    calls.collect()
}

fn actions(needs: &[RequiredAction]) -> BTreeSet<&'static str> {
    needs.iter().map(|need| need.action).collect()
}

#[test]
fn needs_follow_from_who_owns_and_who_copies() {
    let member = account("300000000001");
    let plain = actions(&of_member(&facts(), &member));
    assert!(plain.contains("bedrock:ApplyGuardrail") && !plain.contains("bedrock:ListGuardrails"));
    let owner = actions(&of_member(&facts(), &account("222222222222")));
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
    let by_lambda = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    let arn = |what: &str| Some(format!("arn:aws:{what}"));
    // Nothing is copied where the originals are.
    let everything = |owner: AccountId| Facts {
        owners: BTreeSet::from([owner]),
        copies: true,
        parameter: arn("ssm:us-east-1:111111111111:parameter/baseline"),
        approval: arn("ssm:us-east-1:111111111111:parameter/approval"),
        controls: arn("ssm:us-east-1:111111111111:parameter/controls"),
        queues: arn("sqs:us-east-1:111111111111:events").into_iter().collect(),
        table: arn("dynamodb:us-east-1:111111111111:table/ledger"),
        bus: arn("events:us-east-1:111111111111:event-bus/keeper"),
        organization_access: OrganizationAccess::Own,
        repairs_policy_type: true,
        ..facts()
    };
    let (as_owner, apart) = (everything(hub()), everything(account("222222222222")));
    let asked: BTreeSet<&str> =
        [&as_owner, &apart].into_iter().flat_map(|facts| actions(&of_function(facts))).collect();
    // A policy is created with its tag.
    let called = called("function", |_| true).into_iter().chain(["organizations:TagResource"]);
    assert_eq!(asked, called.chain(by_lambda).collect());
    assert!(!actions(&of_function(&as_owner)).contains("bedrock:CreateGuardrail"));
}

/// The role in the management account, and what is left for the others where there is one.
#[test]
fn what_is_asked_for_bedrock_policies_is_what_is_called() {
    let by_role = OrganizationAccess::Role("GuardrailKeeperOrganization".parse().unwrap());
    let facts = Facts { organization_access: by_role, ..facts() };
    let called_by_role = |repairs: bool| {
        let deployments = move |deployment: &str| repairs || !deployment.contains("repairs-type");
        let called = called("organization", deployments).into_iter();
        called.chain(["organizations:TagResource"]).collect::<BTreeSet<_>>()
    };
    for repairs_policy_type in [false, true] {
        let facts = Facts { repairs_policy_type, ..facts.clone() };
        assert_eq!(actions(&of_organization_role(&facts)), called_by_role(repairs_policy_type));
    }
    let of_the_level = |needs: &[RequiredAction]| {
        let plain = Facts { organization_access: OrganizationAccess::None, ..facts.clone() };
        let others: BTreeSet<RequiredAction> =
            of_function(&plain).into_iter().chain(of_member(&plain, &plain.member)).collect();
        let more = needs.iter().filter(|need| !others.contains(*need));
        more.map(|need| format!("{} {}", need.action, need.resource)).collect::<Vec<_>>()
    };
    let account = "arn:aws:organizations::111111111111:account/o-exampleorgid";
    assert_eq!(
        of_the_level(&of_function(&facts)),
        [
            format!("organizations:DescribeEffectivePolicy {account}/111111111111"),
            "sts:AssumeRole arn:aws:iam::111111111111:role/GuardrailKeeperOrganization".to_owned(),
        ]
        .iter()
        .rev()
        .cloned()
        .collect::<Vec<_>>()
    );
    assert_eq!(
        of_the_level(&of_member(&facts, &facts.member)),
        [format!("organizations:DescribeEffectivePolicy {account}/300000000001")]
    );
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
        let findings = lacking(&Check::MemberRole.whole(), "Member", &needs, &seen, "deploy it");
        all_say_what_to_do(&findings);
        told(&findings)
    };
    let mut all: Vec<Evaluated> =
        needs.iter().map(|need| evaluated(need, SimulatedDecision::Allowed)).collect();
    assert_eq!(judge(Ok(all.clone())), ["Ok: Member has all 6 permissions that it needs"]);
    all[0].decision = SimulatedDecision::Explicit;
    all[1].decision = SimulatedDecision::Implicit;
    all[1].missing_keys.insert("aws:SourceVpce".to_owned());
    all.truncate(4);
    assert_eq!(
        judge(Ok(all)),
        [
            "Problem: Member may not bedrock:DeleteEnforcedGuardrailConfiguration: a policy of its own denies it",
            "Unknown: whether Member may bedrock:ListEnforcedGuardrailsConfiguration depends on aws:SourceVpce",
            "Unknown: whether Member may bedrock:GetGuardrail, iam:GetRole isn't known: IAM didn't say",
        ]
    );
    assert_eq!(
        judge(Err(denied("SimulatePrincipalPolicy"))),
        ["Unknown: what Member may do isn't known: SimulatePrincipalPolicy was denied"]
    );
}
