//! One guardrail of the baseline: which it is, where, and how it guards.

use std::collections::BTreeMap;

use super::super::document::NodeKind;
use super::super::keys::Format;
use super::super::part::{Fields, OptionalKey, PlacedNode};
use super::super::problem::{Problems, TextPlace, lines, quoted};
use super::super::{Guardrail, GuardrailName, OnBlockedProbe, OnUnusable, Selector, Source, keys};
use super::arn::guardrail_arn;
use super::models::models;
use super::regions::{SeenRegions, region};
use super::{account, copy};
use crate::enforcement::{ContentGuarding, Guarding, Models};
use crate::ids::{AccountId, GuardrailVersion, Region};

const VERSION: &str = "write a published version's number, for example 3";
const REGIONS: &str = "write where it is enforced, for example [us-east-1, eu-west-1]";
const NAME_IN_LIST: &str =
    "write the guardrail's name in the owner account, or regions as a mapping with an arn for each";

const OWN_OWNER: &str = "write the 12 digits of the account that owns this guardrail, or leave owner out for the \
                         document's owner";

/// What holds in every Region that says nothing else.
struct Common<'a> {
    owner: Option<&'a AccountId>,
    name: OptionalKey<GuardrailName>,
    version: OptionalKey<GuardrailVersion>,
}

/// A guardrail that could be read.
pub(super) struct ReadGuardrail {
    pub(super) guardrail: Guardrail,
    /// Where it names its own owner, if it does.
    pub(super) owner_place: Option<TextPlace>,
}

/// Reads one guardrail. `of_document` is the owner of those that name none, unless it could not be read.
pub(super) fn guardrail(
    part: &PlacedNode<'_>,
    of_document: Option<&AccountId>,
    format: Format,
    seen: &mut SeenRegions,
    problems: &mut Problems,
) -> Option<ReadGuardrail> {
    let fields = part.fields(keys::GUARDRAIL, keys::GUARDRAIL_MISTAKES, problems)?;
    let own_owner = fields.member("owner", |part| account(part, OWN_OWNER, problems));
    let owner = match &own_owner {
        OptionalKey::Absent => of_document,
        OptionalKey::Refused => None,
        OptionalKey::Read(owner) => Some(owner),
    };
    let name = fields.member("name", |part| name(part, problems));
    let version = fields.member("version", |part| version(part, problems));
    let earlier = seen.count();
    let regions = regions(&fields, &Common { owner, name, version }, seen, problems);
    let models = fields.optional("models").map_or(Some(Models::default()), |part| models(part, problems));
    let guarding =
        fields.optional("guarding").map_or(Some(Guarding::default()), |part| guarding(part, problems));
    let placement = fields
        .optional("placement")
        .map_or(Some(format.default_placement()), |part| part.choice(keys::PLACEMENTS, problems));
    let copy_keys = match fields.optional("copy") {
        Some(part) => copy::keys(part, placement, &seen.since(earlier), problems),
        None => Some(BTreeMap::new()),
    };
    let on_unusable = fields
        .optional("on_unusable")
        .map_or(Some(OnUnusable::Keep), |part| part.choice(keys::ON_UNUSABLE, problems));
    let on_blocked_probe = fields
        .optional("on_blocked_probe")
        .map_or(Some(OnBlockedProbe::Hold), |part| part.choice(keys::ON_BLOCKED_PROBE, problems));
    let guardrail = Guardrail {
        owner: owner?.clone(),
        regions: regions?,
        models: models?,
        guarding: guarding?,
        placement: placement?,
        copy_keys: copy_keys?,
        on_unusable: on_unusable?,
        on_blocked_probe: on_blocked_probe?,
    };
    Some(ReadGuardrail { guardrail, owner_place: fields.optional("owner").map(|part| part.place.clone()) })
}

/// Both forms: a list where all Regions are alike, a mapping where some say more.
fn regions(
    fields: &Fields<'_>,
    common: &Common<'_>,
    seen: &mut SeenRegions,
    problems: &mut Problems,
) -> Option<BTreeMap<Region, Source>> {
    let part = fields.required("regions", REGIONS, problems)?;
    let (count, regions) = match &part.node.kind {
        NodeKind::Sequence(items) => (items.len(), listed_regions(part, fields, common, seen, problems)),
        NodeKind::Mapping(entries) => (entries.len(), mapped_regions(part, common, seen, problems)),
        NodeKind::Scalar { .. } | NodeKind::Refused => {
            part.report_kind("a list of Regions, or a mapping by Region,", REGIONS, problems);
            return None;
        }
    };
    if count == 0 {
        problems.report(&part.place, "no Region", REGIONS);
    }
    Some(regions)
}

fn listed_regions(
    part: &PlacedNode<'_>,
    fields: &Fields<'_>,
    common: &Common<'_>,
    seen: &mut SeenRegions,
    problems: &mut Problems,
) -> BTreeMap<Region, Source> {
    if common.name == OptionalKey::Absent {
        problems.report(&fields.missing("name"), "missing, and regions is a list", NAME_IN_LIST);
    }
    if common.version == OptionalKey::Absent {
        problems.report(&fields.missing("version"), "missing, and regions is a list", VERSION);
    }
    let mut first_places: BTreeMap<Region, TextPlace> = BTreeMap::new();
    let mut sources = BTreeMap::new();
    for item in part.items("a list of Regions", "", problems).unwrap_or_default() {
        let instead = "write a Region's code; to say more of it, write regions as a mapping";
        let text = item.text("a Region", instead, problems);
        let Some(region) = text.and_then(|text| region(text, &item.place, problems)) else { continue };
        if let Some(first) = first_places.get(&region) {
            let message = format!("{region} is listed twice, {}", lines(first, &item.place));
            problems.report(&item.place, message, "remove one");
            continue;
        }
        seen.add(region.clone(), item.place.clone());
        if let (OptionalKey::Read(name), OptionalKey::Read(version)) = (&common.name, &common.version) {
            let source = Source { selector: Selector::Name(name.clone()), version: *version };
            sources.insert(region.clone(), source);
        }
        first_places.insert(region, item.place);
    }
    sources
}

fn mapped_regions(
    part: &PlacedNode<'_>,
    common: &Common<'_>,
    seen: &mut SeenRegions,
    problems: &mut Problems,
) -> BTreeMap<Region, Source> {
    let mut sources = BTreeMap::new();
    for (key, part) in part.entries("a mapping by Region", "", problems).unwrap_or_default() {
        let Some(region) = region(key.text, &key.place, problems) else { continue };
        seen.add(region.clone(), key.place);
        if let Some(source) = source(&part, &region, common, problems) {
            sources.insert(region, source);
        }
    }
    sources
}

/// What one Region says of its own, on top of what holds in all.
fn source(
    part: &PlacedNode<'_>,
    in_region: &Region,
    common: &Common<'_>,
    problems: &mut Problems,
) -> Option<Source> {
    let mut own_arn = OptionalKey::Absent;
    let mut own_name = OptionalKey::Absent;
    let mut own_version = OptionalKey::Absent;
    // `us-east-1:` with nothing behind it says nothing of its own.
    if !part.is_null() {
        let fields = part.fields(keys::REGION, keys::REGION_MISTAKES, problems)?;
        own_arn = fields.member("arn", |part| guardrail_arn(part, in_region, common.owner, problems));
        own_name = fields.member("name", |part| name(part, problems));
        own_version = fields.member("version", |part| version(part, problems));
        if let (Some(arn), Some(_)) = (fields.optional("arn"), fields.optional("name")) {
            problems.report(&arn.place, "both arn and name say which guardrail it is", "keep one");
        }
    }
    let selector = match (own_arn, own_name, &common.name) {
        (OptionalKey::Read(arn), _, _) => Some(Selector::Arn(arn)),
        (OptionalKey::Absent, OptionalKey::Read(name), _) => Some(Selector::Name(name)),
        (OptionalKey::Absent, OptionalKey::Absent, OptionalKey::Read(name)) => {
            Some(Selector::Name(name.clone()))
        }
        (OptionalKey::Absent, OptionalKey::Absent, OptionalKey::Absent) => {
            let message = format!("neither arn nor name says which guardrail it is in {in_region}");
            problems.report(&part.place, message, "write arn or name here, or name once for all Regions");
            None
        }
        (_, _, _) => None,
    };
    let version = match (own_version, &common.version) {
        (OptionalKey::Read(version), _) => Some(version),
        (OptionalKey::Absent, OptionalKey::Read(version)) => Some(*version),
        (OptionalKey::Absent, OptionalKey::Absent) => {
            let message = format!("no version is given for {in_region}");
            problems.report(&part.place, message, "write version here, or once for all Regions");
            None
        }
        (OptionalKey::Refused, _) | (OptionalKey::Absent, OptionalKey::Refused) => None,
    };
    Some(Source { selector: selector?, version: version? })
}

fn name(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<GuardrailName> {
    let instead = "write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores";
    let text = part.text("a guardrail's name", instead, problems)?;
    if text.starts_with("arn:") {
        let instead = "write it as arn under its Region, as in regions: {us-east-1: {arn: …}}";
        problems.report(&part.place, "an ARN stands where a guardrail's name belongs", instead);
        return None;
    }
    part.id("a guardrail's name", instead, problems)
}

fn version(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<GuardrailVersion> {
    let text = part.text("a guardrail's version", VERSION, problems)?;
    let version = text.parse().ok();
    if text.eq_ignore_ascii_case("draft") {
        problems.report(&part.place, "DRAFT can't be enforced", VERSION);
    } else if text.trim_start_matches('$').eq_ignore_ascii_case("latest") {
        let message = format!("{} would change what is enforced without a change here", quoted(text));
        problems.report(&part.place, message, VERSION);
    } else if version.is_none() {
        problems.report(&part.place, format!("{} is not a published version", quoted(text)), VERSION);
    }
    version
}

fn guarding(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<Guarding> {
    let fields = part.fields(keys::GUARDING, &[], problems)?;
    let mut read = |key| {
        let default = Some(ContentGuarding::Comprehensive);
        fields.optional(key).map_or(default, |part| part.choice(keys::GUARDINGS, problems))
    };
    let (system, messages) = (read("system"), read("messages"));
    Some(Guarding { system: system?, messages: messages? })
}
