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

use super::error::says_throttled;
use crate::metrics::Calls;

/// What was counted so far, by everything that holds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
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
    counts: Arc<Counts>,
}

impl HttpConnector for Counted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        let answer = self.connector.call(request);
        let counts = Arc::clone(&self.counts);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            let (answer, throttled) = read(answer).await?;
            if throttled {
                counts.throttled.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer)
        })
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
