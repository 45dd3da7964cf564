//! Which tags a copy has in common with its original.

use std::collections::BTreeMap;

use super::SOURCE_TAG;

/// The tags of a guardrail.
pub type Tags = BTreeMap<String, String>;

/// How many tags AWS lets a resource have.
const TAGS_AT_MOST: usize = 50;

/// What begins the tags that are ours, and say something of the one guardrail that they are on.
const OURS: &str = "guardrail-keeper:";

/// The tags of an original that its copies carry. Those of AWS can't be written.
pub fn carried(original: Tags) -> Tags {
    let is_aws = |key: &str| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    original.into_iter().filter(|(key, _)| !is_aws(key) && !key.starts_with(OURS)).collect()
}

/// The tags to write on a copy that has these already: what it lacks, and what says otherwise. Its
/// other tags are its account's business. Where there isn't room for all, the first by their keys.
pub fn to_write(carried: &Tags, present: &Tags) -> Tags {
    // One place is for our own, whether or not it is there.
    let taken = present.keys().filter(|key| *key != SOURCE_TAG).count() + 1;
    let mut room = TAGS_AT_MOST.saturating_sub(taken);
    let mut tags = Tags::new();
    for (key, value) in carried {
        let is_new = match present.get(key) {
            Some(there) if there == value => continue,
            Some(_) => false,
            None => true,
        };
        if is_new && room == 0 {
            continue;
        }
        room -= usize::from(is_new);
        tags.insert(key.clone(), value.clone());
    }
    tags
}
