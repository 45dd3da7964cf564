//! `guardrailctl callers`: who would lose access to models by an enforcement.

use expect_test::expect_file;
use serde_json::Value;
use simulator::{
    CrossAccountSimulation, Fault, FaultKind, Model, Permissions, Role, ServiceControl, Statement, Trust,
    User,
};

use testkit::program::{Guardrailctl, Ran};
use testkit::whole::{ACCESS, allowing};
use testkit::world::{Document, EU, PARAMETER, PAYMENTS, PLAYGROUND, US, World};

const EU_GUARDRAIL: &str = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c";

fn role(name: &str, permissions: Permissions) -> Role {
    let trust = Trust { principals: vec!["lambda.amazonaws.com".to_owned()], ..Trust::default() };
    Role { name: name.to_owned(), trust, permissions, ..Role::default() }
}

fn on(actions: &[&str], resource: &str) -> Statement {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    Statement { actions, resources: vec![resource.to_owned()], ..Statement::default() }
}

/// A bit of everything.
fn people(model: &mut Model) {
    let invoke = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];
    let both = ["bedrock:InvokeModel*", "bedrock:ApplyGuardrail"];
    model.put_role(PAYMENTS, role("App", allowing(&invoke)));
    model.put_role(PAYMENTS, role("Guarded", allowing(&both)));
    model.put_role(PAYMENTS, role("Reader", allowing(&["s3:GetObject"])));
    // One model only, by its ARN.
    let one = on(&["bedrock:InvokeModel"], "arn:aws:bedrock:*::foundation-model/amazon.nova-pro-v1:0");
    let picky = Permissions { allow: vec![one], ..Permissions::default() };
    model.put_role(PAYMENTS, role("Picky", picky));
    // May apply the guardrail of one Region only.
    let mut half = allowing(&invoke);
    half.allow.push(on(&["bedrock:ApplyGuardrail"], EU_GUARDRAIL));
    model.put_role(PAYMENTS, role("Half", half));
    let bounded = Role { boundary: Some(allowing(&invoke)), ..role("Bounded", allowing(&["bedrock:*"])) };
    model.put_role(PAYMENTS, bounded);
    let mut denied = allowing(&["*"]);
    denied.deny.push(on(&["bedrock:ApplyGuardrail"], "*"));
    model.put_role(PAYMENTS, role("Denied", denied));
    let path = "/aws-service-role/bedrock.amazonaws.com/".to_owned();
    model.put_role(PAYMENTS, Role { path, ..role("AWSServiceRoleForBedrock", allowing(&invoke)) });
    let user = User { name: "ann".to_owned(), permissions: allowing(&invoke), boundary: None };
    model.put_user(PAYMENTS, user);
}

async fn world() -> World {
    let world = World::of(&Document::default()).start().await;
    world.server.with(people);
    world
}

fn terminal(world: &World) -> Guardrailctl {
    Guardrailctl::of(world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
}

async fn callers(world: &World, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["callers"].iter().chain(arguments).copied().collect();
    terminal(world).run(&all).await
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

/// The verdict in one Region on each who isn't simply out of it, by the name at the end of its ARN.
fn verdicts(ran: &Ran, region: &str) -> Vec<String> {
    let told = object(ran);
    let principals = told["accounts"][0]["principals"].as_array().unwrap().iter();
    let verdicts = principals.map(|one| {
        let name = one["arn"].as_str().unwrap().rsplit('/').next().unwrap();
        format!("{name} {}", one["regions"][region]["verdict"].as_str().unwrap())
    });
    verdicts.filter(|verdict| !verdict.ends_with("no_caller")).collect()
}

const IN_EU: [&str; 8] = [
    "App breaks",
    "Bounded breaks",
    "Denied breaks",
    "Guarded fine",
    "Half fine",
    "OrganizationAccountAccessRole fine",
    "Picky breaks",
    "ann breaks",
];

#[tokio::test]
async fn those_who_would_lose_access_are_named_with_what_to_add() {
    let world = world().await;
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS]).await;
    expect_file!["golden/callers.txt"].assert_eq(&ran.to_string());
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn the_simulation_is_read_alike_whichever_side_it_judges_by() {
    for answer in [CrossAccountSimulation::BothSides, CrossAccountSimulation::Identity] {
        let world = World::of(&Document::default())
            .switches(|all| all.cross_account_simulation = answer)
            .start()
            .await;
        world.server.with(people);
        let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", EU, "--output", "json"]).await;
        assert_eq!(verdicts(&ran, EU), IN_EU, "{answer:?} {ran}");
    }
}

#[tokio::test]
async fn an_account_in_which_everybody_is_fine_ends_with_zero() {
    let world = World::of(&Document::default()).start().await;
    world.server.with(|model| model.put_role(PAYMENTS, role("Guarded", allowing(&["bedrock:*"]))));
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("0 would lose access to models, 0 not known"), "{ran}");
    // Nothing is wanted in the sandbox.
    let ran = callers(&world, &[PLAYGROUND, "--role", ACCESS]).await;
    let nothing = "300000000005 (Sandbox/playground): nothing is to be enforced there";
    assert_eq!((ran.code, ran.out.trim()), (0, nothing), "{ran}");
}

#[tokio::test]
async fn a_service_control_policy_counts() {
    let world = World::of(&Document::default())
        .world(|world| {
            world.service_control.push(ServiceControl {
                targets: vec![PAYMENTS.to_owned()],
                deny: vec!["bedrock:ApplyGuardrail".to_owned()],
                except: Vec::new(),
                regions: vec![EU.to_owned()],
            });
        })
        .start()
        .await;
    world.server.with(people);
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--output", "json"]).await;
    let told = object(&ran);
    let guarded = told["accounts"][0]["principals"].as_array().unwrap().iter();
    let guarded = guarded.clone().find(|one| one["arn"].as_str().unwrap().ends_with("/Guarded")).unwrap();
    assert_eq!(guarded["regions"][EU]["lacks"][0]["refusal"], "service_control", "{ran}");
    assert_eq!(guarded["regions"][US]["verdict"], "fine", "{ran}");
}

#[tokio::test]
async fn the_accounts_own_credentials_do_with_a_guardrail_given() {
    let world = world().await;
    let own = || Guardrailctl::of(&world).variable("AWS_ACCESS_KEY_ID", &format!("SIM{PAYMENTS}"));
    let ran = own().run(&["callers", PAYMENTS, "--guardrail", EU_GUARDRAIL, "--output", "json"]).await;
    assert_eq!(verdicts(&ran, EU), IN_EU, "{ran}");
    let asked: Vec<String> = world.server.calls().into_iter().map(|call| call.operation).collect();
    assert!(!asked.iter().any(|one| one == "AssumeRole" || one.starts_with("Describe")), "{asked:?}");
    let ran = own().run(&["callers", PAYMENTS, "--guardrail", EU_GUARDRAIL, "--region", US]).await;
    assert_eq!(ran.code, 2, "{ran}");
    // Somebody else's credentials need a role.
    let ran = callers(&world, &[PAYMENTS]).await;
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.err.contains("give --role NAME to check 300000000001"), "{ran}");
}

#[tokio::test]
async fn who_cannot_be_simulated_is_not_known() {
    let world = world().await;
    let app = format!("arn:aws:iam::{PAYMENTS}:role/App");
    let denied = || FaultKind::Denied { message: "User is not authorized.".to_owned() };
    world.server.fault(Fault::new(denied()).operation("SimulatePrincipalPolicy").about(&app));
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", EU, "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(verdicts(&ran, EU).contains(&"App unknown".to_owned()), "{ran}");
    for operation in ["ListRoles", "ListUsers"] {
        world.server.clear_faults();
        world.server.fault(Fault::new(denied()).operation(operation));
        let ran = callers(&world, &[PAYMENTS, "--role", ACCESS]).await;
        assert_eq!(ran.code, 1, "{ran}");
        let unknown =
            format!("300000000001 (Workload/payments): its roles and users can't be listed: {operation}: ");
        assert!(ran.out.contains(&unknown), "{ran}");
    }
    // Without the list of models, whoever may invoke all of them is found still, and that is said.
    world.server.clear_faults();
    world.server.fault(Fault::new(denied()).operation("ListFoundationModels"));
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", EU, "--output", "json"]).await;
    assert!(ran.out.contains("the models can't be listed"), "{ran}");
    let verdicts = verdicts(&ran, EU);
    assert!(verdicts.contains(&"App breaks".to_owned()) && !verdicts.contains(&"Picky breaks".to_owned()));
}

#[tokio::test]
async fn throttling_and_many_principals_are_gone_through() {
    let world = World::of(&Document::default()).start().await;
    world.server.with(|model| {
        for number in 0..230 {
            model.put_role(PAYMENTS, role(&format!("App{number:03}"), allowing(&["bedrock:InvokeModel"])));
        }
    });
    world.server.fault(Fault::new(FaultKind::Throttle).operation("SimulatePrincipalPolicy").nth(5));
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", EU, "--output", "json"]).await;
    let breaks = verdicts(&ran, EU).iter().filter(|one| one.ends_with("breaks")).count();
    assert_eq!(breaks, 230, "{}", ran.err);
    assert!(world.count("ListRoles") > 1);
}

#[tokio::test]
async fn a_copy_that_is_not_there_yet_is_any_guardrail_of_the_account() {
    let copying = Document { guardrail: vec!["placement: copy"], ..Document::default() };
    let world = World::of(&copying).start().await;
    world.server.with(|model| model.put_role(PAYMENTS, role("App", allowing(&["bedrock:InvokeModel"]))));
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--region", EU]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("arn:aws:bedrock:eu-west-1:300000000001:guardrail/*"), "{ran}");
    assert!(ran.out.contains("a copy that isn't there yet"), "{ran}");
    let ran = callers(&world, &["999999999999", "--role", ACCESS]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("999999999999: it is no member of this organization"), "{ran}");
}

#[tokio::test]
async fn whoever_may_not_decrypt_with_the_guardrails_key_would_lose_access_too() {
    const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555";
    let world = World::of(&Document { regions: EU, ..Document::default() })
        .world(|world| {
            for entry in world.guardrails.iter_mut().filter(|entry| entry.region == EU) {
                entry.content.kms_key_id = Some(KEY.to_owned());
            }
        })
        .start()
        .await;
    world.server.with(|model| {
        let mut both = allowing(&["bedrock:InvokeModel*", "bedrock:ApplyGuardrail"]);
        model.put_role(PAYMENTS, role("Guarded", both.clone()));
        both.allow.push(on(&["kms:Decrypt"], KEY));
        model.put_role(PAYMENTS, role("Decrypting", both));
    });
    let ran = callers(&world, &[PAYMENTS, "--role", ACCESS, "--output", "json"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    let found = verdicts(&ran, EU);
    let of = |name: &str| found.iter().find(|verdict| verdict.starts_with(name)).map(String::as_str);
    assert_eq!(of("Decrypting"), Some("Decrypting fine"), "{ran}");
    assert_eq!(of("Guarded"), Some("Guarded breaks"), "{ran}");
    let told = object(&ran);
    let guarded = told["accounts"][0]["principals"].as_array().unwrap().iter();
    let guarded = guarded.clone().find(|one| one["arn"].as_str().unwrap().ends_with("/Guarded")).unwrap();
    assert_eq!(guarded["add"][0]["Action"], "kms:Decrypt", "{ran}");
    assert_eq!(guarded["add"][0]["Resource"][0], KEY, "{ran}");
}
