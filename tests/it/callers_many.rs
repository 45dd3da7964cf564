//! `guardrailctl callers` over several Regions and accounts: what can't be read stops nothing else, and is
//! never taken for good.

use expect_test::expect;
use serde_json::Value;
use simulator::{Fault, FaultKind, Model, Permissions, Role, Trust};

use testkit::program::{Guardrailctl, Ran};
use testkit::whole::{ACCESS, allowing};
use testkit::world::{
    ABANDONED, Document, EU, OWNER, PARAMETER, PAYMENTS, PLAYGROUND, SEARCH, SHIPPING, US, WORKLOAD, World,
    check,
};

const INVOKE: [&str; 2] = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];

fn role(name: &str, permissions: Permissions) -> Role {
    let trust = Trust { principals: vec!["lambda.amazonaws.com".to_owned()], ..Trust::default() };
    Role { name: name.to_owned(), trust, permissions, ..Role::default() }
}

/// Somebody who would lose access in one account, and somebody who is fine in each of two.
fn people(model: &mut Model) {
    model.put_role(PAYMENTS, role("App", allowing(&INVOKE)));
    for account in [PAYMENTS, SHIPPING] {
        model.put_role(account, role("Guarded", allowing(&["bedrock:*"])));
    }
}

async fn world(document: &Document) -> World {
    let world = World::of(document).durable().start().await;
    world.server.with(people);
    world
}

fn in_eu() -> Document {
    Document { regions: EU, ..Document::default() }
}

async fn callers(world: &World, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["callers"].iter().chain(arguments).copied().collect();
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .run(&all)
        .await
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

fn denied(message: &str) -> FaultKind {
    FaultKind::Denied { message: message.to_owned() }
}

#[tokio::test]
async fn one_region_without_the_guardrail_ends_nothing_and_is_not_known() {
    let without = World::of(&Document::default())
        .world(|world| world.guardrails.retain(|guardrail| guardrail.region != US))
        .start()
        .await;
    without.server.with(people);
    let ran = callers(&without, &[PAYMENTS, "--role", ACCESS]).await;
    check(
        &ran,
        expect![[r#"
            300000000001 (Workload/payments)
              ap-southeast-2: corporate:2
              eu-west-1: corporate:2
              us-east-1: corporate:2: not known [not_found]: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            breaks   arn:aws:iam::300000000001:role/App
                     in ap-southeast-2, eu-west-1: no policy of its own allows it
            1 would lose access to models, 0 not known, 2 fine, of 4 roles and users (0 of services skipped)

            Add this to the policies of those who would lose access, and to what bounds or
            denies them where that is why:
            {
              "Action": "bedrock:ApplyGuardrail",
              "Effect": "Allow",
              "Resource": [
                "arn:aws:bedrock:ap-southeast-2:222222222222:guardrail/apbase1a2b3c",
                "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
              ],
              "Sid": "ApplyEnforcedGuardrail"
            }
            Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.
            exit 1
        "#]],
    );
    assert_eq!(without.writes(), [""; 0]);
    // Where nobody would lose access in the other Regions, it isn't good still.
    let ran = callers(&without, &[SHIPPING, "--role", ACCESS, "--output", "json"]).await;
    let told = object(&ran);
    assert_eq!((ran.code, &told["good"]), (1, &false.into()), "{ran}");
    assert_eq!(told["accounts"][0]["standing"], "unknown", "{ran}");
    let regions = told["accounts"][0]["regions"].as_array().unwrap();
    let in_us = regions.iter().find(|one| one["region"] == US).unwrap();
    assert_eq!(in_us["unusable"]["code"], "not_found", "{ran}");
    // Where it is nowhere, nobody is asked about.
    without.server.clear_calls();
    let ran = callers(&without, &[SHIPPING, "--role", ACCESS, "--region", US]).await;
    assert_eq!((ran.code, without.count("SimulatePrincipalPolicy")), (1, 0), "{ran}");
}

#[tokio::test]
async fn an_account_that_cannot_be_read_stops_none_of_the_others() {
    let world = world(&in_eu()).await;
    let role = format!("arn:aws:iam::{SEARCH}:role/{ACCESS}");
    world.server.fault(Fault::new(denied("You may not.")).operation("AssumeRole").about(&role));
    let named = [PAYMENTS, "shipping", SEARCH, "999999999999", PLAYGROUND, ABANDONED];
    let ran = callers(&world, &[&named[..], &["--role", ACCESS]].concat()).await;
    let text = ran.to_string().replace(world.server.url(), "URL");
    check(
        &text,
        expect![[r#"
            300000000001 (Workload/payments)
              eu-west-1: corporate:2
            breaks   arn:aws:iam::300000000001:role/App
                     in eu-west-1: no policy of its own allows it
            1 would lose access to models, 0 not known, 2 fine, of 4 roles and users (0 of services skipped)
            fine     300000000002 (Workload/shipping): 2 of 3 roles and users invoke models and keep their access
            unknown  300000000003 (Workload/search): it can't be checked: AssumeRole: AccessDenied: You may not.
            unknown  999999999999: it is no member of this organization
            ! 300000000006 (abandoned) is suspended: no call can work there, so it is not checked

            6 accounts
                  1 with principals that would lose access
                  2 not known
                  1 fine
                  1 in which nothing is to be enforced
                  1 skipped (no call can work there)
            1 would lose access to models, 0 not known, 4 fine, of 7 roles and users (0 of services skipped)

            Add this to the policies of those who would lose access, and to what bounds or
            denies them where that is why, in 300000000001:
            {
              "Action": "bedrock:ApplyGuardrail",
              "Effect": "Allow",
              "Resource": [
                "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
              ],
              "Sid": "ApplyEnforcedGuardrail"
            }
            Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.
            stderr: as account 111111111111, in us-east-1, at URL (AWS_ENDPOINT_URL)
            stderr: → the role has to be in that account, and to trust these credentials: `--role NAME` takes another one, such as that of deploy/reader-role.yaml (docs/deploy.md, Which credentials a command needs)
            exit 1
        "#]],
    );
    let ran = callers(&world, &[&named[..], &["--role", ACCESS, "--output", "json"]].concat()).await;
    let told = object(&ran);
    let accounts = told["accounts"].as_array().unwrap().iter();
    let standings: Vec<String> =
        accounts.map(|one| format!("{} {}", one["account"], one["standing"])).collect();
    check(
        &standings.join("\n"),
        expect![[r#"
        "300000000001" "breaks"
        "300000000002" "fine"
        "300000000003" "unknown"
        "300000000005" "nothing_wanted"
        "300000000006" "off"
        "999999999999" "unknown""#]],
    );
    check(
        &format!("{:#}", told["summary"]),
        expect![[r#"
        {
          "accounts": {
            "breaks": 1,
            "fine": 1,
            "nothing_wanted": 1,
            "off": 1,
            "unknown": 2
          },
          "principals": {
            "breaks": 1,
            "fine": 4,
            "no_caller": 2,
            "of_services": 0,
            "unknown": 0
          }
        }"#]],
    );
    assert_eq!((ran.code, &told["good"]), (1, &false.into()), "{ran}");
}

#[tokio::test]
async fn each_kind_of_reading_that_fails_leaves_an_account_not_known() {
    let world = world(&in_eu()).await;
    for operation in ["ListRoles", "ListUsers", "ListFoundationModels", "DescribeAccount"] {
        world.server.clear_faults();
        let fault = Fault::new(denied("You may not.")).operation(operation);
        let fault =
            if operation == "DescribeAccount" { fault.about(SHIPPING) } else { fault.account(SHIPPING) };
        world.server.fault(fault);
        let ran = callers(&world, &[OWNER, SHIPPING, "--role", ACCESS, "--output", "json"]).await;
        let told = object(&ran);
        let standing = |index: usize| told["accounts"][index]["standing"].as_str().unwrap();
        assert_eq!((ran.code, standing(0), standing(1)), (1, "fine", "unknown"), "{operation} {ran}");
        assert!(ran.out.contains(&format!("{operation}: ")), "{operation} is named: {ran}");
    }
    // A record that can't be understood holds its own account alone.
    world.server.clear_faults();
    drop(world.sweep().await);
    let ledger = std::fs::read_to_string(world.ledger_file()).unwrap();
    let mut ledger: Value = serde_json::from_str(&ledger).unwrap();
    let record = ledger.pointer_mut(&format!("/documents/account#{SHIPPING}/document")).unwrap();
    *record = "spoilt".into();
    std::fs::write(world.ledger_file(), ledger.to_string()).unwrap();
    let ran = callers(&world, &[OWNER, SHIPPING, "--role", ACCESS]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("fine     222222222222"), "{ran}");
    assert!(ran.out.contains("unknown  300000000002"), "{ran}");
}

#[tokio::test]
async fn an_ou_and_the_whole_organization_are_gone_through() {
    let world = world(&in_eu()).await;
    world.server.clear_calls();
    let ran = callers(&world, &["--all", "--role", ACCESS]).await;
    check(
        &ran,
        expect![[r#"
            fine     111111111111 (management): 1 of 1 roles and users invoke models and keep their access
            fine     222222222222 (guardrail-owner): 1 of 2 roles and users invoke models and keep their access
            300000000001 (Workload/payments)
              eu-west-1: corporate:2
            breaks   arn:aws:iam::300000000001:role/App
                     in eu-west-1: no policy of its own allows it
            1 would lose access to models, 0 not known, 2 fine, of 4 roles and users (0 of services skipped)
            fine     300000000002 (Workload/shipping): 2 of 3 roles and users invoke models and keep their access
            fine     300000000003 (Workload/search): 1 of 2 roles and users invoke models and keep their access
            fine     300000000004 (Workload/support): 1 of 2 roles and users invoke models and keep their access

            8 accounts
                  1 with principals that would lose access
                  5 fine
                  1 in which nothing is to be enforced
                  1 skipped (no call can work there)
            1 would lose access to models, 0 not known, 8 fine, of 14 roles and users (0 of services skipped)

            Add this to the policies of those who would lose access, and to what bounds or
            denies them where that is why, in 300000000001:
            {
              "Action": "bedrock:ApplyGuardrail",
              "Effect": "Allow",
              "Resource": [
                "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
              ],
              "Sid": "ApplyEnforcedGuardrail"
            }
            Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.
            exit 1
        "#]],
    );
    // The owner's side is looked up once for all of them.
    assert_eq!((world.count("GetGuardrail"), world.writes().len()), (1, 0));
    let by_name = callers(&world, &["--ou", "Workload", "--role", ACCESS]).await;
    let by_id = callers(&world, &["--ou", WORKLOAD, "--role", ACCESS]).await;
    assert_eq!(by_name.to_string(), by_id.to_string());
    check(
        &by_id,
        expect![[r#"
            300000000001 (Workload/payments)
              eu-west-1: corporate:2
            breaks   arn:aws:iam::300000000001:role/App
                     in eu-west-1: no policy of its own allows it
            1 would lose access to models, 0 not known, 2 fine, of 4 roles and users (0 of services skipped)
            fine     300000000002 (Workload/shipping): 2 of 3 roles and users invoke models and keep their access
            fine     300000000003 (Workload/search): 1 of 2 roles and users invoke models and keep their access
            fine     300000000004 (Workload/support): 1 of 2 roles and users invoke models and keep their access

            4 accounts
                  1 with principals that would lose access
                  3 fine
            1 would lose access to models, 0 not known, 6 fine, of 11 roles and users (0 of services skipped)

            Add this to the policies of those who would lose access, and to what bounds or
            denies them where that is why, in 300000000001:
            {
              "Action": "bedrock:ApplyGuardrail",
              "Effect": "Allow",
              "Resource": [
                "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
              ],
              "Sid": "ApplyEnforcedGuardrail"
            }
            Not seen: resource control policies, session policies, VPC endpoint policies, models of your own.
            exit 1
        "#]],
    );
    // An OU and an account in it are that account once; one elsewhere is looked into besides.
    let both = ["--ou", WORKLOAD, PAYMENTS, OWNER, "--role", ACCESS, "--output", "json"];
    let told = object(&callers(&world, &both).await);
    assert_eq!(told["accounts"].as_array().unwrap().len(), 5, "{told:#}");
    // Nothing is enforced in the sandbox, and that is good.
    let ran = callers(&world, &["--ou", "Sandbox", "--role", ACCESS]).await;
    check(
        &ran,
        expect![[r#"
            2 accounts
                  1 in which nothing is to be enforced
                  1 skipped (no call can work there)
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn what_names_nobody_is_refused() {
    let world = world(&in_eu()).await;
    for (arguments, why) in [
        (&["--role", ACCESS][..], "required"),
        (&["--all", PAYMENTS, "--role", ACCESS], "cannot be used with"),
        (&["--all"], "give --role NAME to check 222222222222 and "),
        (&["--ou", "ou-exam-nowhere1", "--role", ACCESS], "no account stands under ou-exam-nowhere1"),
        (&["nobody", "--role", ACCESS], "no account is named nobody"),
    ] {
        let ran = callers(&world, arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?} {ran}");
        assert!(ran.err.contains(why), "{arguments:?} {ran}");
    }
    // A Region that the baseline doesn't name is said to be none.
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", "eu-north-1"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("eu-north-1 is not in the baseline"), "{ran}");
}

#[tokio::test]
async fn an_account_that_is_about_to_leave_has_nothing_to_lose() {
    let world = World::guarded(World::of(&in_eu()).durable().long_established()).await;
    let ledger = world.keeper.ledger();
    let payments = PAYMENTS.parse().unwrap();
    let marked = ledger.change_account(&payments, |record| {
        record.offboarding = Some(jiff::Timestamp::now());
        Ok(())
    });
    marked.await.unwrap();
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("nothing is to be enforced there"), "{ran}");
}
