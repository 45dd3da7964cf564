//! Models: base model ids as enforced configurations take them, and what is mistaken for one.

use std::collections::BTreeMap;

use super::super::document::NodeKind;
use super::super::keys::{self, ALL};
use super::super::part::{OptionalKey, PlacedNode};
use super::super::problem::{Problems, TextPlace, lines, quoted};
use crate::enforcement::{Included, Models};
use crate::ids::ModelId;

const INCLUDE: &str = "write include: [ALL], or the models to guard";
const EITHER: &str = "write include: [ALL], or the models to guard, or with exclude those not to guard";
const MODEL: &str = "write a base model's id, for example amazon.nova-pro-v1:0";

/// What geographic inference profiles put before a model's id.
const GEOGRAPHIES: &[&str] = &["us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"];

/// Known providers, which distinguish a geography that is newer than this program from a provider.
const PROVIDERS: &[&str] = &[
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "zai",
];

pub(super) fn models(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<Models> {
    let fields = part.fields(keys::MODELS, keys::MODEL_MISTAKES, problems)?;
    let include = fields.member("include", |part| included(part, problems));
    let exclude = fields.member("exclude", |part| Some(excluded(part, problems)));
    let include = match (include, &exclude) {
        (OptionalKey::Read(include), _) => Some(include),
        (OptionalKey::Absent, OptionalKey::Absent) => {
            problems.report(&fields.missing("include"), "missing, and exclude is missing too", EITHER);
            None
        }
        // Exclusions alone are taken from all models, as in AWS's console.
        (OptionalKey::Absent, OptionalKey::Read(_)) => Some(Included::All),
        (OptionalKey::Refused, _) | (OptionalKey::Absent, OptionalKey::Refused) => None,
    };
    let exclude = match exclude {
        OptionalKey::Read(exclude) => exclude,
        OptionalKey::Absent | OptionalKey::Refused => BTreeMap::new(),
    };
    let models = Models { include: include?, exclude: exclude.into_keys().collect() };
    if let Included::Only(included) = &models.include
        && included.is_subset(&models.exclude)
        && let Some(part) = fields.optional("exclude")
    {
        let instead = "remove one of them from exclude";
        problems.report(&part.place, "every included model is excluded: it would guard nothing", instead);
    }
    Some(models)
}

fn included(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<Included> {
    let items = part.items("a list of models", INCLUDE, problems)?;
    if items.is_empty() {
        problems.report(&part.place, "an empty list would guard nothing", INCLUDE);
        return None;
    }
    let mut models: BTreeMap<ModelId, TextPlace> = BTreeMap::new();
    let mut all: Option<TextPlace> = None;
    let mut alone = true;
    for item in &items {
        alone &= matches!(&item.node.kind, NodeKind::Scalar { text, .. } if text == ALL);
        match item.text("a model", MODEL, problems) {
            Some(ALL) => match &all {
                Some(first) => report_twice(ALL, first, &item.place, problems),
                None => all = Some(item.place.clone()),
            },
            Some(text) if text.eq_ignore_ascii_case(ALL) || text == "*" => {
                let message = format!("{} is not a model", quoted(text));
                problems.report(&item.place, message, "write ALL in capitals for every model");
            }
            Some(text) => add_model(text, item, &mut models, problems),
            None => {}
        }
    }
    match all {
        Some(place) if !alone => {
            let instead = "write include: [ALL] alone, or remove ALL";
            problems.report(&place, "ALL stands beside models", instead);
            None
        }
        Some(_) => Some(Included::All),
        // Where every item was refused, nothing more is to be said.
        None if models.is_empty() => None,
        None => Some(Included::Only(models.into_keys().collect())),
    }
}

fn excluded(part: &PlacedNode<'_>, problems: &mut Problems) -> BTreeMap<ModelId, TextPlace> {
    let instead = "write a list of models, or leave exclude out";
    let mut models = BTreeMap::new();
    for item in part.items("a list of models", instead, problems).unwrap_or_default() {
        match item.text("a model", MODEL, problems) {
            Some(text) if text.eq_ignore_ascii_case(ALL) || text == "*" => {
                let message = "to exclude every model would guard nothing";
                problems.report(
                    &item.place,
                    message,
                    "assign `guardrail: none` where nothing is to be guarded",
                );
            }
            Some(text) => add_model(text, &item, &mut models, problems),
            None => {}
        }
    }
    models
}

fn add_model(
    text: &str,
    item: &PlacedNode<'_>,
    models: &mut BTreeMap<ModelId, TextPlace>,
    problems: &mut Problems,
) {
    match text.parse::<ModelId>() {
        Ok(model) if !is_short_profile(text) => match models.get(&model) {
            Some(first) => report_twice(text, first, &item.place, problems),
            None => {
                models.insert(model, item.place.clone());
            }
        },
        Ok(_) | Err(_) => {
            let (message, instead) = mistaken(text);
            problems.report(&item.place, message, instead);
        }
    }
}

fn report_twice(text: &str, first: &TextPlace, place: &TextPlace, problems: &mut Problems) {
    let message = format!("{text} is listed twice, {}", lines(first, place));
    problems.report(place, message, "remove one");
}

/// A geography where a provider belongs, as in `eu.claude`: it has the shape of a model id.
fn is_short_profile(text: &str) -> bool {
    text.split_once('.').is_some_and(|(provider, _)| GEOGRAPHIES.contains(&provider))
}

/// What a text that is no base model id most probably is, and what to write for it.
fn mistaken(text: &str) -> (String, String) {
    let shown = quoted(text);
    if let Some(arn) = text.strip_prefix("arn:") {
        let resource = arn.splitn(5, ':').last().unwrap_or_default();
        return match resource.split_once('/') {
            Some(("foundation-model", id)) => (format!("{shown} is a model's ARN"), base_of(id)),
            Some(("inference-profile", id)) => {
                (format!("{shown} is an inference profile's ARN"), base_of(id))
            }
            Some(_) | None => (
                format!("{shown} is an ARN, and an enforcement names base models by id"),
                "write the id of the base model behind it, for example amazon.nova-pro-v1:0".to_owned(),
            ),
        };
    }
    if profile_base(text).is_some() {
        return (
            format!("{shown} is an inference profile, and an enforcement names base models"),
            base_of(text),
        );
    }
    if has_second_dot(text) {
        return (
            format!("{shown} has a second dot, which AWS's pattern for enforced models refuses"),
            unnameable(),
        );
    }
    let tidy = text.trim().to_ascii_lowercase();
    let good = tidy.parse::<ModelId>().is_ok() && !is_short_profile(&tidy);
    let instead = if good { format!("write {tidy}") } else { MODEL.to_owned() };
    (format!("{shown} is not a base model's id"), instead)
}

/// The advice for an id that may still carry a geography.
fn base_of(id: &str) -> String {
    let base = profile_base(id).unwrap_or(id);
    if base.parse::<ModelId>().is_ok() {
        format!("write {base}")
    } else if has_second_dot(base) {
        unnameable()
    } else {
        MODEL.to_owned()
    }
}

/// A model whose id the enforcement's own pattern refuses can be guarded, but only with all others.
fn unnameable() -> String {
    "remove it: an enforcement can't name this model, and include: [ALL] guards it with all others".to_owned()
}

/// The base model's id in an inference profile's.
fn profile_base(id: &str) -> Option<&str> {
    let (geography, base) = id.split_once('.')?;
    let (provider, _) = base.split_once('.')?;
    (GEOGRAPHIES.contains(&geography) || PROVIDERS.contains(&provider)).then_some(base)
}

fn has_second_dot(id: &str) -> bool {
    id.split_once('.').is_some_and(|(provider, model)| {
        model.contains('.') && format!("{provider}.{}", model.replace('.', "-")).parse::<ModelId>().is_ok()
    })
}
