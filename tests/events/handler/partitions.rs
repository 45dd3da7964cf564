//! Other partitions than `aws`, as far as events show them: their own ARNs, Regions and wording.
//!
//! The simulator knows the partition `aws` only, so what is shown here ends where AWS is called:
//! that each event is decided alike by the function's own context, and answered.

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::engine;
use guardrail_keeper::trigger::line;
use jiff::Timestamp;
use serde_json::Value;

use super::{BASELINE, Scene, batch, failures, record};
use crate::samples;
use guardrail_keeper::handler::handle;
use guardrail_keeper::trigger::decide;

/// The samples of each partition, with the function's role there.
const PARTITIONS: &[(&str, &[&str])] = &[
    ("aws-us-gov", &["events/gov-cloud-"]),
    ("aws-cn", &["events/china-"]),
    ("aws-eusc", &["events/sovereign-"]),
    ("aws", &["events/unknown-region-"]),
];

#[tokio::test]
async fn each_is_decided_by_the_functions_own_context_as_written() {
    let expected = include_str!("../../../events/expected.jsonl");
    let expected: Vec<Value> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let baseline = Baseline::parse(BASELINE).unwrap();
    for (partition, prefixes) in PARTITIONS {
        let scene =
            Scene::start_as(&format!("arn:{partition}:iam::111111111111:role/GuardrailKeeperFunction")).await;
        let context = engine::context(&scene.keeper, Some(&baseline), Timestamp::now());
        let of_partition = |file: &String| prefixes.iter().any(|prefix| file.starts_with(prefix));
        let texts: Vec<(String, String)> =
            samples().into_iter().filter(|(file, _)| of_partition(file)).collect();
        assert!(!texts.is_empty(), "{partition} has no samples");
        for (file, text) in &texts {
            let decided = serde_json::to_value(line(file, None, &decide(text, &context))).unwrap();
            assert!(expected.contains(&decided), "{decided}");
            let answer = handle(&scene.keeper, text).await.unwrap();
            assert_eq!(answer["outcome"], decided["outcome"], "{file}");
        }
        let records = texts.iter().map(|(file, text)| record(file, text));
        assert_eq!(failures(&scene.handle(&batch(records)).await.unwrap()), Vec::<&str>::new());
    }
}
