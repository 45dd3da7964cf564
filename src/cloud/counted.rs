//! Counts every request that goes out, whatever service it is for: the one place that all of them pass.
//!
//! An interceptor would have to be given to each service's client; the HTTP client is given to all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::error::{At, ENDPOINT, says_throttled};
use crate::metrics::Calls;

/// What was counted so far, by everything that holds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<CallCounts>);

#[derive(Debug, Default)]
struct CallCounts {
    made: AtomicU64,
    throttled: AtomicU64,
}

impl Counter {
    pub(super) fn calls(&self) -> Calls {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Calls { made: read(&self.0.made), throttled: read(&self.0.throttled) }
    }

    /// A connector that counts what goes through it.
    pub(super) fn around(&self, connector: SharedHttpConnector) -> SharedHttpConnector {
        SharedHttpConnector::new(Counted { connector, counts: Arc::clone(&self.0) })
    }
}

#[derive(Debug)]
struct Counted {
    connector: SharedHttpConnector,
    counts: Arc<CallCounts>,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        // Whatever goes wrong is told with where it did.
        let endpoint = endpoint_of(request.uri());
        let answer = self.connector.call(request);
        let counts = Arc::clone(&self.counts);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await.map_err(|error| located(error, &endpoint))?;
            let _ = answer.headers_mut().try_insert(ENDPOINT, endpoint.clone());
            if answer.status().is_success() {
                return Ok(answer);
            }
            let (answer, throttled) = read(answer).await.map_err(|error| located(error, &endpoint))?;
            if throttled {
                counts.throttled.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer)
        })
    }
}

/// `https://host:port` of an address.
fn endpoint_of(uri: &str) -> String {
    uri.split_inclusive('/').take(3).collect::<String>().trim_end_matches('/').to_owned()
}

/// The same error, with the endpoint in what it came from.
fn located(error: ConnectorError, endpoint: &str) -> ConnectorError {
    let (is_timeout, is_user, is_io, kind) =
        (error.is_timeout(), error.is_user(), error.is_io(), error.as_other());
    let connection = error.connection_metadata().cloned();
    let source = Box::new(At { endpoint: endpoint.to_owned(), source: error.into_source() });
    let located = if is_timeout {
        ConnectorError::timeout(source)
    } else if is_user {
        ConnectorError::user(source)
    } else if is_io {
        ConnectorError::io(source)
    } else {
        ConnectorError::other(source, kind)
    };
    match connection {
        Some(connection) => located.with_connection(connection),
        None => located,
    }
}

/// Reads an error to its end, which the SDK would do next: what kind it is stands in the body of some
/// services' errors only.
async fn read(mut answer: HttpResponse) -> Result<(HttpResponse, bool), ConnectorError> {
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let body = ByteStream::new(body).collect().await;
    let body = body.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
    let throttled = says_throttled(&answer, &body);
    *answer.body_mut() = SdkBody::from(body);
    Ok((answer, throttled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address_without_its_path() {
        for (uri, endpoint) in [
            ("https://sts.eu-west-1.amazonaws.com/", "https://sts.eu-west-1.amazonaws.com"),
            ("http://127.0.0.1:4599/enforced?x=/y", "http://127.0.0.1:4599"),
            ("http://localhost", "http://localhost"),
            ("/", ""),
        ] {
            assert_eq!(endpoint_of(uri), endpoint);
        }
    }
}
