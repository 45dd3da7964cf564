//! A fault at every write of a Bedrock policy, in each scenario of the organization's level. At no moment may a call of a
//! model break that worked, or an account be unguarded that was guarded and is to be. At the end everything is carried out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use guardrail_keeper::handler::handle;
use simulator::{AccountState, Call, Fault, FaultKind, Model, Origin, UpdateOrganizationPolicy};

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, OURS, document, id_of, managed, policy_text, swept};
use testkit::world::{Document, EU, HUB, OWNER, PLAYGROUND, SANDBOX, US, WORKLOAD, World, schedule};

const WRITES: [&str; 5] = ["CreatePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy", "DeletePolicy"];

/// What somebody does in the management account.
type Act = fn(&mut Model, &simulator::Caller, &str);

struct Scenario {
    name: &'static str,
    before: Option<Document>,
    act: Option<Act>,
    after: Document,
    /// Whether whoever is guarded before is guarded at every moment.
    keeps: bool,
    /// Who is guarded at the end, and by which version.
    ends: fn(account: &str) -> Option<u32>,
}

fn everybody(_: &str) -> Option<u32> {
    Some(2)
}

fn nobody(_: &str) -> Option<u32> {
    None
}

fn root() -> Document {
    document(&[(ROOT, CORPORATE)])
}

fn scenarios() -> Vec<Scenario> {
    let drift = |name, act| Scenario {
        name,
        before: Some(root()),
        act: Some(act),
        after: root(),
        keeps: false,
        ends: everybody,
    };
    let change = |name, before, after, ends: fn(&str) -> Option<u32>| Scenario {
        name,
        before: Some(before),
        act: None,
        after,
        keeps: true,
        ends,
    };
    let units =
        || document(&[(WORKLOAD, CORPORATE), (SANDBOX, CORPORATE), (HUB, CORPORATE), (OWNER, CORPORATE)]);
    vec![
        Scenario {
            name: "the first attachment",
            before: None,
            act: None,
            after: root(),
            keeps: true,
            ends: everybody,
        },
        change("the next version", Document { version: 1, ..root() }, root(), everybody),
        change("from the root to the OUs", root(), units(), everybody),
        change("from the OUs to the root", units(), root(), everybody),
        change("one OU less", root(), document(&[(WORKLOAD, CORPORATE)]), |account| {
            (![HUB, OWNER, PLAYGROUND].contains(&account)).then_some(2)
        }),
        Scenario {
            keeps: false,
            ..change("no assignment any more", root(), document(&[(ROOT, "none")]), nobody)
        },
        drift("detached", |model, caller, id| model.detach_policy(caller, id, ROOT).unwrap()),
        drift("changed", |model, caller, id| {
            let wanted = UpdateOrganizationPolicy {
                content: Some(policy_text(1)),
                ..UpdateOrganizationPolicy::default()
            };
            model.update_policy(caller, id, wanted).unwrap();
        }),
        drift("deleted", |model, caller, id| {
            model.detach_policy(caller, id, ROOT).unwrap();
            model.delete_policy(caller, id).unwrap();
        }),
        drift("attached elsewhere", |model, caller, id| model.attach_policy(caller, id, WORKLOAD).unwrap()),
    ]
}

/// How a call fails.
#[derive(Clone, Copy, Debug)]
enum Strike {
    /// AWS denies it, once.
    Denied,
    /// It isn't carried out, and no attempt is answered.
    Unanswered,
    /// It is carried out, and no attempt is answered.
    AnswerLost,
    /// The process ends before it is carried out.
    EndsBefore,
    /// The process ends right after it was carried out.
    EndsAfter,
}

const STRIKES: [Strike; 5] =
    [Strike::Denied, Strike::Unanswered, Strike::AnswerLost, Strike::EndsBefore, Strike::EndsAfter];

/// How many attempts one call of the keeper's has here.
const ATTEMPTS: u32 = 3;

impl Strike {
    fn at(self, operation: &str, number: u32) -> Fault {
        let fault = |kind| Fault::new(kind).operation(operation).nth(number);
        match self {
            Strike::Denied => {
                fault(FaultKind::Denied { message: "You don't have permissions.".to_owned() }).times(1)
            }
            Strike::Unanswered => fault(FaultKind::Reset).times(ATTEMPTS),
            Strike::AnswerLost => fault(FaultKind::Reset).times(ATTEMPTS).after_carrying_out(),
            Strike::EndsBefore => fault(FaultKind::Crash).times(1),
            Strike::EndsAfter => fault(FaultKind::Crash).times(1).after_carrying_out(),
        }
    }
}

/// What was wrong at some moment.
type Wrongs = Arc<Mutex<Vec<String>>>;

/// What a caller in an account meets: whether the organization's guardrail acts, or what its call fails with.
fn met(model: &mut Model, account: &str, region: &str) -> Result<bool, String> {
    let caller = format!("arn:aws:iam::{account}:root");
    let reply = model.converse(&caller, account, region, "amazon.nova-pro-v1:0", "Hello.");
    let reply = reply.map_err(|error| format!("{error:?}"))?;
    let mut origins = reply.assessments.iter().flat_map(|(applied, ..)| &applied.origins);
    Ok(origins.any(|origin| *origin == Origin::OrganizationEnforced))
}

fn places(model: &Model) -> Vec<(String, &'static str)> {
    let active = model.members().filter(|account| account.state == AccountState::Active);
    active.flat_map(|account| [US, EU].map(|region| (account.id.clone(), region))).collect()
}

/// Judges every moment right after a write.
fn watch(world: &World, must: BTreeSet<(String, &'static str)>) -> Wrongs {
    let wrongs = Wrongs::default();
    let told = Arc::clone(&wrongs);
    world.server.watch(move |call: &Call, model: &mut Model| {
        if call.service != "organizations" || !call.write {
            return;
        }
        for (account, region) in places(model) {
            let wrong = match met(model, &account, region) {
                Err(error) => format!("calls of {account}/{region} break: {error}"),
                Ok(false) if must.contains(&(account.clone(), region)) => {
                    format!("{account}/{region} is unguarded")
                }
                Ok(_) => continue,
            };
            told.lock().unwrap().push(format!("after {} {:?}: {wrong}", call.operation, call.target));
        }
    });
    wrongs
}

/// Does what happens once more, as a schedule or an event would have it; with a fault the process may end.
async fn work(world: &World, keeper: Option<&guardrail_keeper::engine::Keeper>) {
    let event = schedule().to_string();
    let crashed = world.server.crashed();
    let keeper = keeper.unwrap_or(&world.keeper);
    tokio::select! {
        biased;
        () = crashed => {}
        _ = handle(keeper, &event) => {}
    }
}

/// Tells a scenario, with a fault or without. Returns how often each operation was called that writes.
async fn tell(scenario: &Scenario, fault: Option<(Strike, &str, u32)>) -> Vec<(&'static str, u32)> {
    let name = format!("{}, {fault:?}", scenario.name);
    let first = scenario.before.as_ref().unwrap_or(&scenario.after);
    let world = managed(first).hurried().start().await;
    if scenario.before.is_some() {
        assert_eq!(swept(&world).await["confirmed"], true, "{name}");
    }
    let before: BTreeSet<(String, &str)> = world.server.with(|model| {
        let places = places(model).into_iter();
        places.filter(|(account, region)| met(model, account, region) == Ok(true)).collect()
    });
    let must = before.into_iter().filter(|(account, _)| scenario.keeps && (scenario.ends)(account).is_some());
    let wrongs = watch(&world, must.collect());
    if let Some(act) = scenario.act {
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:user/somebody"), US).unwrap();
            let id = id_of(model, OURS);
            act(model, &caller, &id);
        });
    }
    if first.text() != scenario.after.text() {
        world.publish(&scenario.after);
        world.approve().await;
    }
    world.server.clear_calls();
    if let Some((strike, operation, number)) = fault {
        world.server.fault(strike.at(operation, number));
    }
    work(&world, None).await;
    let calls = world.server.calls();
    world.server.clear_faults();
    // Later runs are other processes, without the memory of the first.
    let keeper = world.another_keeper().await;
    for _ in 0..3 {
        work(&world, Some(&keeper)).await;
    }
    let wrongs = wrongs.lock().unwrap().clone();
    assert_eq!(wrongs, [""; 0], "{name}");
    for (account, region) in world.server.with(|model| places(model)) {
        let wanted = (scenario.ends)(&account).map(|version| format!("{}base1a2b3c:{version}", &region[..2]));
        assert_eq!(
            crate::organization_level::given(&world, &account, region),
            wanted,
            "{name}: {account}/{region}"
        );
    }
    world.server.clear_calls();
    work(&world, Some(&keeper)).await;
    assert_eq!(world.writes(), [""; 0], "{name}: something is left to be written");
    WRITES
        .map(|operation| {
            let made = calls.iter().filter(|call| call.operation == operation).count();
            (operation, u32::try_from(made).unwrap())
        })
        .to_vec()
}

async fn with_every_fault(numbers: impl IntoIterator<Item = usize>) {
    let scenarios = scenarios();
    let mut told = 0;
    for number in numbers {
        let scenario = &scenarios[number];
        let writes = tell(scenario, None).await;
        assert!(writes.iter().any(|(_, made)| *made > 0), "{} writes nothing", scenario.name);
        for (operation, made) in writes {
            for nth in 1..=made {
                for strike in STRIKES {
                    tell(scenario, Some((strike, operation, nth))).await;
                    told += 1;
                }
            }
        }
    }
    println!("{told} faults struck writes of Bedrock policies");
}

#[tokio::test]
async fn a_fault_at_any_write_of_the_first_policy_breaks_nothing() {
    with_every_fault([0]).await;
}

#[tokio::test]
async fn a_fault_at_any_write_of_a_change_breaks_nothing_and_unguards_nobody() {
    with_every_fault(1..6).await;
}

#[tokio::test]
async fn a_fault_at_any_write_of_a_repair_breaks_nothing() {
    with_every_fault(6..10).await;
}
