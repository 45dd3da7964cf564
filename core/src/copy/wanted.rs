//! What a copy must be.

use sha2::{Digest as _, Sha256};

use super::Edition;
use crate::content::Digest;
use crate::ids::KmsKeyArn;

/// What an edition of a copy is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedCopy {
    /// The hash of what it does.
    pub content: Digest,
    /// The key that it is encrypted with, where the baseline gives one. Where it doesn't, any will
    /// do: whether a key that once was set can be taken away again isn't documented.
    pub key: Option<KmsKeyArn>,
}

impl WantedCopy {
    /// Whether an edition is what it should be, usable or not.
    pub fn is_met_by(&self, edition: &Edition) -> bool {
        let WantedCopy { content, key } = self;
        let has = |key: &KmsKeyArn| edition.key.as_ref().is_some_and(|seen| *seen == key.to_string());
        edition.content.as_ref() == Ok(content) && key.as_ref().is_none_or(has)
    }

    /// What is written on versions that should be like this: 16 digits.
    pub fn mark(&self) -> String {
        let WantedCopy { content, key } = self;
        match key {
            None => content.short().to_owned(),
            Some(key) => {
                let both = Sha256::digest(format!("{content} {key}"));
                both.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
            }
        }
    }
}
