//! microburst's control API, as far as it is needed.

use std::env;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Microburst {
    /// Where it listens.
    pub(crate) url: String,
    /// The port to which it sends on.
    pub(crate) upstream: u16,
}

impl Microburst {
    pub(crate) fn of_the_environment() -> Microburst {
        let variable = |name| {
            env::var(name).unwrap_or_else(|_| panic!("{name} isn't set: tests/microburst/run sets it"))
        };
        let upstream = variable("KEEPER_UPSTREAM_PORT").parse().expect("a port");
        Microburst { url: variable("KEEPER_MICROBURST"), upstream }
    }

    /// Lets this happen, and nothing else. Of several rules the first that matches a call counts.
    pub(crate) async fn rules(&self, rules: &[Value]) {
        self.call("POST", "rules", &json!(rules)).await;
    }

    pub(crate) async fn clear(&self) {
        self.call("POST", "rules", &json!([])).await;
    }

    /// How often something happened since this was last asked.
    pub(crate) async fn take_fired(&self) -> u64 {
        let fired = self.call("GET", "fired?limit=100000", &json!(null)).await;
        self.call("DELETE", "fired", &json!(null)).await;
        fired.as_array().map_or(0, |fired| fired.len() as u64)
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let address = self.url.strip_prefix("http://").expect("it is like http://127.0.0.1:9999");
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /_microburst/{path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it answers in HTTP");
        assert!(
            head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')),
            "{method} {path}: {answer}"
        );
        serde_json::from_str(body).unwrap_or_default()
    }
}
