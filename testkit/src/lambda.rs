//! Lambda's Runtime API, as far as a function needs it, and the built function under it.
//!
//! An invocation waits until the function asks for the next one; what it answers comes back.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::program::built;
use crate::world::{FUNCTION_ROLE, HUB, MEMBER_ROLE, PARAMETER, US, World, function_key};

/// Longer than anything here takes, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A secret that must not show up in a log.
pub const SECRET: &str = "secret-access-key-of-the-test";

/// What the function said about one invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It answered.
    Response(Value),
    /// It failed, with this type and message.
    Error(String, String),
}

/// The function, running.
pub struct Function {
    child: Child,
    invocations: mpsc::UnboundedSender<Invocation>,
    answers: mpsc::UnboundedReceiver<Answer>,
    runtime: JoinHandle<()>,
    log: JoinHandle<Vec<String>>,
    errors: JoinHandle<Vec<String>>,
}

/// What the runtime hands to the function: a payload, and the header of the trace that it belongs to.
struct Invocation {
    payload: String,
    trace: String,
}

/// A trace that nothing led to.
const NO_TRACE: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0";

/// How the function ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Its log, a line each.
    pub log: Vec<String>,
    /// What it wrote to stderr.
    pub errors: Vec<String>,
}

impl Function {
    /// Starts the function with the settings that the template gives it, changed by `variables`; an
    /// empty value takes one away.
    pub async fn start(world: &World, variables: &[(&str, &str)]) -> Function {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (invocations, waiting) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let runtime = tokio::spawn(serve(listener, Arc::new(AsyncMutex::new(waiting)), answered));
        let mut command = Command::new(built("bootstrap"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "guardrail-keeper")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_ENDPOINT_URL", world.server.url())
            .env("AWS_REGION", US)
            .env("AWS_ACCESS_KEY_ID", function_key(HUB))
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("KEEPER_BASELINE", format!("ssm:{PARAMETER}"))
            .env("KEEPER_MEMBER_ROLE", MEMBER_ROLE)
            .env("KEEPER_FUNCTION_ROLE", FUNCTION_ROLE)
            .env("KEEPER_FORMER_ROLES", "FormerKeeper");
        if let Some(ledger) = world.setting("KEEPER_LEDGER") {
            command.env("KEEPER_LEDGER", ledger);
        }
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = tokio::spawn(lines(child.stdout.take().unwrap()));
        let errors = tokio::spawn(lines(child.stderr.take().unwrap()));
        Function { child, invocations, answers, runtime, log, errors }
    }

    /// Invokes the function with whatever text.
    pub async fn invoke(&mut self, payload: &str) -> Answer {
        self.invoke_traced(payload, NO_TRACE).await
    }

    /// Invokes the function as part of a trace, by its header.
    pub async fn invoke_traced(&mut self, payload: &str, trace: &str) -> Answer {
        self.invocations.send(Invocation { payload: payload.to_owned(), trace: trace.to_owned() }).unwrap();
        let answer = timeout(PATIENCE, self.answers.recv()).await;
        answer.expect("the function answers").expect("the runtime is there")
    }

    /// Invokes the function and takes its answer, which must be none of an error.
    #[track_caller]
    pub fn answer(&mut self, payload: &Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            match self.invoke(&payload.to_string()).await {
                Answer::Response(answer) => answer,
                Answer::Error(kind, message) => panic!("{place}: {kind}: {message}"),
            }
        }
    }

    /// The most memory that it has had so far, where the system tells.
    pub fn peak_kilobytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Ends it as Lambda does.
    pub async fn terminate(self) -> Ended {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(sent.success());
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> Ended {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the function ends").unwrap();
        self.runtime.abort();
        Ended { status, log: self.log.await.unwrap(), errors: self.errors.await.unwrap() }
    }
}

async fn lines(from: impl tokio::io::AsyncRead + Unpin) -> Vec<String> {
    let mut lines = BufReader::new(from).lines();
    let mut all = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        all.push(line);
    }
    all
}

type Waiting = Arc<AsyncMutex<mpsc::UnboundedReceiver<Invocation>>>;

async fn serve(listener: TcpListener, waiting: Waiting, answered: mpsc::UnboundedSender<Answer>) {
    let last = Arc::new(Mutex::new(0_u64));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let connection = connection(stream, Arc::clone(&waiting), answered.clone(), Arc::clone(&last));
        // How a connection ends is the function's business.
        tokio::spawn(async move { drop(connection.await) });
    }
}

async fn connection(
    stream: TcpStream,
    waiting: Waiting,
    answered: mpsc::UnboundedSender<Answer>,
    last: Arc<Mutex<u64>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let path = request.path.as_str();
        if path.ends_with("/invocation/next") {
            let Some(Invocation { payload, trace }) = waiting.lock().await.recv().await else {
                return Ok(());
            };
            let id = {
                let mut last = last.lock().unwrap();
                *last += 1;
                *last
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                 lambda-runtime-aws-request-id: 00000000-0000-4000-8000-{id:012}\r\n\
                 lambda-runtime-deadline-ms: 4102444800000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:{US}:{HUB}:function:guardrail-keeper\r\n\
                 lambda-runtime-trace-id: {trace}\r\n\
                 content-length: {}\r\n\r\n",
                payload.len()
            );
            // In one piece: two would wait for each other's acknowledgement.
            stream.write_all(&[head.as_bytes(), payload.as_bytes()].concat()).await?;
            continue;
        }
        let answer = if path.ends_with("/response") {
            Answer::Response(serde_json::from_slice(&request.body).unwrap())
        } else {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            Answer::Error(text("errorType"), text("errorMessage"))
        };
        stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await?;
        if answered.send(answer).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

struct Request {
    path: String,
    body: Vec<u8>,
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (seen, value) = line.split_once(':')?;
            seen.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = Vec::new();
    if header("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await?;
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let start = body.len();
            // Each chunk, and the last one of nothing, ends with an empty line.
            body.resize(start + size + 2, 0);
            stream.read_exact(&mut body[start..]).await?;
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header("content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).await?;
    }
    Ok(Some(Request { path, body }))
}
