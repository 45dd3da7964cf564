//! What is logged while a test runs.

use std::io;
use std::sync::{Arc, Mutex};

use lambda_runtime::tracing::subscriber::fmt::MakeWriter;
use lambda_runtime::tracing::subscriber::layer::SubscriberExt;
use lambda_runtime::tracing::subscriber::{self, EnvFilter};
use serde_json::Value;

/// Collects the log of this thread, which is the whole of a test with a runtime of one thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Runs this with its log collected, as JSON in the form that the function writes.
    pub async fn of<T>(work: impl Future<Output = T>) -> (T, Vec<Value>) {
        keep_lines_on();
        let log = Log::default();
        let subscriber = subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(EnvFilter::new("guardrail_keeper=debug"))
            .with_writer(log.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let result = work.await;
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        (result, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

/// Keeps every line switched on for as long as the process lives. Lines are switched on and off for all threads: one that
/// is met for the first time just when another test's log ends or begins might stay off.
fn keep_lines_on() {
    let filter = EnvFilter::new("guardrail_keeper=debug");
    drop(tracing::subscriber::set_global_default(subscriber::registry().with(filter)));
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}
