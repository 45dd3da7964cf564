//! Sending events on: to a URL, or to a queue of an emulator that speaks SQS.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::model::event::EmittedEvent;

/// How long one event may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where events are sent, and which.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Destination {
    /// Takes each event as the JSON body of a POST; `http://` only.
    pub url: Option<String>,
    /// An SQS queue, to which each event is sent as a message; `http://` only.
    pub queue_url: Option<String>,
    /// The access key id that the queue's emulator is told; emulators tell accounts apart by it.
    pub access_key: Option<String>,
    /// Only events on this account's buses.
    pub account: Option<String>,
    /// Only events in this Region.
    pub region: Option<String>,
}

impl Destination {
    /// Whether an event is one of those that go there.
    pub fn wants(&self, event: &EmittedEvent) -> bool {
        self.account.as_ref().is_none_or(|account| *account == event.account)
            && self.region.as_ref().is_none_or(|region| *region == event.region)
    }

    /// Sends one event.
    pub(crate) async fn send(&self, event: &EmittedEvent) -> Result<(), String> {
        let body = event.event.to_string();
        let request = match (&self.url, &self.queue_url) {
            (Some(url), None) => post(url, "application/json", body, None),
            (None, Some(queue)) => {
                let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let form = format!(
                    "Action=SendMessage&Version=2012-11-05&QueueUrl={}&MessageBody={}",
                    encode(queue),
                    encode(&body)
                );
                let key = self.access_key.as_deref().unwrap_or("test");
                let scope = format!("{key}/20261102/{}/sqs/aws4_request", event.region);
                // Emulators read the scope and don't verify the signature.
                let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
                post(queue, "application/x-www-form-urlencoded", form, Some(signed))
            }
            _ => Err("give either url or queue_url".to_owned()),
        }?;
        tokio::time::timeout(PATIENCE, deliver(request)).await.map_err(|_| "it took too long".to_owned())?
    }
}

fn post(
    url: &str,
    content_type: &str,
    body: String,
    authorization: Option<String>,
) -> Result<Request<Body>, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url} is not a URL: {error}"))?;
    let authority = uri.authority().ok_or_else(|| format!("{url} names no host"))?.clone();
    if uri.scheme_str() != Some("http") {
        return Err(format!("{url} is not an http:// URL"));
    }
    let mut request =
        Request::post(uri).header("host", authority.as_str()).header("content-type", content_type);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(Body::from(body)).map_err(|error| error.to_string())
}

async fn deliver(mut request: Request<Body>) -> Result<(), String> {
    let uri = request.uri().clone();
    let (host, port) = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(80));
    let stream =
        TcpStream::connect((host.as_str(), port)).await.map_err(|error| format!("{uri}: {error}"))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| format!("{uri}: {error}"))?;
    let driver = tokio::spawn(connection);
    // A request to an origin names the path only.
    *request.uri_mut() = uri.path_and_query().map_or("/", |path| path.as_str()).parse().unwrap_or_default();
    let response = sender.send_request(request).await.map_err(|error| format!("{uri}: {error}"));
    driver.abort();
    let status = response?.status();
    if status.is_success() { Ok(()) } else { Err(format!("{uri} answered {status}")) }
}
