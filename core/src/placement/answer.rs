//! AWS's answer, as it is recorded, and as a person gives it by a control.

use serde::{Deserialize, Serialize};

/// What is known of AWS's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Not known yet.
    #[default]
    Undecided,
    /// Members can enforce the owner's guardrail.
    Central,
    /// Members need copies.
    Copies,
}

impl Answer {
    /// The answer that a control's text gives.
    ///
    /// # Errors
    /// Which texts are allowed, where it is none of them.
    pub fn parse(text: &str) -> Result<Answer, String> {
        match text.trim() {
            "central" => Ok(Answer::Central),
            "copies" => Ok(Answer::Copies),
            "undecided" => Ok(Answer::Undecided),
            _ => Err("its text is not `central`, `copies` or `undecided`".to_owned()),
        }
    }

    /// The text of a control that gives this answer.
    pub fn text(self) -> &'static str {
        match self {
            Answer::Central => "central",
            Answer::Copies => "copies",
            Answer::Undecided => "undecided",
        }
    }
}
