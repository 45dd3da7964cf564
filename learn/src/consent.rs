//! The user's consent: whoever has one was told what will be made, and gave the account's id.

use std::io::BufRead;

/// That the user agreed.
#[derive(Debug)]
pub struct Consent(());

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was made: consent is the account's id, and it was not given")]
pub struct NoConsent;

impl Consent {
    /// Consent by an option.
    ///
    /// # Errors
    /// [`NoConsent`] for another account's id.
    pub fn given(account: &str, consent: &str) -> Result<Consent, NoConsent> {
        if consent.trim() == account { Ok(Consent(())) } else { Err(NoConsent) }
    }

    /// Consent by a line that the user types.
    ///
    /// # Errors
    /// [`NoConsent`] for anything else than the account's id.
    pub fn typed(account: &str, input: &mut dyn BufRead) -> Result<Consent, NoConsent> {
        let mut line = String::new();
        input.read_line(&mut line).map_err(|_| NoConsent)?;
        Consent::given(account, &line)
    }
}
