//! The rules of the templates, held against every sample and every event that the simulator emits.
//!
//! A rule that misses an event is silent: the change stays until the next sweep. So what the
//! trigger acts on has to get through the rules on the bus where it appears, to the hub's queue.

mod hearing;
mod life;
mod people;
mod placed;
mod samples;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::trigger::{Ignored, Rejected, Trigger};
use serde_json::{Value, json};

use crate::admitted::{BUS, KEEPER, ORGANIZATION, of_the_bus, sends};
use crate::pattern::Pattern;
use crate::policy::{Verdict, verdict};
use crate::template;

const MANAGEMENT: &str = "111111111111";
const OWNER: &str = "222222222222";
/// To whom the organization's policies are delegated.
const SECURITY: &str = "300000000002";
const PARAMETER: &str = "/guardrail-keeper/baseline";

/// How many places have rules.
const TEMPLATES: usize = 6;

/// What rules let through and the trigger then ignores, and why the rule doesn't know better.
const LET_THROUGH: &[(Ignored, &str)] = &[
    (
        Ignored::OwnWrite,
        "a pattern that trusted one description of the caller would hide tampering under its name",
    ),
    (Ignored::NotCreated, "the state lies in the detail, and one that isn't told is taken for success"),
    (Ignored::NotClosed, "as above"),
    (Ignored::NotEnrolled, "as above"),
    (Ignored::JoinFollows, "a pattern can't tell that no account is named anywhere"),
    (Ignored::NotOwner, "who owns the guardrails says the baseline, and copies may be in any account"),
    (Ignored::NotAGuardrail, "policies of other resources are rare"),
    (Ignored::GuardrailElsewhere, "a pattern can't compare two members"),
    (Ignored::InvalidAccount, "AWS writes 12 digits"),
    (Ignored::NoAccount, "a pattern can't tell that no account is named anywhere"),
    (Ignored::AccountsDisagree, "a pattern can't compare two members"),
    (Ignored::SourcesDisagree, "AWS doesn't write such an event"),
    (Ignored::ReadOnly, "AWS doesn't mark a write as reading"),
    (
        Ignored::OrganizationPolicy,
        "each event has the type of its policy in another place, and some don't have it at all",
    ),
];

/// An event, where it appears, and what the trigger makes of it.
#[derive(Clone, Debug)]
struct Case {
    /// What it is called in a failure.
    label: String,
    /// The account and Region of the bus.
    place: (String, String),
    event: Value,
    trigger: Trigger,
    /// Where it is acted on and no rule has to let it through: why not.
    excuse: Option<&'static str>,
}

/// Where the hub is.
#[derive(Clone, Debug)]
struct Hub {
    account: String,
    region: String,
}

/// A template's rules on one bus.
#[derive(Clone, Debug)]
struct Rules(BTreeMap<String, Rule>);

/// A rule's pattern, as it is written and as it is read.
#[derive(Clone, Debug)]
struct Rule {
    written: Value,
    read: Pattern,
}

impl Rule {
    fn of(written: Value) -> Rule {
        let read = Pattern::parse(&written).unwrap_or_else(|problem| panic!("{written}: {problem}"));
        Rule { written, read }
    }
}

/// Which bus of the account they are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bus {
    /// The one that every account has.
    Default,
    /// The hub's own, by the template.
    Hub,
}

/// Where a rule of the hub sends its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    TheFunction,
    People,
}

/// What the templates refer to where this is the hub.
fn given(hub: &str) -> BTreeMap<&'static str, &str> {
    BTreeMap::from([
        ("AWS::Partition", "aws"),
        ("AWS::AccountId", hub),
        ("BaselineParameterName", PARAMETER),
        ("OrganizationId", ORGANIZATION),
        ("ManagementAccountId", MANAGEMENT),
        ("OwnerAccountId", OWNER),
        ("HubOwnsGuardrails", if hub == OWNER { "true" } else { "false" }),
        ("SecurityAccountId", SECURITY),
        ("DelegatesPolicies", "true"),
        ("HasGuardrailKeys", "true"),
        ("WritesPolicies", "true"),
        ("GuardrailKeyArns", people::KEYS),
        ("NamesPolicies", "true"),
        ("NamesGuardrailsPolicy", "true"),
        ("KeeperPolicyId", people::OURS[0]),
        ("GuardrailsPolicyId", people::OURS[1]),
        ("ProtectsUnits", "true"),
        ("ProtectedUnitIds", people::UNITS),
        ("HearsOfKeys", if hub == OWNER { "false" } else { "true" }),
        // The samples' function has a name of its own.
        ("FunctionRoleName", "GuardrailKeeperFunction"),
        ("Bus.Arn", BUS),
        ("FunctionRole.Arn", KEEPER),
    ])
}

/// The rules of everything that is deployed.
#[derive(Clone, Debug)]
struct Deployed {
    /// `template.yaml`, on the hub's default bus.
    hub: Rules,
    /// `template.yaml`, on the bus that it makes.
    bus: Rules,
    /// Those of them that send what AWS tells to people.
    telling: Rules,
    telling_bus: Rules,
    /// Who may put what on that bus.
    admits: Vec<Value>,
    /// `deploy/management.yaml`, on the management account's bus.
    management: Rules,
    /// `deploy/member-rules.yaml`, on every account's bus.
    members: Rules,
    /// Whether everybody sends everything on, by rules that aren't ours.
    careless: bool,
}

impl Rules {
    fn of(path: &str, hub: &str, bus: Bus, to: To) -> Rules {
        let template = template::read(path);
        let given = given(hub);
        let resources = template["Resources"].as_object().unwrap().iter();
        let rules = resources.filter(|(_, resource)| resource["Type"] == "AWS::Events::Rule");
        let patterns = rules.filter_map(|(name, rule)| {
            let rule = &rule["Properties"];
            let on = match &rule["EventBusName"] {
                Value::Null => Bus::Default,
                name => {
                    assert_eq!(*name, json!({ "Ref": "Bus" }), "another bus");
                    Bus::Hub
                }
            };
            // One that tells people wakes nobody; what the keeper itself tells is no event of AWS's.
            let alarms = rule["Targets"][0]["Id"] == "alarms";
            let own = rule["EventPattern"]["source"][0] == "guardrail-keeper";
            let of_these = on == bus && alarms == (to == To::People) && !own;
            let pattern = of_these.then_some(&rule["EventPattern"])?;
            Some((name.clone(), Rule::of(template::resolved(pattern, &template, &given))))
        });
        Rules(patterns.collect())
    }

    /// The names of those that let an event through.
    fn through(&self, event: &Value) -> BTreeSet<&str> {
        self.0.iter().filter(|(_, rule)| rule.read.matches(event)).map(|(name, _)| name.as_str()).collect()
    }
}

impl Deployed {
    fn read(hub: &str) -> Deployed {
        Deployed {
            hub: Rules::of("template.yaml", hub, Bus::Default, To::TheFunction),
            bus: Rules::of("template.yaml", hub, Bus::Hub, To::TheFunction),
            telling: Rules::of("template.yaml", hub, Bus::Default, To::People),
            telling_bus: Rules::of("template.yaml", hub, Bus::Hub, To::People),
            admits: of_the_bus(&given(hub)),
            management: Rules::of("deploy/management.yaml", hub, Bus::Default, To::TheFunction),
            members: Rules::of("deploy/member-rules.yaml", hub, Bus::Default, To::TheFunction),
            careless: false,
        }
    }

    fn templates(&mut self) -> [(&'static str, &mut Rules); TEMPLATES] {
        [
            ("template.yaml", &mut self.hub),
            ("template.yaml, its bus", &mut self.bus),
            ("template.yaml, to people", &mut self.telling),
            ("template.yaml, from its bus to people", &mut self.telling_bus),
            ("deploy/management.yaml", &mut self.management),
            ("deploy/member-rules.yaml", &mut self.members),
        ]
    }

    /// The rules that send an event on from where it appears.
    fn sent_on_by(&self, account: &str, event: &Value) -> BTreeSet<&str> {
        let mut through = self.members.through(event);
        // Some of these rules are made in one account each.
        through.retain(|rule| match *rule {
            "DraftChanged" | "KeyChanged" => account == OWNER,
            "PolicyChanged" => account == SECURITY,
            _ => true,
        });
        if self.careless && event["source"].as_str().is_some_and(|source| source.starts_with("aws.")) {
            through.insert("a rule of their own");
        }
        if account == MANAGEMENT {
            through.extend(self.management.through(event));
        }
        through
    }

    /// Whether an event arrives on the hub's own bus: sent on by a rule of where it appears and taken
    /// by the bus, or put there by the hub itself, which AWS lets nobody do in its own name.
    fn arrives(&self, hub: &Hub, case: &Case) -> bool {
        let (account, source) = (&case.place.0, case.event["source"].as_str().unwrap_or_default());
        let taken = || verdict(&self.admits, &sends(account, ORGANIZATION, source)) == Verdict::Allowed;
        let put = *account == hub.account && !source.starts_with("aws.");
        // In the hub's own place its own rules hear what happens, and none sends it on.
        let elsewhere = case.place != (hub.account.clone(), hub.region.clone());
        put || (elsewhere
            && !self.sent_on_by(account, &case.event).is_empty()
            && (*account == hub.account || taken()))
    }

    /// Whether an event reaches the queue.
    fn delivers(&self, hub: &Hub, case: &Case) -> bool {
        let (account, region) = &case.place;
        let at_the_hub = (account, region) == (&hub.account, &hub.region);
        (at_the_hub && !self.hub.through(&case.event).is_empty())
            || (self.arrives(hub, case) && !self.bus.through(&case.event).is_empty())
    }

    /// Whether an event is sent to people.
    fn tells(&self, hub: &Hub, case: &Case) -> bool {
        let at_the_hub = case.place == (hub.account.clone(), hub.region.clone());
        (at_the_hub && !self.telling.through(&case.event).is_empty())
            || (self.arrives(hub, case) && !self.telling_bus.through(&case.event).is_empty())
    }

    /// What is wrong, one line each.
    fn problems(&self, hub: &Hub, cases: &[Case]) -> Vec<String> {
        let mut problems = Vec::new();
        for case in cases {
            let delivered = self.delivers(hub, case);
            let Case { label, place: (account, region), event: _, trigger, excuse } = case;
            let place = format!("{label} on the bus of {account} in {region}");
            let sent_on = self.sent_on_by(account, &case.event);
            let told = self.tells(hub, case);
            let on_the_bus =
                self.bus.through(&case.event).len() + self.telling_bus.through(&case.event).len();
            // The hub knows which policies and principals are meant, and those who send on don't.
            let received = self.arrives(hub, case) && (on_the_bus > 0 || people::may_concern(&case.event));
            match (people::concerns(hub, case), told) {
                (true, false) => problems.push(format!("nobody is told: {place} ({trigger})")),
                (false, true) => problems.push(format!("people are told for nothing: {place} ({trigger})")),
                (true, true) | (false, false) => {}
            }
            let at_the_hub = (account, region) == (&hub.account, &hub.region);
            if !sent_on.is_empty() && !received && !at_the_hub && !self.careless {
                problems.push(format!("sent on by {sent_on:?} and then let through by none: {place}"));
            }
            let wanted = match trigger {
                // Who sent a malformed request is told by the dead letters.
                Trigger::Reconcile(_)
                | Trigger::Departed { .. }
                | Trigger::BedrockPolicies { .. }
                | Trigger::Reject(Rejected::Request(_)) => true,
                Trigger::Ignore(_) | Trigger::Reject(_) => false,
            };
            let listed = match trigger {
                Trigger::Ignore(reason) => LET_THROUGH.iter().any(|(listed, _)| listed == reason),
                Trigger::Reconcile(_)
                | Trigger::Departed { .. }
                | Trigger::BedrockPolicies { .. }
                | Trigger::Reject(_) => false,
            };
            match (wanted, delivered, excuse) {
                (true, true, None) | (true, false, Some(_)) | (false, false, None) => {}
                (true, false, None) => problems.push(format!("missed: {place} ({trigger})")),
                (false, true, None) if listed => {}
                (false, true, None) => problems.push(format!("let through for nothing: {place} ({trigger})")),
                (_, _, Some(excuse)) => problems.push(format!("needs no excuse ({excuse}): {place}")),
            }
        }
        problems
    }
}

/// Everything that is held against the rules: each hub with what happens around it.
fn everything() -> Vec<(Hub, Vec<Case>)> {
    let hub = |account: &str, region: &str| Hub { account: account.to_owned(), region: region.to_owned() };
    let mut all: Vec<(Hub, Vec<Case>)> =
        [hub(MANAGEMENT, "us-east-1"), hub(MANAGEMENT, "eu-west-1"), hub("222222222222", "eu-west-1")]
            .into_iter()
            .map(|hub| {
                let cases = life::cases(&hub);
                (hub, cases)
            })
            .collect();
    all.extend(samples::cases());
    all.extend(people::cases());
    all
}

fn all_problems(deployed: &dyn Fn(&str) -> Deployed) -> Vec<String> {
    let everything = everything();
    everything.iter().flat_map(|(hub, cases)| deployed(&hub.account).problems(hub, cases)).collect()
}

#[test]
fn what_the_keeper_acts_on_gets_through_and_nothing_else_does() {
    let problems = all_problems(&Deployed::read);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Members may have rules of their own that send on whatever happens there.
#[test]
fn what_others_send_on_unasked_gets_no_further() {
    let careless = |hub: &str| Deployed { careless: true, ..Deployed::read(hub) };
    let problems = all_problems(&careless);
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn nothing_is_listed_that_is_not_let_through() {
    let mut seen = BTreeSet::new();
    for (hub, cases) in everything() {
        let deployed = Deployed::read(&hub.account);
        for case in cases {
            if let (Trigger::Ignore(reason), true) = (&case.trigger, deployed.delivers(&hub, &case)) {
                seen.insert(reason.code());
            }
        }
    }
    let listed: BTreeSet<&str> = LET_THROUGH.iter().map(|(reason, _)| reason.code()).collect();
    assert_eq!(listed, seen);
    assert!(LET_THROUGH.iter().all(|(_, why)| !why.is_empty()));
}

/// The places of all values in a pattern's lists, with the members on the way.
fn places(pattern: &Value) -> Vec<(String, usize)> {
    fn walk(value: &Value, path: &str, found: &mut Vec<(String, usize)>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| walk(value, &format!("{path}/{name}"), found));
            }
            Value::Array(items) => found.extend((0..items.len()).map(|index| (path.to_owned(), index))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    walk(pattern, "", &mut found);
    found
}

/// A rule without one value, and that value. An operator alone in its list goes with its member; a name
/// alone goes with its rule.
fn without(pattern: &Value, place: &str, index: usize) -> (Option<Rule>, Value) {
    let mut pattern = pattern.clone();
    let values = pattern.pointer_mut(place).unwrap().as_array_mut().unwrap();
    let removed = values.remove(index);
    if values.is_empty() {
        if !removed.is_object() {
            return (None, removed);
        }
        let (parent, member) = place.rsplit_once('/').unwrap();
        pattern.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member);
    }
    (Some(Rule::of(pattern)), removed)
}

/// Breaks every template in every place where a pattern names a value, one at a time: each such
/// break has to be noticed, or the tests above prove nothing about that value.
#[test]
fn a_pattern_without_any_one_of_its_values_is_noticed() {
    let everything = everything();
    let hubs: BTreeSet<&str> = everything.iter().map(|(hub, _)| hub.account.as_str()).collect();
    let known: BTreeMap<&str, Deployed> = hubs.into_iter().map(|hub| (hub, Deployed::read(hub))).collect();
    let whole = Deployed::read(MANAGEMENT);
    let clean = |(hub, cases): &(Hub, Vec<Case>)| known[hub.account.as_str()].problems(hub, cases).is_empty();
    assert!(everything.iter().all(clean), "a break could not be told from what is broken already");
    let mut broken = 0;
    for template in 0..TEMPLATES {
        let rules = whole.clone().templates()[template].1.0.clone();
        for (name, rule) in &rules {
            for (place, index) in places(&rule.written) {
                let (without, removed) = without(&rule.written, &place, index);
                let mut path = "";
                let noticed = everything.iter().flat_map(|it| [(it, false), (it, true)]).any(|it| {
                    let ((hub, cases), careless) = it;
                    let mut deployed = Deployed { careless, ..known[hub.account.as_str()].clone() };
                    let [.., (_, rules)] = &mut deployed.templates()[..=template] else { unreachable!() };
                    match &without {
                        Some(rule) => rules.0.insert(name.clone(), rule.clone()),
                        None => rules.0.remove(name),
                    };
                    path = deployed.templates()[template].0;
                    !deployed.problems(hub, cases).is_empty()
                });
                assert!(noticed, "{path}: {name} could do without {removed} in {place}");
                broken += 1;
            }
        }
    }
    assert!(broken > 50, "{broken}");
}

/// The name that peers are known to misspell.
#[test]
fn a_misspelt_name_is_noticed() {
    let problems = all_problems(&|hub| {
        let mut deployed = Deployed::read(hub);
        for (_, rules) in deployed.templates() {
            for rule in rules.0.values_mut() {
                let text = rule.written.to_string().replace("CreateAccountResult", "CreateAccountResults");
                *rule = Rule::of(serde_json::from_str(&text).unwrap());
            }
        }
        deployed
    });
    let about_creation = |problem: &str| {
        ["the account was created", "the event doesn't name it"].iter().any(|why| problem.contains(why))
    };
    let missed: Vec<&String> = problems.iter().filter(|problem| problem.starts_with("missed: ")).collect();
    assert!(missed.len() > 4 && missed.iter().all(|problem| about_creation(problem)), "{problems:#?}");
}

/// The rules that let some sample of an event through: in `template.yaml`, on either bus, and in `deploy`.
pub(crate) fn of_event(source: &str, name: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let deployed = Deployed::read(MANAGEMENT);
    let (mut hub, mut deploy) = (BTreeSet::new(), BTreeSet::new());
    for (file, text) in crate::samples() {
        if file.matches('/').count() > 1 {
            continue;
        }
        let event: Value = serde_json::from_str(&text).unwrap();
        let own = event["detail"]["eventName"].as_str().or(event["detail-type"].as_str());
        if event["source"] == source && (name == "any" || own == Some(name)) {
            let named = |names: BTreeSet<&str>, file: &str| -> Vec<String> {
                names.into_iter().map(|name| format!("{file}{name}")).collect()
            };
            hub.extend(named(deployed.hub.through(&event), ""));
            hub.extend(named(deployed.bus.through(&event), ""));
            hub.extend(named(deployed.telling.through(&event), ""));
            hub.extend(named(deployed.telling_bus.through(&event), ""));
            deploy.extend(named(deployed.management.through(&event), "management.yaml: "));
            deploy.extend(named(deployed.members.through(&event), "member-rules.yaml: "));
        }
    }
    (hub, deploy)
}
