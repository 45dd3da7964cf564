//! What we write on a copy, for people and as a hint for ourselves.

use std::fmt;
use std::str::FromStr;

use crate::ids::{GuardrailArn, GuardrailVersion, InvalidId};

/// The tag of a copy. Its value is the original's ARN; the key alone says that it is ours.
pub const SOURCE_TAG: &str = "guardrail-keeper:source";

const OPENING: &str = "Guardrail Keeper copy of ";

/// Where a copy's content came from, as its description says. Never proof of anything: a principal that may
/// write guardrails in the member can write it.
///
/// At 64 characters of guardrail id, the most that the service model allows, it is within the 200
/// characters of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The original.
    pub source: GuardrailArn,
    /// Its version.
    pub version: GuardrailVersion,
    /// The first digits of its content's digest.
    pub digest: String,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Marker { source, version, digest } = self;
        write!(f, "{OPENING}{source} version {version}, content {digest}")
    }
}

impl FromStr for Marker {
    type Err = InvalidId;

    /// Reads a description, whatever else it says before and after.
    fn from_str(description: &str) -> Result<Marker, InvalidId> {
        let read = || {
            let (_, rest) = description.split_once(OPENING)?;
            let mut words = rest.split([' ', ',']).filter(|word| !word.is_empty());
            let source = words.next()?.parse().ok()?;
            let version = words.find(|word| *word == "version").and_then(|_| words.next())?.parse().ok()?;
            let digest = words.find(|word| *word == "content").and_then(|_| words.next())?.to_owned();
            Some(Marker { source, version, digest })
        };
        read()
            .ok_or_else(|| InvalidId::new("a copy's marker", "what the keeper writes on copies", description))
    }
}
