//! What the server saw of its clients.

use std::collections::BTreeSet;

use super::Server;
use crate::asked::Asked;
use crate::call::Call;
use crate::model::Model;

impl Server {
    /// The calls that were seen, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls().to_vec()
    }

    /// Forgets the calls. Their numbers go on.
    pub fn clear_calls(&self) {
        self.shared.state().clear_calls();
    }

    /// What roles asked for since it was started or reset, whether they got it or not.
    pub fn asked(&self) -> BTreeSet<Asked> {
        self.shared.state().asked.clone()
    }

    /// Shows every call from now on to `watcher`, with the model as the call left it and before anybody gets
    /// the answer: for what has to be judged at the moment when it is done, whatever other clients do next.
    /// It must not use the server itself, which waits for it.
    pub fn watch(&self, watcher: impl FnMut(&Call, &mut Model) + Send + 'static) {
        self.shared.state().watcher = Some(Box::new(watcher));
    }

    /// How many calls were seen since the start.
    pub fn call_count(&self) -> u64 {
        self.shared.state().call_count()
    }
}
