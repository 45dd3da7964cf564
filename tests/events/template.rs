//! CloudFormation templates, with their short forms spelt out: `!Ref Name` reads as `{"Ref": "Name"}`.

use std::collections::BTreeMap;
use std::fs;
use testkit::world::repository;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value, json};

/// Reads a template by its path from the repository's root.
pub(crate) fn read(path: &str) -> Value {
    let file = repository(path);
    parse(&fs::read_to_string(file).unwrap()).unwrap_or_else(|problem| panic!("{path}: {problem}"))
}

fn parse(text: &str) -> Result<Value, String> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        match event.map_err(|error| error.to_string())?.0 {
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
            Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => events.push(event),
        }
    }
    let mut events = events.into_iter();
    let first = events.next().ok_or("nothing is in it")?;
    node(first, &mut events)
}

fn node<'a>(event: Event<'a>, rest: &mut impl Iterator<Item = Event<'a>>) -> Result<Value, String> {
    let (value, tag) = match event {
        Event::Scalar(text, style, 0, tag) => {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            (if plain { scalar(&text) } else { Value::from(text.into_owned()) }, tag)
        }
        Event::SequenceStart(0, tag) => {
            let mut items = Vec::new();
            loop {
                match rest.next() {
                    Some(Event::SequenceEnd) => break,
                    Some(event) => items.push(node(event, rest)?),
                    None => return Err("a list has no end".to_owned()),
                }
            }
            (Value::Array(items), tag)
        }
        Event::MappingStart(0, tag) => {
            let mut members = Map::new();
            loop {
                let key = match rest.next() {
                    Some(Event::MappingEnd) => break,
                    Some(Event::Scalar(key, ..)) => key.into_owned(),
                    other => return Err(format!("not a key: {other:?}")),
                };
                let value = rest.next().ok_or("a key has no value")?;
                let value = node(value, rest)?;
                if members.insert(key.clone(), value).is_some() {
                    return Err(format!("{key} is there twice"));
                }
            }
            (Value::Object(members), tag)
        }
        other => return Err(format!("anchors and aliases are not read: {other:?}")),
    };
    Ok(match tag.as_deref() {
        None => value,
        Some(Tag { suffix, .. }) if suffix == "Ref" => json!({ "Ref": value }),
        Some(Tag { suffix, .. }) => json!({ format!("Fn::{suffix}"): value }),
    })
}

/// A scalar without quotes, as YAML 1.2 reads it.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

/// Puts values for references: those given, else the defaults of the template's parameters.
///
/// Given are parameters, pseudo parameters and resources by their names, their attributes as `Name.Arn`,
/// and conditions, which hold where they are `true`. What is replaced by `AWS::NoValue` is left out.
///
/// # Panics
/// Where there is no value, or a function isn't known here.
pub(crate) fn resolved(value: &Value, template: &Value, given: &BTreeMap<&str, &str>) -> Value {
    maybe_resolved(value, template, given).expect("a value that isn't left out")
}

fn maybe_resolved(value: &Value, template: &Value, given: &BTreeMap<&str, &str>) -> Option<Value> {
    let look_up = |name: &str| match given.get(name) {
        // A list comes as one text.
        Some(value) if template["Parameters"][name]["Type"] == "CommaDelimitedList" => {
            value.split(',').map(Value::from).collect()
        }
        Some(value) => Value::from(*value),
        None => match &template["Parameters"][name]["Default"] {
            Value::Null => panic!("there is no value for {name}"),
            default => default.clone(),
        },
    };
    match value {
        Value::Object(members) => {
            let alone = (members.len() == 1).then(|| members.iter().next()).flatten();
            match alone.map(|(name, argument)| (name.as_str(), argument)) {
                Some(("Ref", Value::String(name))) if name == "AWS::NoValue" => None,
                Some(("Ref" | "Fn::GetAtt", Value::String(name))) => Some(look_up(name)),
                Some(("Fn::Sub", Value::String(text))) => Some(substituted(text, &look_up).into()),
                Some(("Fn::Sub", Value::Array(parts))) => {
                    let [Value::String(text), Value::Object(own)] = parts.as_slice() else {
                        panic!("{parts:?} is no text with values")
                    };
                    let look_up = |name: &str| match own.get(name) {
                        Some(value) => resolved(value, template, given),
                        None => look_up(name),
                    };
                    Some(substituted(text, &look_up).into())
                }
                Some(("Fn::If", Value::Array(parts))) => {
                    let [Value::String(condition), then, otherwise] = parts.as_slice() else {
                        panic!("{parts:?} is not a choice")
                    };
                    let holds = given.get(condition.as_str()) == Some(&"true");
                    maybe_resolved(if holds { then } else { otherwise }, template, given)
                }
                Some(("Fn::Split", Value::Array(parts))) => {
                    let [Value::String(by), text] = parts.as_slice() else {
                        panic!("{parts:?} is not split")
                    };
                    let text = resolved(text, template, given);
                    Some(text.as_str().expect("a text").split(by.as_str()).map(Value::from).collect())
                }
                Some(("Fn::Join", Value::Array(parts))) => {
                    let [Value::String(by), items] = parts.as_slice() else {
                        panic!("{parts:?} is not joined")
                    };
                    Some(match resolved(items, template, given) {
                        Value::Array(items) => {
                            let items: Vec<&str> =
                                items.iter().map(|item| item.as_str().expect("a text")).collect();
                            items.join(by).into()
                        }
                        // A list of which nothing is given.
                        text => text,
                    })
                }
                Some(("Fn::Select", Value::Array(parts))) => {
                    let [Value::Number(index), items] = parts.as_slice() else {
                        panic!("{parts:?} selects nothing")
                    };
                    let index =
                        index.as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
                    Some(resolved(items, template, given)[index].clone())
                }
                _ => {
                    let function = members.keys().find(|name| name.starts_with("Fn::"));
                    assert!(function.is_none(), "{function:?} is not worked out here");
                    let each = members.iter();
                    let each = each.filter_map(|(name, value)| {
                        Some((name.clone(), maybe_resolved(value, template, given)?))
                    });
                    Some(each.collect())
                }
            }
        }
        Value::Array(items) => {
            Some(items.iter().filter_map(|item| maybe_resolved(item, template, given)).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}

/// What is given, and each condition of the template, worked out by it.
pub(crate) fn with_conditions<'a>(
    template: &'a Value,
    given: &BTreeMap<&'a str, &'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let mut known = given.clone();
    for name in template["Conditions"].as_object().expect("conditions").keys() {
        let holds = holds(&json!({ "Condition": name }), template, given);
        known.insert(name, if holds { "true" } else { "false" });
    }
    known
}

fn holds(condition: &Value, template: &Value, given: &BTreeMap<&str, &str>) -> bool {
    let (function, argument) = condition.as_object().and_then(|members| members.iter().next()).expect("one");
    let all = |argument: &Value| argument.as_array().expect("a list").clone().into_iter();
    match function.as_str() {
        "Condition" | "Fn::Condition" => {
            let name = argument.as_str().expect("a name");
            holds(&template["Conditions"][name], template, given)
        }
        "Fn::Equals" => {
            let sides = resolved(argument, template, given);
            sides[0] == sides[1]
        }
        "Fn::Not" => !holds(&argument[0], template, given),
        "Fn::And" => all(argument).all(|one| holds(&one, template, given)),
        "Fn::Or" => all(argument).any(|one| holds(&one, template, given)),
        other => panic!("{other} is not worked out here"),
    }
}

/// The resources that a stack makes of a template, by their names, with values for references.
pub(crate) fn made<'a>(
    template: &'a Value,
    given: &BTreeMap<&'a str, &'a str>,
    kind: &str,
) -> BTreeMap<&'a str, Value> {
    let known = with_conditions(template, given);
    let resources = template["Resources"].as_object().expect("resources").iter();
    let there = |resource: &Value| match resource["Condition"].as_str() {
        Some(condition) => known[condition] == "true",
        None => true,
    };
    let made = resources.filter(|(_, resource)| resource["Type"] == kind && there(resource));
    made.map(|(name, resource)| (name.as_str(), resolved(&resource["Properties"], template, &known)))
        .collect()
}

/// A text with values for its `${Name}`s.
fn substituted(text: &str, look_up: &dyn Fn(&str) -> Value) -> String {
    let mut parts = text.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or_else(|| panic!("{text}: a name has no end"));
        match look_up(name) {
            Value::String(value) => whole.push_str(&value),
            value => whole.push_str(&value.to_string()),
        }
        whole.push_str(rest);
    }
    whole
}

#[test]
fn short_forms_are_spelt_out() {
    let text = "A: !Ref B\nC: [!GetAtt D.Arn, 3, true, '3', !Sub \"${E}\"]\nF: !If [G, { H: 1 }, ~]\n";
    assert_eq!(
        parse(text),
        Ok(json!({
            "A": { "Ref": "B" },
            "C": [{ "Fn::GetAtt": "D.Arn" }, 3, true, "3", { "Fn::Sub": "${E}" }],
            "F": { "Fn::If": ["G", { "H": 1 }, null] },
        }))
    );
    assert_eq!(parse("A: 1\nA: 2\n"), Err("A is there twice".to_owned()));
    assert!(parse("A: [").is_err() && parse("").is_err() && parse("A: &x 1\nB: *x\n").is_err());
}

#[test]
fn conditions_are_worked_out() {
    let template = parse(
        "Parameters: { Names: { Type: CommaDelimitedList, Default: '' }, Arn: { Type: String } }\n\
         Conditions:\n  Named: !Not [!Equals [!Join ['', !Ref Names], '']]\n  \
         Here: !Equals [!Select [1, !Split [':', !Ref Arn]], !Sub 'a${AWS::Region}']\n  \
         Both: !And [!Condition Named, !Condition Here]\n  Any: !Or [!Condition Named, !Condition Here]\n\
         Resources: { It: { Type: T, Condition: Any, Properties: { A: !If [Both, !Ref Names, 1] } } }\n",
    )
    .unwrap();
    let worked_out = |names: &'static str, arn: &'static str| {
        let mut given = BTreeMap::from([("AWS::Region", "b"), ("Arn", arn)]);
        if !names.is_empty() {
            given.insert("Names", names);
        }
        let known = with_conditions(&template, &given);
        let holding: Vec<&str> =
            ["Named", "Here", "Both", "Any"].into_iter().filter(|one| known[one] == "true").collect();
        let made = made(&template, &given, "T");
        assert_eq!(made.is_empty(), !holding.contains(&"Any"));
        (holding.join(" "), made.get("It").map(|it| it["A"].clone()))
    };
    assert_eq!(worked_out("", "x:y"), (String::new(), None));
    assert_eq!(worked_out("m,n", "x:y"), ("Named Any".to_owned(), Some(json!(1))));
    assert_eq!(worked_out("", "x:ab"), ("Here Any".to_owned(), Some(json!(1))));
    assert_eq!(worked_out("m,n", "x:ab"), ("Named Here Both Any".to_owned(), Some(json!(["m", "n"]))));
}

#[test]
fn references_get_values() {
    let template = json!({ "Parameters": { "Name": { "Default": "default" }, "Bare": {} } });
    let pattern = json!({ "name": [{ "Ref": "Name" }], "account": [{ "Ref": "AWS::AccountId" }] });
    let given = BTreeMap::from([("AWS::AccountId", "111111111111")]);
    assert_eq!(
        resolved(&pattern, &template, &given),
        json!({ "name": ["default"], "account": ["111111111111"] })
    );
    let choice = |name: &str| json!({ "Fn::If": [name, { "Fn::Sub": "${Name}/${It.Arn}" }, { "Ref": "AWS::NoValue" }] });
    let given = BTreeMap::from([("Yes", "true"), ("It.Arn", "arn")]);
    assert_eq!(resolved(&json!([choice("Yes"), choice("No")]), &template, &given), json!(["default/arn"]));
    assert_eq!(resolved(&json!({ "a": choice("No"), "b": 1 }), &template, &given), json!({ "b": 1 }));
}
