//! What the documents say of ways back, done as it is written: commands and steps are read out of them, so
//! that neither can change without the other.

use simulator::{Invocation, Permissions, Piece, Role, ServiceControl, Trust};

use crate::reading::with_readers;
use testkit::program::{Guardrailctl, Ran};
use testkit::stack::{Stack, events_queue, tasks_queue};
use testkit::whole::allowing;
use testkit::world::{
    Document, EU, HUB, OWNER, PARAMETER, PAYMENTS, REGIONS, SHIPPING, Setup, World, guardrail, repository,
    version,
};

const ROOT: &str = "r-exam";

/// A document of ours.
fn document(name: &str) -> String {
    std::fs::read_to_string(repository("docs").join(name)).unwrap()
}

/// What stands under a heading.
fn section(name: &str, heading: &str) -> String {
    let text = document(name);
    let begin = format!("\n## {heading}\n");
    let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{name} has no {heading:?}"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section).to_owned()
}

/// The blocks of code in a language, without what indents them.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == fence {
            let depth = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            blocks
                .push(block.map(|line| line.get(depth..).unwrap_or_default()).collect::<Vec<_>>().join("\n"));
        }
    }
    blocks
}

/// The commands of a text, one a line, without what is said of them.
fn commands(text: &str) -> Vec<String> {
    let lines: Vec<String> = blocks(text, "console")
        .iter()
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let commands = lines.iter().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned()).collect()
}

/// A deployed keeper and a terminal beside it, in which commands are typed as they are written.
struct Deployed {
    stack: Stack,
    /// What the last push called its baseline.
    revision: String,
}

impl Deployed {
    async fn guarded(document: &Document) -> Deployed {
        // What grants there are, the keeper makes.
        let setup: Setup = World::of(document).durable().long_established().world(|world| {
            world.guardrails.iter_mut().for_each(|guardrail| guardrail.share_with_organization = false);
        });
        let stack = Stack::guarded(with_readers(setup, HUB)).await;
        Deployed { stack, revision: String::new() }
    }

    fn world(&self) -> &World {
        &self.stack.world
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.world().folder().join(name), text).unwrap();
    }

    /// Types a command, says yes to what it asks, and lets everything happen that follows from it.
    async fn types(&mut self, command: &str) -> Ran {
        let command = command.replace("REVISION", &self.revision);
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["guardrailctl", arguments @ ..] = words.as_slice() else {
            panic!("{command:?} is none of ours")
        };
        let server = &self.world().server;
        let ctl = Guardrailctl::of(self.world())
            .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
            .variable("KEEPER_LEDGER", "file:ledger.json")
            .variable("KEEPER_EVENTS_QUEUE", &server.queue_url(&events_queue()))
            .variable("KEEPER_TASKS_QUEUE", &server.queue_url(&tasks_queue()));
        let ran = ctl.start_at_a_terminal(arguments, "y\n").end().await;
        if arguments[0] == "push" {
            let (_, revision) = ran.out.split_once(" holds baseline ").unwrap_or_else(|| panic!("{ran}"));
            self.revision = revision.chars().take_while(char::is_ascii_alphanumeric).collect();
            let event = self.world().event("Parameter Store Change");
            self.stack.send(&event);
        }
        self.stack.settle().await;
        ran
    }

    async fn sweep(&mut self) {
        let schedule = self.stack.schedule();
        self.stack.deliver(&schedule).await;
    }
}

fn app() -> Role {
    let trust = Trust { principals: vec!["lambda.amazonaws.com".to_owned()], ..Trust::default() };
    let permissions: Permissions = allowing(&["bedrock:InvokeModel"]);
    Role { name: "App".to_owned(), trust, permissions, ..Role::default() }
}

/// Calls a model as an application of the account does.
fn call(world: &World, account: &str) -> Result<(), String> {
    let piece = Piece { text: "What is the capital of France?".to_owned(), tagged: false };
    let invocation = Invocation {
        model: "amazon.nova-pro-v1:0".to_owned(),
        messages: vec![piece],
        ..Invocation::default()
    };
    let answered = world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{account}:role/App"), EU)?;
        model.invoke(&caller, &invocation)
    });
    answered.map(drop).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn the_way_back_for_callers_who_lost_access_works_as_it_is_written() {
    let recipe = section("runbook.md", "When callers lost access");
    let [addition] = &blocks(&recipe, "yaml")[..] else { panic!("one change of the baseline: {recipe}") };
    // Three Regions are released: more than its limits allow.
    let baseline = Document { rest: vec!["limits: { max_releases: 2 }"], ..Document::default() };
    let mut deployed = Deployed::guarded(&baseline).await;
    for account in [PAYMENTS, SHIPPING] {
        deployed.world().server.with(|model| model.put_role(account, app()));
        let refused = call(deployed.world(), account).unwrap_err();
        assert!(refused.contains("bedrock:ApplyGuardrail"), "the enforcement broke it: {refused}");
    }
    deployed.write("baseline.yaml", &baseline.text());
    let without = baseline.text().replace("assignments:\n", &format!("assignments:\n{addition}\n"));
    assert_ne!(without, baseline.text());
    deployed.write("way-back.yaml", &without);

    let mut ran = Vec::new();
    for command in commands(&recipe) {
        if command.contains("--baseline") {
            // Who owns the application has added the statement by now.
            let cured = allowing(&["bedrock:InvokeModel", "bedrock:ApplyGuardrail"]);
            let role = Role { permissions: cured, ..app() };
            deployed.world().server.with(|model| model.put_role(PAYMENTS, role));
        }
        let came_of_it = deployed.types(&command).await;
        let guarded = deployed.world().enforced_in(PAYMENTS).contains(":2");
        ran.push((command, came_of_it, call(deployed.world(), PAYMENTS).is_ok(), guarded));
    }
    let told: Vec<String> = ran
        .iter()
        .map(|(command, ran, calls, guarded)| {
            let calls = if *calls { "calls work" } else { "calls fail" };
            let guarded = if *guarded { "guarded" } else { "unguarded" };
            format!("{command}: exit {}, {calls}, {guarded}", ran.code)
        })
        .collect();
    testkit::world::check(
        &told.join("\n"),
        expect_test::expect![[r#"
            guardrailctl callers 300000000001 --role GuardrailKeeperReader: exit 1, calls fail, guarded
            guardrailctl push --no-plan way-back.yaml: exit 1, calls fail, guarded
            guardrailctl approve REVISION: exit 0, calls fail, guarded
            guardrailctl status --account 300000000001: exit 1, calls fail, guarded
            guardrailctl callers 300000000001 --role GuardrailKeeperReader --baseline baseline.yaml: exit 0, calls work, guarded
            guardrailctl push --no-plan baseline.yaml: exit 0, calls work, guarded"#]],
    );
    assert!(ran[0].1.out.contains("breaks   arn:aws:iam::300000000001:role/App"), "{}", ran[0].1);
    assert!(call(deployed.world(), SHIPPING).is_err(), "nobody else was let go");
}

/// The steps of a numbered list: what is in bold, and all of it.
fn steps(text: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let numbered = line.split_once(". **").filter(|(number, _)| number.parse::<u8>().is_ok());
        if let Some((_, rest)) = numbered {
            let (title, _) = rest.split_once("**").expect("the bold ends");
            steps.push((title.trim_end_matches(['.', ':']).to_owned(), String::new()));
        }
        if let Some((_, step)) = steps.last_mut() {
            step.push_str(line);
            step.push('\n');
        }
    }
    steps
}

/// The service control policies, as far as they are about what the simulator has: Bedrock, and no tags.
fn protection() -> Vec<ServiceControl> {
    ["deploy/protect-keeper.scp.json", "deploy/protect-guardrails.scp.json"]
        .into_iter()
        .flat_map(statements)
        .filter_map(|statement| about_bedrock(&statement))
        .collect()
}

fn statements(path: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(repository(path)).unwrap();
    let text = text.replace("HUB_ACCOUNT_ID", HUB).replace("OWNER_ACCOUNT_ID", OWNER);
    // The simulator's function has a name of its own.
    let text = text.replace(":role/GuardrailKeeper\"", ":role/GuardrailKeeperFunction\"");
    let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

fn about_bedrock(statement: &serde_json::Value) -> Option<ServiceControl> {
    let texts = |value: &serde_json::Value| -> Vec<String> {
        match value {
            serde_json::Value::Array(items) => {
                items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
            }
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        }
    };
    let actions = texts(&statement["Action"]);
    let resources = texts(&statement["Resource"]);
    let condition = &statement["Condition"];
    let owner = resources.iter().all(|resource| resource.contains(OWNER))
        || condition["StringEquals"]["aws:PrincipalAccount"] == OWNER;
    let target = match owner {
        _ if !actions.iter().all(|action| action.starts_with("bedrock:")) => return None,
        true => OWNER,
        false if resources == ["*"] => ROOT,
        false => return None,
    };
    Some(ServiceControl {
        targets: vec![target.to_owned()],
        deny: actions,
        except: texts(&condition["ArnNotLike"]["aws:PrincipalArn"]),
        regions: Vec::new(),
    })
}

/// Releases by hand, as the administrator of the account does.
fn release_by_hand(world: &World, account: &str, region: &str) -> Result<(), String> {
    let administrator = format!("arn:aws:iam::{account}:root");
    let released = world.server.with(|model| model.delete_enforcement_as(&administrator, account, region));
    released.map_err(|error| format!("{error:?}"))
}

fn enforced_anywhere(world: &World) -> Vec<String> {
    let accounts = [HUB, OWNER, PAYMENTS, SHIPPING, "300000000003", "300000000004", "300000000005"];
    let rows = accounts.map(|account| world.enforced_in(account));
    rows.into_iter().filter(|row| row.split_whitespace().any(|cell| cell != "-")).collect()
}

/// The Regions in which the owner's guardrail is granted to anybody.
fn granted(world: &World) -> Vec<&'static str> {
    let is_granted =
        |region: &&str| world.server.with(|model| model.resource_policy(&guardrail(region))).is_some();
    REGIONS.into_iter().filter(is_granted).collect()
}

#[tokio::test]
async fn everything_is_taken_away_in_the_order_that_is_written() {
    let removing = section("deploy.md", "Removing it");
    let mut deployed = Deployed::guarded(&Document::default()).await;
    deployed.world().server.with(|model| model.organization.service_control = protection());
    let denied = release_by_hand(deployed.world(), SHIPPING, EU).unwrap_err();
    assert!(denied.contains("service control policy"), "{denied}");
    let [none] = &blocks(&removing, "yaml")[..] else { panic!("one baseline: {removing}") };
    let none = none.replace("ORGANIZATION_ID", "o-exampleorgid");
    let none = none.replace("OWNER_ACCOUNT_ID", OWNER).replace("ROOT_ID", ROOT);
    deployed.write("remove.yaml", &none);
    assert!(none.contains("mode: sync"), "{none}");
    deployed.write("stop.yaml", &none.replace("mode: sync", "mode: audit"));

    let mut done = Vec::new();
    for (title, step) in steps(&removing) {
        match title.as_str() {
            "Release everything" => {}
            "Wait for two sweeps, and look" => {
                deployed.sweep().await;
                deployed.sweep().await;
                // What is held needs its grant still.
                assert_eq!(granted(deployed.world()), [EU]);
            }
            "Detach the service control policies" => {
                deployed.world().server.with(|model| model.organization.service_control.clear());
            }
            "Release by hand what is held" => {
                release_by_hand(deployed.world(), PAYMENTS, EU).unwrap();
                deployed.sweep().await;
                assert_eq!(granted(deployed.world()), [""; 0]);
            }
            // What follows takes away who could still release something.
            "Stop the keeper"
            | "Delete the stacks in the management account"
            | "Delete the stacks in the hub" => {
                assert_eq!(enforced_anywhere(deployed.world()), [""; 0], "before {title}");
                let attached = deployed.world().server.with(|model| model.organization.service_control.len());
                assert_eq!(attached, 0, "it would be in the way of {title}");
            }
            "What stays" => {}
            other => panic!("what is done in the step {other:?}?"),
        }
        for command in commands(&step).iter().filter(|command| command.starts_with("guardrailctl ")) {
            let ran = deployed.types(command).await;
            if command.starts_with("guardrailctl push") && title == "Release everything" {
                // Somebody changes one while nobody protects it: the keeper won't release that.
                let attached = |policies| {
                    deployed.world().server.with(|model| model.organization.service_control = policies);
                };
                attached(Vec::new());
                deployed.world().administrator_enforces(PAYMENTS, EU, version(EU, "1"));
                attached(protection());
            }
            done.push(format!("  {command}: exit {}", ran.code));
        }
        done.push(format!("{title}: {} enforced", enforced_anywhere(deployed.world()).len()));
    }
    testkit::world::check(
        &done.join("\n"),
        expect_test::expect![[r#"
              guardrailctl push --no-plan remove.yaml: exit 1
              guardrailctl approve REVISION: exit 0
            Release everything: 6 enforced
              guardrailctl status: exit 1
            Wait for two sweeps, and look: 1 enforced
            Detach the service control policies: 1 enforced
              guardrailctl status: exit 0
            Release by hand what is held: 0 enforced
              guardrailctl push --no-plan stop.yaml: exit 0
            Stop the keeper: 0 enforced
            Delete the stacks in the management account: 0 enforced
            Delete the stacks in the hub: 0 enforced
            What stays: 0 enforced"#]],
    );
}

#[tokio::test]
async fn an_earlier_file_releases_nothing_that_a_later_one_enforced() {
    let earlier = Document { assignments: vec![(PAYMENTS, "corporate")], regions: EU, ..Document::default() };
    let later =
        Document { assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")], ..earlier.clone() };
    let mut deployed = Deployed::guarded(&later).await;
    deployed.write("earlier.yaml", &earlier.text());
    let ran = deployed.types("guardrailctl push --no-plan earlier.yaml").await;
    assert_eq!(ran.code, 0, "{ran}");
    deployed.sweep().await;
    let enforced = enforced_anywhere(deployed.world());
    assert_eq!(enforced.len(), 2, "what the earlier file doesn't name is left as it is: {enforced:?}");
    let none = Document { assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "none")], ..earlier };
    deployed.write("none.yaml", &none.text());
    deployed.types("guardrailctl push --no-plan none.yaml").await;
    let enforced = enforced_anywhere(deployed.world());
    assert_eq!(enforced.len(), 1, "`none` releases: {enforced:?}");
}
