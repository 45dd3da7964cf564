//! Requests that a client sends again because it never saw the answer.

use super::Model;
use super::caller::Caller;
use super::error::ApiError;

/// What was made for a `clientRequestToken`.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    request: String,
    result: String,
}

impl Model {
    /// What an earlier request with the same token made, so that nothing is made twice.
    ///
    /// SDKs send a token of their own with every create and the same one when they try again.
    ///
    /// # Errors
    /// `ConflictException` for a token that came with another request.
    pub(crate) fn made_before(
        &self,
        caller: &Caller,
        token: Option<&str>,
        request: &str,
    ) -> Result<Option<String>, ApiError> {
        let Some(token) = token else { return Ok(None) };
        let region = self.region(caller.account(), &caller.region);
        match region.and_then(|region| region.tokens.get(token)) {
            None => Ok(None),
            Some(made) if made.request == request => Ok(Some(made.result.clone())),
            Some(_) => {
                Err(ApiError::conflict("The clientRequestToken was used with a request of other parameters."))
            }
        }
    }

    /// Keeps what was made for a token.
    pub(crate) fn remember_made(
        &mut self,
        caller: &Caller,
        token: Option<&str>,
        request: String,
        result: &str,
    ) {
        let Some(token) = token else { return };
        if let Ok(region) = self.region_mut(caller.account(), &caller.region) {
            region.tokens.insert(token.to_owned(), Made { request, result: result.to_owned() });
        }
    }
}
