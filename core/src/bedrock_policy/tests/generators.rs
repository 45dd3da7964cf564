//! Random documents, ours and others'.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

pub(super) const REGIONS: &[&str] = &["eu-west-1", "us-east-1", "us-west-2"];
const MODELS: &[&str] = &["amazon.nova-pro-v1:0", "anthropic.claude-x", "meta.llama-1"];

prop_compose! {
    fn any_enforcement(region: &'static str)(
        version in 1_u32..4,
        include in prop::option::of(subsequence(MODELS, 1..=2)),
        exclude in subsequence(MODELS, 0..=2),
        selective in any::<(bool, bool)>(),
    ) -> Enforcement {
        let guarding = |selective| match selective {
            true => ContentGuarding::Selective,
            false => ContentGuarding::Comprehensive,
        };
        Enforcement {
            models: Models {
                include: include.map_or(Included::All, |list| Included::Only(models(&list))),
                exclude: models(&exclude),
            },
            guarding: Guarding { system: guarding(selective.0), messages: guarding(selective.1) },
            ..enforcement(region, version)
        }
    }
}

pub(super) fn own_document() -> impl Strategy<Value = OwnDocument> {
    let regions: Vec<_> = REGIONS
        .iter()
        .map(|name| prop::option::of(any_enforcement(name)).prop_map(|it| it.map(|it| (region(name), it))))
        .collect();
    regions.prop_map(|regions| OwnDocument { regions: regions.into_iter().flatten().collect() })
}

fn operators(is_list: bool) -> impl Strategy<Value = String> {
    let control = prop_oneof![
        2 => Just(None),
        1 => Just(Some(r#"["@@none"]"#)),
        1 => Just(Some(r#"["@@append","@@remove"]"#)),
        1 => Just(Some(r#"["@@assign"]"#)),
        1 => Just(Some(r#"["@@all"]"#)),
    ];
    let list = || subsequence(&["ALL", "amazon.nova-pro-v1:0", "x.y"][..], 0..=2);
    let optional = |list| prop::option::weighted(0.4, list);
    (control, prop::option::weighted(0.8, 1_u32..4), list(), optional(list()), optional(list())).prop_map(
        move |(control, version, list, append, remove)| {
            let mut members = Vec::new();
            match version {
                Some(_) if is_list => members.push(format!(r#""@@assign":{}"#, serde_json::json!(list))),
                Some(version) => members.push(format!(r#""@@assign":"VALUE{version}""#)),
                None => {}
            }
            if is_list {
                let lists = [("@@append", append), ("@@remove", remove)];
                let lists = lists.into_iter().filter_map(|(operator, list)| Some((operator, list?)));
                members.extend(
                    lists.map(|(operator, list)| format!(r#""{operator}":{}"#, serde_json::json!(list))),
                );
            }
            members.extend(
                control.map(|control| format!(r#""@@operators_allowed_for_child_policies":{control}"#)),
            );
            format!("{{{}}}", members.join(","))
        },
    )
}

fn leaf() -> impl Strategy<Value = String> {
    let setting = select(
        &[
            "identifier",
            "identifier",
            "identifier",
            "selective_content_guarding/system",
            "selective_content_guarding/messages",
            "model_enforcement/included_models",
            "model_enforcement/excluded_models",
            "model_enforcement/included_models",
            "model_enforcement/excluded_models",
            "input_tags",
            "new/setting",
        ][..],
    );
    let name = prop_oneof![8 => Just("keeper"), 1 => Just("config"), 1 => Just("Config")];
    let set = (prop_oneof![4 => Just("us-east-1"), 1 => Just("eu-west-1")], name, setting).prop_flat_map(
        |(region, name, setting)| {
            operators(setting.ends_with("_models")).prop_map(move |operators| {
                let operators = match setting {
                    "identifier" => operators.replace(
                        "VALUE",
                        &format!("arn:aws:bedrock:{region}:222222222222:guardrail/abc123:"),
                    ),
                    "input_tags" => operators.replace("VALUE1", "honor").replace("VALUE", "ignore"),
                    "new/setting" => operators,
                    _ => operators
                        .replace("VALUE1", "selective")
                        .replace("VALUE", "comprehensive")
                        .replace(['2', '3'], ""),
                };
                format!("{region}/{name}/{setting}={operators}")
            })
        },
    );
    let lock = select(
        &["us-east-1", "us-east-1/keeper", "us-east-1/keeper/model_enforcement", "eu-west-1/config", ""][..],
    );
    let control = select(&[r#"["@@none"]"#, r#"["@@append"]"#][..]);
    let locked = (lock, control).prop_map(|(path, control)| {
        format!(r#"{path}={{"@@operators_allowed_for_child_policies":{control}}}"#)
    });
    prop_oneof![12 => set, 1 => locked]
}

/// The text of a document that AWS would take, with locks, operators, several names, capitals and unknown settings.
pub(super) fn foreign_document() -> impl Strategy<Value = String> {
    prop::collection::vec(leaf(), 1..8).prop_map(|leaves| {
        // A document whose keys differ in letter case only is refused.
        let mut leaves = leaves;
        if leaves.iter().any(|leaf| leaf.contains("/config")) {
            leaves.retain(|leaf| !leaf.contains("/Config"));
        }
        let leaves: Vec<&str> = leaves.iter().map(String::as_str).collect();
        foreign_text(&leaves)
    })
}
