//! A baseline that assigns on both of AWS's levels, as people see it in a terminal.

use expect_test::expect;
use serde_json::Value;

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{Document, EU, PARAMETER, PAYMENTS, PLAYGROUND, SHIPPING, US, World, check};

/// A floor for everybody, something else for one OU in one Region, and more on the account's level of one account.
const BOTH: &str = "\
version: 2
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  floor:
    name: corporate-baseline
    version: 1
    regions: [us-east-1, eu-west-1]
  corporate:
    name: corporate-baseline
    version: 2
    regions: [eu-west-1]
assignments:
  - { targets: [r-exam], guardrail: floor, level: organization }
  - { targets: [ou-exam-workload], guardrail: corporate, level: organization }
  - { targets: [\"300000000001\"], guardrail: corporate }
exclude: [\"300000000005\"]
accept_unproven: [\"300000000002\", \"399999999999\"]
";

async fn world() -> World {
    let world = World::of(&Document::default()).durable().long_established().start().await;
    world.publish_text(BOTH);
    world
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .variable("KEEPER_MEMBER_ROLE", "GuardrailKeeperMember")
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

/// The two lines that say what each level gives, with those that go on.
fn levels(shown: &str) -> String {
    let all = shown.lines().skip_while(|line| !line.starts_with("wanted"));
    all.take_while(|line| !line.starts_with("seen")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn explain_shows_what_each_level_gives() {
    let world = world().await;
    world.server.clear_calls();
    let shown = |account: &'static str, region: &'static str| {
        let ctl = of(&world);
        async move { levels(&ctl.run(&["explain", account, region]).await.out) }
    };
    check(
        &shown(PAYMENTS, EU).await,
        expect![[r#"
        wanted    corporate:2, by the assignment of 300000000001 (line 16)
        inherits  corporate:2, by the assignment of ou-exam-workload (line 15, level: organization)
                  instead of floor:1, by the assignment of r-exam (line 14, level: organization)
    "#]],
    );
    // The nearer assignment doesn't name the Region.
    check(
        &shown(SHIPPING, US).await,
        expect![[r#"
            wanted    nothing: no assignment of the account's level covers the account, so what is there stays
            inherits  floor:1, by the assignment of r-exam (line 14, level: organization)
        "#]],
    );
    check(
        &shown(PLAYGROUND, EU).await,
        expect![[r#"
            wanted    nothing is written: the account is excluded; else nothing: no assignment of the account's level covers the account, so what is there stays
            inherits  floor:1, by the assignment of r-exam (line 14, level: organization)
        "#]],
    );
    check(
        &shown(PLAYGROUND, "ap-southeast-2").await,
        expect![[r#"
            wanted    nothing is written: the account is excluded; else nothing: no assignment of the account's level covers the account, so what is there stays
            inherits  nothing: floor, by the assignment of r-exam (line 14, level: organization), is not enforced in ap-southeast-2
        "#]],
    );
    check(
        &shown(PAYMENTS, "ap-southeast-2").await,
        expect![[r#"
        wanted    nothing: corporate, by the assignment of 300000000001 (line 16), is not enforced in ap-southeast-2; the baseline names eu-west-1, us-east-1
        inherits  nothing: none of the 2 assignments of the organization's level that cover the account is for ap-southeast-2
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);

    let json = object(&of(&world).run(&["explain", PAYMENTS, EU, "--output", "json"]).await);
    check(
        &format!("{:#}", json["organization_level"]),
        expect![[r#"
        {
          "assignment": {
            "guardrail": "corporate",
            "line": 15,
            "target": "ou-exam-workload"
          },
          "instead_of": [
            "floor:1, by the assignment of r-exam (line 14, level: organization)"
          ],
          "text": "corporate:2, by the assignment of ou-exam-workload (line 15, level: organization)"
        }"#]],
    );
    world.publish_text(&BOTH.replace("targets: [r-exam]", "targets: [ou-exam-sandbox1]"));
    check(
        &shown(PAYMENTS, EU).await,
        expect![[r#"
        wanted    corporate:2, by the assignment of 300000000001 (line 16)
        inherits  corporate:2, by the assignment of ou-exam-workload (line 15, level: organization)
    "#]],
    );

    // A baseline of one level says nothing of the other.
    world.publish(&Document::default());
    assert!(!shown(PAYMENTS, EU).await.contains("inherits"));
    let json = object(&of(&world).run(&["explain", PAYMENTS, EU, "--output", "json"]).await);
    assert_eq!(json["organization_level"], Value::Null);
}

#[tokio::test]
async fn what_only_the_organization_shows_is_told_before_anything_is_pushed() {
    let world = world().await;
    let file = world.folder().join("baseline.yaml");
    std::fs::write(&file, BOTH).unwrap();
    check(
        &of(&world).run(&["check", "--organization", "--baseline", "baseline.yaml"]).await,
        expect![[r#"
            baseline.yaml:3:8: owner: corporate is assigned with level: organization, which takes guardrails of the management account only, and 222222222222 is another account; write owner: "111111111111" for corporate, or assign it on the account's level
            baseline.yaml:3:8: owner: floor is assigned with level: organization, which takes guardrails of the management account only, and 222222222222 is another account; write owner: "111111111111" for floor, or assign it on the account's level
            baseline.yaml:17:11: exclude[0]: 300000000005 is excluded, and inherits floor from r-exam (line 14): what is inherited can't be taken away; write 111111111111, 222222222222 and 300000000006 in place of r-exam (line 14), and add us-east-1 to corporate, which lacks what ou-exam-workload inherits today
            baseline.yaml:18:35: warning: accept_unproven[1]: 399999999999 is no account of o-exampleorgid; remove it, unless it is about to join
            stderr: error: baseline.yaml can't be used
            exit 1
        "#]],
    );
    std::fs::write(&file, format!("{BOTH}# Another revision.\n")).unwrap();
    world.server.clear_calls();
    let ran = of(&world).run(&["push", "baseline.yaml", "--yes"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.to_string().contains("300000000005 is excluded, and inherits floor from r-exam"), "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}
