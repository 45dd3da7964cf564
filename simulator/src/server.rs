//! The server: one listener on loopback, one model behind a lock.

mod seen;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request as HttpRequest, State as Shared};
use axum::http::Response;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::broken::{DropConnection, StalledBody};
use crate::fault::Fault;
use crate::forward::Destination;
use crate::model::Model;
use crate::model::clock::Clock;
use crate::model::event::EmittedEvent;
use crate::model::queues::QueueName;
use crate::state::{Effect, State, Strike};
use crate::switches::Switches;
use crate::wire::control;
use crate::wire::request::{Parts, Request};
use crate::world::{InvalidWorld, World};

/// The largest body that is read: more than any modelled operation takes but InvokeModel with images.
const MAX_BODY: usize = 30 * 1024 * 1024;
/// How long open connections may finish what they are doing when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// How often new events are looked for, and how long after a failure they are tried again.
const FORWARD_EVERY: Duration = Duration::from_millis(50);
const FORWARD_AGAIN: Duration = Duration::from_secs(1);

/// How a simulator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What the ids that are made depend on.
    pub seed: u64,
    /// Whether the clock runs with the machine's instead of standing at the world's start.
    pub real_time: bool,
    /// What is unknown about AWS, and how it is answered.
    pub switches: Switches,
}

impl Default for Options {
    fn default() -> Options {
        Options { port: 0, seed: 1, real_time: false, switches: Switches::default() }
    }
}

/// Why a simulator doesn't start.
#[derive(Debug)]
pub enum StartError {
    /// The world can't be.
    World(InvalidWorld),
    /// The port can't be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::World(invalid) => invalid.fmt(f),
            StartError::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::World(invalid) => Some(invalid),
            StartError::Listen { source, .. } => Some(source),
        }
    }
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    url: String,
    shared: Arc<Inner>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

/// What the server and its connections share.
pub(crate) struct Inner {
    world: World,
    options: Options,
    state: Mutex<State>,
    /// How many calls were struck by a crash.
    crashes: watch::Sender<u64>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Inner {
    fn new(world: World, options: Options) -> Result<Inner, InvalidWorld> {
        let state = Mutex::new(Inner::fresh(&world, &options)?);
        Ok(Inner { world, options, state, crashes: watch::Sender::new(0) })
    }

    fn fresh(world: &World, options: &Options) -> Result<State, InvalidWorld> {
        let clock = if options.real_time { Clock::real() } else { Clock::fixed(world.start) };
        Ok(State::new(Model::new(world, options.seed, options.switches, clock)?, options.seed))
    }

    /// The state. A panic while it was held leaves a model that is whole: operations check first, then write.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Back to the world that the simulator was started with.
    pub(crate) fn reset(&self) {
        let mut state = self.state();
        let (snapshots, watcher) = (std::mem::take(&mut state.snapshots), state.watcher.take());
        *state = Inner::fresh(&self.world, &self.options).expect("this world was built once already");
        (state.snapshots, state.watcher) = (snapshots, watcher);
    }
}

impl Server {
    /// Starts a simulator of a world.
    ///
    /// # Errors
    /// [`StartError`] for a world that can't be and for a port that can't be listened on.
    pub async fn start(world: World, options: Options) -> Result<Server, StartError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let shared = Arc::new(Inner::new(world, options).map_err(StartError::World)?);
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (stop, stopped) = watch::channel(false);
        let router = control::routes().fallback(aws).with_state(Arc::clone(&shared));
        let task = tokio::spawn(accept(listener, router, stopped));
        Ok(Server { url, shared, stop, task: Some(task) })
    }

    /// Where it listens, e.g. `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where clients find a queue.
    pub fn queue_url(&self, queue: &QueueName) -> String {
        queue.url(&self.url)
    }

    /// Looks at the model, or changes it, between two calls.
    pub fn with<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        let mut state = self.shared.state();
        state.model.settle();
        look(&mut state.model)
    }

    /// Lets something go wrong. Of several faults that match a call the first one set strikes.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().add_fault(fault);
    }

    /// Lets everything go well again.
    pub fn clear_faults(&self) {
        self.shared.state().clear_faults();
    }

    /// Waits until a call is struck by [`FaultKind::Crash`](crate::FaultKind::Crash) from now on. A test that
    /// drops the client's future then, and looks at this one first each time, ends the client at that call:
    /// it never learns how the call ended.
    pub fn crashed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut crashes = self.shared.crashes.subscribe();
        // The sender is gone when the server is: no call will be struck any more.
        async move {
            if crashes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Delays answers: of `service:operation`, of a `service`, or of all with `*`. The closest one counts.
    pub fn latency(&self, calls: &str, latency: Duration) {
        let milliseconds = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.shared.state().latencies.insert(calls.to_owned(), milliseconds);
    }

    /// Keeps the model as it is under a name.
    pub fn snapshot(&self, name: &str) {
        let mut state = self.shared.state();
        let model = Arc::new(state.model.clone());
        state.snapshots.insert(name.to_owned(), model);
    }

    /// Goes back to a snapshot; says whether there is one of that name.
    pub fn restore(&self, name: &str) -> bool {
        let mut state = self.shared.state();
        let Some(model) = state.snapshots.get(name).map(|model| Model::clone(model)) else { return false };
        state.model = model;
        true
    }

    /// Sends every event that goes to a destination on, from now until the server stops. What can't be sent is
    /// tried again, in order; a destination that stays away holds up only its own events.
    pub fn forward_events(&self, destination: Destination) {
        let shared = Arc::clone(&self.shared);
        let mut stopped = self.stop.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = forward(&shared, &destination) => {}
                () = told(&mut stopped) => {}
            }
        });
    }

    /// Back to the world it was started with: no faults, no latencies, no calls. Snapshots stay.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Stops: open requests are answered, hanging ones are cut.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            // It only fails if the task panicked, and then it has stopped as well.
            drop(task.await);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Looks for new events over and over. Resetting the simulator begins the numbers anew, and this with them.
async fn forward(shared: &Inner, destination: &Destination) {
    let mut last = shared.state().model.events().last().map_or(0, |event| event.sequence);
    loop {
        let new: Vec<EmittedEvent> = {
            let state = shared.state();
            let events = state.model.events();
            if events.last().is_some_and(|event| event.sequence < last) {
                last = 0;
            }
            events.iter().filter(|event| event.sequence > last).cloned().collect()
        };
        let mut pause = FORWARD_EVERY;
        for event in new {
            if destination.wants(&event)
                && let Err(why) = destination.send(&event).await
            {
                eprintln!("simulator: an event could not be sent and is tried again: {why}");
                pause = FORWARD_AGAIN;
                break;
            }
            last = event.sequence;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Takes connections until it is told to stop.
async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = told(&mut stopped) => break,
            accepted = listener.accept() => {
                // A failure to accept is one connection's; the listener goes on.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, router.clone(), stopped.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        connections.shutdown().await;
    }
}

/// Serves one connection, which is kept alive from one request to the next.
async fn serve(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    // Small answers must not wait for an acknowledgement: that alone would cost 40 ms each.
    drop(stream.set_nodelay(true));
    let answers = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |request| {
        let answer = answers.call(request);
        async move {
            let response = answer.await.unwrap_or_else(|never: Infallible| match never {});
            // An error closes the connection without an answer.
            if response.extensions().get::<DropConnection>().is_some() {
                Err(DropConnection)
            } else {
                Ok(response)
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is the client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = told(&mut stopped) => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// Waits to be told to stop, or until nobody is left who could tell.
async fn told(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stop| *stop).await);
}

/// Every request that isn't for the control API is for AWS.
async fn aws(Shared(shared): Shared<Arc<Inner>>, http: HttpRequest) -> Response<Body> {
    let (parts, body) = http.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        let mut response = Response::new(Body::from("the body is too large or was cut off"));
        *response.status_mut() = axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let request =
        Request::read(Parts { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body });
    let effect = shared.state().perform(&request);
    if effect.strike == Some(Strike::Crash) {
        shared.crashes.send_modify(|crashes| *crashes += 1);
    }
    deliver(effect).await
}

async fn deliver(effect: Effect) -> Response<Body> {
    let Effect { service, answer, latency, strike } = effect;
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match strike {
        None => answer.into_response(service),
        Some(Strike::Hang) => std::future::pending().await,
        Some(Strike::Reset | Strike::Crash) => {
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(DropConnection);
            response
        }
        Some(Strike::Stall) => {
            let whole = answer.body.len().max(2);
            let begun = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
            let mut response = answer.into_response(service);
            *response.body_mut() = Body::new(StalledBody { begun: Some(begun), whole: whole as u64 });
            response
        }
    }
}
