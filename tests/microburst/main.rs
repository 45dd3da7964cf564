//! Faults from outside: microburst, a proxy that isn't ours, stands between the keeper and the simulator and
//! breaks calls in AWS's own words and envelopes, as botocore's models of the services have them.
//!
//! The scenarios are those of `tests/faults`, with the same judge: nothing wrong is written while it lasts, and
//! when it is over everything ends as wanted. `tests/microburst/run` starts the proxy and these tests.

mod control;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use control::Microburst;
use testkit::faults::scenario::Scenario;
use testkit::faults::stage::{self, MOST_TRIES_AMID_MANY, Stage};
use testkit::faults::world::World;
use testkit::figures_line::say_figures;
use testkit::histories::setting::Setting;

const SCENARIOS: [Scenario; 6] = [
    Scenario::Join,
    Scenario::NextVersion,
    Scenario::PolicyDeleted,
    Scenario::FirstCopy,
    Scenario::Release,
    Scenario::Offboarding,
];

/// How often the SDK tries a call.
const ATTEMPTS: u32 = 3;
const LONG: Duration = Duration::from_secs(60);
/// Less than a call is held.
const SHORT: Duration = Duration::from_millis(600);

/// How many writes may be told by nobody: their events are put on the bus by a call like any other.
const MOST_UNTOLD: usize = 4;

/// What the proxy does to calls, and how long the keeper waits for an answer.
struct Weather {
    name: &'static str,
    rules: Vec<Value>,
    longest: Duration,
    /// In how many of the scenarios at most only a sweep puts everything right, after it is over. What is denied is held
    /// until then. Everything else is made good by retries, the SDK's or those of the queues.
    most_swept: usize,
}

/// What the judge doesn't hold against the keeper, because of what was done to its calls: how often it was so, and how
/// often it may be.
struct Excuse {
    what: String,
    count: usize,
    most: usize,
}

/// The same for every service.
fn to_all(rule: &Value) -> Vec<Value> {
    let mut rule = rule.clone();
    rule["service"] = "*".into();
    vec![rule]
}

/// Each service says in its own word that it was called too often. Not SQS: microburst puts a prefix before its
/// codes that AWS has for some of them only, so that no SDK takes its `RequestThrottled` for what it is.
fn throttled(when: &Value) -> Vec<Value> {
    let words = [
        ("sts", "Throttling"),
        ("organizations", "TooManyRequestsException"),
        ("bedrock", "ThrottlingException"),
        ("ssm", "ThrottlingException"),
        ("events", "ThrottlingException"),
        ("dynamodb", "ProvisionedThroughputExceededException"),
    ];
    let rule = |(service, code)| {
        let mut rule = when.clone();
        rule["service"] = json!(service);
        rule["error"] = json!({ "code": code, "message": "Rate exceeded" });
        rule
    };
    words.into_iter().map(rule).collect()
}

/// What no SDK tries again ends after a few times: an event at which five invocations in a row fail is a dead
/// letter, and meant to be one.
fn weathers() -> Vec<Weather> {
    let weather =
        |name, rule: Value, most_swept| Weather { name, rules: to_all(&rule), longest: LONG, most_swept };
    let failed = json!({ "code": "InternalServerException", "status": 500 });
    let denied = json!({ "code": "AccessDeniedException" });
    let expired = json!({ "code": "ExpiredTokenException" });
    vec![
        Weather {
            name: "throttled",
            rules: throttled(&json!({ "sequence": { "fail": 1, "pass": 2 } })),
            longest: LONG,
            most_swept: 0,
        },
        Weather {
            name: "throttled for long",
            rules: throttled(&json!({ "sequence": { "fail": 5, "pass": 3 }, "times": 10 })),
            longest: LONG,
            most_swept: 0,
        },
        weather("5xx", json!({ "sequence": { "fail": 1, "pass": 2 }, "error": failed }), 0),
        weather("denied", json!({ "sequence": { "fail": 1, "pass": 6 }, "times": 4, "error": denied }), 2),
        weather("expired", json!({ "sequence": { "fail": 1, "pass": 6 }, "times": 4, "error": expired }), 0),
        weather("reset", json!({ "sequence": { "fail": 1, "pass": 2 }, "reset": true }), 0),
        weather(
            "answers cut",
            json!({ "sequence": { "fail": 1, "pass": 4 }, "times": 4, "response": { "abort_frac": 0.3 } }),
            0,
        ),
        weather(
            "answers cut to half",
            json!({ "sequence": { "fail": 1, "pass": 4 }, "times": 4, "response": { "truncate_frac": 0.5 } }),
            0,
        ),
        weather("slow", json!({ "latency": { "min": 1, "max": 30 } }), 0),
        Weather {
            name: "held",
            rules: to_all(&json!({ "times": 4, "sequence": { "fail": 1, "pass": 3 }, "timeout_ms": 3000 })),
            longest: SHORT,
            most_swept: 0,
        },
    ]
}

/// Every excuse, with its cap.
fn excuses(swept: &BTreeMap<&str, usize>, judged: &stage::Figures) -> Vec<Excuse> {
    let of_weathers = weathers().into_iter().map(|weather| Excuse {
        what: format!("{}: only a sweep puts it right", weather.name),
        count: swept.get(weather.name).copied().unwrap_or_default(),
        most: weather.most_swept,
    });
    let untold = Excuse {
        what: "a write is told by nobody".to_owned(),
        count: judged.untold.values().sum(),
        most: MOST_UNTOLD,
    };
    let tries = Excuse {
        what: "tries until an account was let go, at most".to_owned(),
        count: judged.most_tries,
        most: MOST_TRIES_AMID_MANY,
    };
    of_weathers.chain([untold, tries]).collect()
}

#[tokio::test]
async fn what_breaks_in_the_words_of_aws_is_survived() {
    let began = Instant::now();
    let microburst = Microburst::of_the_environment();
    let mut fired: BTreeMap<&str, u64> = BTreeMap::new();
    let mut swept: BTreeMap<&str, usize> = BTreeMap::new();
    let mut judged = stage::Figures::default();
    let (mut runs, mut calls) = (0, 0);
    for (seed, scenario) in (0..).zip(SCENARIOS) {
        let setting = Setting { attempts: ATTEMPTS, port: microburst.upstream, ..scenario.setting(seed) };
        let mut stage = Stage::set((scenario, World::Plain), setting).await.unwrap();
        stage.tell().await.unwrap();
        for weather in weathers() {
            let Weather { name, rules, longest, most_swept } = weather;
            microburst.rules(&rules).await;
            let stop = microburst.clear();
            let told = Box::pin(stage.tell_by_way_of(&microburst.url, longest, stop)).await;
            let (told, converged) = told.unwrap_or_else(|what| panic!("{name}: {what}"));
            let count = microburst.take_fired().await;
            assert!(count > 0, "{name}: {scenario:?} met no fault");
            assert!(converged || most_swept > 0, "{name}: {scenario:?} didn't converge in spite of it");
            *swept.entry(name).or_default() += usize::from(!converged);
            *fired.entry(name).or_default() += count;
            runs += 1;
            calls += told;
        }
        judged.add(stage.figures());
        stage.close().await;
    }
    let excuses = excuses(&swept, &judged);
    for Excuse { what, count, most } in &excuses {
        println!("excused: {count} (at most {most}): {what}");
    }
    let kinds: Vec<String> = fired.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!(
        "{} scenarios, {runs} runs, {calls} calls arrived, faults: {}; {:.0} seconds",
        SCENARIOS.len(),
        kinds.join(", "),
        began.elapsed().as_secs_f64()
    );
    let told = json!({
        "scenarios": SCENARIOS.len(),
        "kinds": fired.len(),
        "runs": runs,
        "calls": calls,
        "faults": fired.values().sum::<u64>(),
        "excused": excuses.iter().map(|excuse| (excuse.what.clone(), excuse.count)).collect::<BTreeMap<_, _>>(),
        "seconds": began.elapsed().as_secs(),
    });
    say_figures("microburst", &told);
    for Excuse { what, count, most } in excuses {
        assert!(count <= most, "{count} times, and {most} are allowed: {what}");
    }
}
