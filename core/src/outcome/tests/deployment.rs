//! What is published of a whole deployment: an opened guardrail, a flood, a changed baseline; and the schema of it all.

use super::*;

#[test]
fn an_opening_is_told_with_what_to_do() {
    let mut report = Report::of(REVISION.parse().unwrap(), crate::plan::Plan::default());
    let resource = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap();
    report.opened.insert(resource, BTreeSet::from(["opens the guardrail to every AWS account".to_owned()]));
    let events = of_report(&report, &cause(), now());
    let [event] = delivered(&events).try_into().unwrap();
    assert_eq!(event["detail-type"], "Guardrail Opened");
    assert_eq!(event["detail"]["account"], "222222222222");
    assert_eq!(
        event["detail"]["reason"]["text"],
        "its resource policy opens the guardrail to every AWS account"
    );
}

#[test]
fn a_flooding_account_is_named_with_what_becomes_of_it() {
    let account: AccountId = "300000000001".parse().unwrap();
    let by = |sender| {
        let flooding = Flooding { sender, due: now(), cause: cause() };
        let [event] = delivered(&[of_flood(&account, &flooding, now())]).try_into().unwrap();
        event
    };
    let event = by(Sender::Account(account.clone()));
    assert_eq!(
        (&event["detail-type"], &event["detail"]["account"]),
        (&json!("Account Flooding"), &json!(account))
    );
    assert_eq!(event["detail"]["reason"]["code"], "flooding");
    assert!(event["detail"]["reason"]["text"].as_str().unwrap().contains("it is looked at within 60 s"));
    let arn = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base";
    let event = by(Sender::Guardrail("eu-west-1".parse().unwrap(), arn.parse().unwrap()));
    assert_eq!(event["detail"]["resource"], arn);
    // Of many guardrails none is named.
    let region: Region = "eu-west-1".parse().unwrap();
    let others = OtherGuardrails { account: account.clone(), but: BTreeSet::new() };
    for sender in [Sender::OtherGuardrails(region.clone(), others), Sender::Unnamed(region, account.clone())]
    {
        let event = by(sender);
        let text = event["detail"]["reason"]["text"].as_str().unwrap();
        assert!(text.contains("in eu-west-1") && text.contains("within 300 s"), "{text}");
        assert_eq!(event["detail"]["resource"], Value::Null);
    }
}

#[test]
fn the_schema_names_every_kind_and_describes_every_member() {
    let schema: Value = serde_json::from_str(include_str!("../../../../docs/outcomes.schema.json")).unwrap();
    let kinds = Kind::ALL.map(Kind::detail_type);
    assert_eq!(schema["properties"]["detail-type"]["enum"], json!(kinds));
    let document = include_str!("../../../../docs/outcomes.md");
    for (branch, kind) in schema["allOf"].as_array().unwrap().iter().zip(kinds) {
        assert_eq!(branch["if"]["properties"]["detail-type"]["const"], kind);
        assert!(document.contains(&format!("| `{kind}` |")), "docs/outcomes.md has no row for {kind}");
        let name =
            branch["then"]["properties"]["detail"]["$ref"].as_str().unwrap().trim_start_matches("#/$defs/");
        let definition = &schema["$defs"][name];
        assert_eq!(definition["additionalProperties"], false, "{name}");
        for (member, property) in definition["properties"].as_object().unwrap() {
            let described = property.get("description").or_else(|| property.get("$ref"));
            assert!(described.is_some(), "{name}.{member} has no description");
        }
    }
    let states: Vec<&str> = Standing::of_a_sweep().map(Standing::code).collect();
    assert_eq!(schema["$defs"]["state"]["enum"], json!(states));
}

/// What is told of a revision of which this was counted.
fn changed(document: &str, counted: Extent, change: impl FnOnce(&mut RevisionApproval)) -> Value {
    let baseline = Baseline::parse(&format!(
        "version: 1\norganization: o-exampleorgid\nowner: \"222222222222\"\nguardrails: {{}}\nassignments: []\n{document}"
    ))
    .unwrap_or_else(|invalid| panic!("{invalid}"));
    let mut approval =
        RevisionApproval { counted: Some(counted), ..RevisionApproval::new(baseline.revision.clone()) };
    change(&mut approval);
    let previous = "0123456789abcdef".parse().unwrap();
    let events = [of_baseline(&baseline, &approval, Some(&previous), &cause(), now())];
    let [event] = delivered(&events).try_into().unwrap();
    event
}

#[test]
fn a_changed_baseline_is_told_with_what_it_changes_and_whether_it_begins() {
    let counted = Extent { replacements: 3, releases: 1, abandonments: 2 };
    let event = changed("limits: { max_releases: 1 }\n", counted, |approval| approval.approved = true);
    assert_eq!(event["detail-type"], "Baseline Changed");
    let detail = &event["detail"];
    assert_eq!(detail["counted"], json!({ "replacements": 3, "releases": 1, "abandonments": 2 }));
    assert_eq!(detail["limits"], json!({ "replacements": 50, "releases": 1, "abandonments": 5 }));
    assert_eq!((&detail["begins"], &detail["previous"]), (&json!(true), &json!("0123456789abcdef")));
    for (document, change, begins, code) in [
        ("", (|approval| approval.approved = true) as fn(&mut RevisionApproval), true, "within_limits"),
        ("", |approval| *approval = approval.clone().approve(), true, "approved"),
        ("", |_| {}, false, "over_limits"),
        (
            "",
            |approval| approval.names_nobody = serde_json::from_value(json!(["300000000009"])).unwrap(),
            false,
            "names_nobody",
        ),
        ("mode: audit\n", |approval| approval.approved = true, true, "audit"),
    ] {
        let event = changed(document, counted, change);
        assert_eq!(
            (&event["detail"]["begins"], &event["detail"]["reason"]["code"]),
            (&json!(begins), &json!(code))
        );
    }
}
