//! AWS's answer, as it is recorded, and as a person gives it by a control.

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// What is known of AWS's answer.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Answer {
        /// Not known yet.
        #[default]
        Undecided = "undecided",
        /// Members can enforce the owner's guardrail.
        Central = "central",
        /// Members need copies.
        Copies = "copies",
    }

    /// The text of a control that gives this answer.
    pub fn text(self) -> &'static str;

    impl Display;
}

impl Answer {
    /// The answer that a control's text gives.
    ///
    /// # Errors
    /// Which texts are allowed, where it is none of them.
    pub fn parse(text: &str) -> Result<Answer, String> {
        let given = Answer::ALL.into_iter().find(|answer| answer.text() == text.trim());
        given.ok_or_else(|| "its text is not `central`, `copies` or `undecided`".to_owned())
    }
}
