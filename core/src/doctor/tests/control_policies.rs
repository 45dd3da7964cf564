//! Service control policies that protect the keeper: what they deny, and whom they cover.

use super::*;

/// Two statements as those of deploy/: what is protected, and who protects whom is exempt.
const SHIPPED: &str = r#"{"Statement":[
    {"Sid":"Roles","Effect":"Deny","Action":["iam:Create*","iam:Put*","iam:Update*"],
     "Resource":["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::*:role/stacksets-exec-*",
                 "arn:*:iam::OWNER_ACCOUNT_ID:role/GuardrailAuthor"]},
    {"Sid":"Enforcement","Effect":"Deny","Action":["bedrock:Put","bedrock:Delete"],"Resource":"*",
     "Condition":{"ArnNotLike":{"aws:PrincipalArn":["arn:*:iam::*:role/GuardrailKeeperMember","arn:*:iam::OWNER_ACCOUNT_ID:role/GuardrailAuthor"]},
                  "StringEquals":{"aws:PrincipalAccount":"HUB_ACCOUNT_ID"}}},
    {"Sid":"OnlyKeyAdministratorsChangeTheKeys","Effect":"Deny","Action":"kms:Disable","Resource":"arn:*:kms:*:*:key/GUARDRAIL_KEY_ID"}]}"#;

/// What the tests' organization has.
struct Has {
    hub: AccountId,
    owner: AccountId,
    member: crate::ids::RoleName,
    keys: BTreeSet<String>,
    trails: BTreeSet<String>,
    accounts: BTreeSet<AccountId>,
}

impl Has {
    fn named(member: &str, keys: &[&str]) -> Has {
        let (hub, owner) = (account("111111111111"), account("222222222222"));
        let accounts = BTreeSet::from([hub.clone(), owner.clone(), account("300000000001")]);
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let trails = BTreeSet::from(["all".to_owned()]);
        Has { hub, owner, member: member.parse().unwrap(), keys, trails, accounts }
    }

    fn shipped<'a>(&'a self, text: &'a str) -> Shipped<'a> {
        let Has { hub, owner, member, keys, trails, accounts } = self;
        let path = "deploy/it";
        Shipped { path, text, hub, owner, function: None, member, stack: None, keys, trails, accounts }
    }
}

const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/1-2-3";

/// The policy as somebody fills it in, with one thing changed.
fn attached(from: &str, to: &str) -> Attached {
    let content =
        SHIPPED.replace("HUB_ACCOUNT_ID", "111111111111").replace("OWNER_ACCOUNT_ID", "222222222222");
    let content = content.replace("GUARDRAIL_KEY_ID", "1-2-3").replace("GuardrailAuthor", "Writer");
    assert!(content.contains(from), "{from} isn't there");
    let policies = vec![ControlPolicy {
        id: "p-ours".to_owned(),
        name: "ours".to_owned(),
        content: content.replace(from, to),
    }];
    BTreeMap::from([("r-exam".to_owned(), Ok(policies))])
}

#[test]
fn a_service_control_policy_denies_all_that_it_has_to_or_not() {
    let has = Has::named("Renamed", &[KEY]);
    let shipped = has.shipped(SHIPPED);
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
        // Saying which key, or that it is any.
        ("arn:*:kms:*:*:key/1-2-3", KEY),
        ("key/1-2-3", "key/*"),
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
            "key/1-2-3",
            "key/another",
            "OnlyKeyAdministratorsChangeTheKeys of ours doesn't cover arn:aws:kms:eu-west-1:222222222222:key/1-2-3",
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
    let has = Has::named("GuardrailKeeperMember", &[]);
    let shipped = has.shipped(SHIPPED);
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
        ControlPolicy { id: "p-broken".to_owned(), name: "broken".to_owned(), content: "{".to_owned() },
    ];
    let attached = Attached::from([("r-exam".to_owned(), Ok(parts))]);
    assert_eq!(protecting(std::slice::from_ref(&shipped), &attached), BTreeSet::from(["p-ours".to_owned()]));
    assert!(told(&protection(&shipped, &attached, &chains))[0].starts_with("Ok: "));
}

/// Attached instead of a document: a statement of it, written anew.
fn of_ours(statements: &[String]) -> Attached {
    let content = format!(r#"{{"Statement":[{}]}}"#, statements.join(","));
    let policy = ControlPolicy { id: "p-ours".to_owned(), name: "ours".to_owned(), content };
    BTreeMap::from([("r-exam".to_owned(), Ok(vec![policy]))])
}

fn judged(has: &Has, wanted: &str, attached: &[String]) -> Vec<String> {
    let chains = [(account("300000000001"), vec!["r-exam".to_owned(), "300000000001".to_owned()])];
    let text = format!(r#"{{"Statement":[{wanted}]}}"#);
    told(&protection(&has.shipped(&text), &of_ours(attached), &chains))
}

/// Whatever else somebody attached: a role that it doesn't really protect isn't exempt for that.
#[test]
fn an_exemption_is_justified_only_by_a_statement_that_always_holds() {
    let has = Has::named("GuardrailKeeperMember", &[]);
    let enforcement = |exempt: &str| {
        format!(
            r#"{{"Sid":"Enforcement","Effect":"Deny","Action":"bedrock:Put","Resource":"*",
                "Condition":{{"ArnNotLike":{{"aws:PrincipalArn":[{exempt}]}}}}}}"#
        )
    };
    let protecting = |role: &str, more: &str| {
        format!(
            r#"{{"Sid":"Own","Effect":"Deny","Action":["iam:Create*","iam:Update*","iam:Put*"],
                "Resource":"arn:*:iam::*:role/{role}"{more}}}"#
        )
    };
    let sparing = |role: &str| {
        format!(r#","Condition":{{"ArnNotLike":{{"aws:PrincipalArn":"arn:*:iam::*:role/{role}"}}}}"#)
    };
    let member = r#""arn:*:iam::*:role/GuardrailKeeperMember""#;
    let pipeline = format!(r#"{member},"arn:*:iam::*:role/Pipeline""#);
    let judge = |statements: &[String]| {
        let given = [&[enforcement(&pipeline), protecting("GuardrailKeeperMember", "")], statements].concat();
        judged(&has, &enforcement(member), &given).remove(0)
    };
    let unprotected = "Problem: Enforcement of ours exempts arn:*:iam::*:role/Pipeline, and no statement protects that role";
    assert_eq!(judge(&[]), unprotected);
    for more in [
        // It never holds, or not for everybody.
        r#","Condition":{"StringEquals":{"aws:PrincipalAccount":"000000000000"}}"#.to_owned(),
        r#","Condition":{"ArnNotLike":{"aws:PrincipalArn":"*"}}"#.to_owned(),
        sparing("*"),
        sparing("Admin"),
        sparing("Pipeline").replace("}}", r#"},"Bool":{"aws:ViaAWSService":"true"}}"#),
        r#","NotResource":"x""#.to_owned(),
    ] {
        assert_eq!(judge(&[protecting("Pipeline", &more)]), unprotected, "{more}");
    }
    // Two that only spare each other, and one that spares an unprotected one.
    let cycle = [protecting("Pipeline", &sparing("Deployer")), protecting("Deployer", &sparing("Pipeline"))];
    for good in [
        vec![protecting("Pipeline", "")],
        vec![protecting("Pipeline", &sparing("Pipeline"))],
        vec![protecting("Pipeline", &sparing("GuardrailKeeperMember"))],
        vec![protecting("Pipeline", "").replace(r#"["iam:Create*","iam:Update*","iam:Put*"]"#, r#""iam:*""#)],
        cycle.to_vec(),
    ] {
        assert!(judge(&good).starts_with("Ok: "), "{good:?}: {}", judge(&good));
    }
    let chain = [protecting("Pipeline", &sparing("Deployer")), protecting("Deployer", &sparing("Admin"))];
    assert_eq!(judge(&chain), unprotected);
}

/// A word of one's own stands for a trail and an account, and has to be one.
#[test]
fn what_a_policy_names_is_compared_with_what_is_there() {
    let mut has = Has::named("GuardrailKeeperMember", &[]);
    let of_the_trail = |trail: &str| {
        format!(r#"{{"Sid":"Trail","Effect":"Deny","Action":"cloudtrail:StopLogging","Resource":{trail}}}"#)
    };
    let of_security = |account: &str| {
        let role = format!("arn:*:iam::{account}:role/SecurityAdministrator");
        format!(r#"{{"Sid":"Role","Effect":"Deny","Action":"iam:PassRole","Resource":"{role}"}}"#)
    };
    let trail = |name: &str| format!(r#""arn:*:cloudtrail:*:*:trail/{name}""#);
    let wanted = of_the_trail(&trail("TRAIL_NAME"));
    let good = "Ok: deploy/it is attached and denies everything that it has to deny; exempt: ";
    let of_another =
        "Problem: Trail of ours names old for TRAIL_NAME, and the hub sees no trail of that name";
    let judge = |has: &Has, resources: &[&str]| {
        let resources: Vec<String> = resources.iter().map(|name| trail(name)).collect();
        judged(has, &wanted, &[of_the_trail(&format!("[{}]", resources.join(",")))]).remove(0)
    };
    assert_eq!(judge(&has, &["all"]), good);
    assert_eq!(judge(&has, &["old", "all"]), good, "one more does no harm");
    assert_eq!(judge(&has, &["old"]), of_another);
    assert_eq!(judged(&has, &wanted, &[of_the_trail(r#""*""#)]), [good]);
    has.trails.clear();
    assert_eq!(judge(&has, &["old"]), good, "which trails there are isn't known");

    let wanted = of_security("SECURITY_ACCOUNT_ID");
    assert_eq!(judged(&has, &wanted, &[of_security("300000000001")]), [good]);
    assert_eq!(
        judged(&has, &wanted, &[of_security("999999999999")]),
        [
            "Problem: Role of ours names 999999999999 for SECURITY_ACCOUNT_ID, and no account of the organization has \
          that number"
        ]
    );
}
