//! Measuring: what a large organization costs in memory, and how long answers take over loopback.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use simulator::{Enforce, Options, Server, World};
use tokio::net::TcpStream;

/// Calls of each kind that are timed.
const CALLS: usize = 5_000;
/// Connections that are used at once for the throughput.
const CONNECTIONS: usize = 8;

/// One kind of call: its name, service, method, path, headers and body.
struct Kind {
    name: &'static str,
    service: &'static str,
    method: &'static str,
    path: String,
    target: &'static str,
    body: String,
    member: bool,
}

pub(crate) async fn measure(accounts: usize, regions: usize) -> Result<(), String> {
    let begun = Instant::now();
    let world = World::large(accounts, regions);
    let names: Vec<String> = world.regions.keys().cloned().collect();
    let first = world.guardrails.iter().find(|entry| entry.region == "us-east-1").cloned();
    let first = first.ok_or("there must be us-east-1, which is the first of the Regions")?;
    let owner = first.account.clone();
    let members: Vec<String> = world
        .accounts
        .iter()
        .filter(|account| account.name.starts_with("account-"))
        .map(|a| a.id.clone())
        .collect();
    let simulator = Server::start(world, Options::default()).await.map_err(|error| error.to_string())?;
    println!("{accounts} accounts × {regions} Regions");
    println!("{:<44}{:>10.1?}", "start", begun.elapsed());
    println!("{:<44}{:>7} MB", "memory at the start", resident_mb());

    enforce_everywhere(&simulator, &owner, &members, &names)?;
    let address = simulator.url().trim_start_matches("http://").to_owned();
    time_calls(&address, &first.id, &members).await?;
    time_throughput(&address, &first.id, &members).await?;
    println!("{:<44}{:>7} MB", "memory at the end, with log and events", resident_mb());
    simulator.stop().await;
    Ok(())
}

/// Puts an enforcement into every account and Region, through the model.
fn enforce_everywhere(
    simulator: &Server,
    owner: &str,
    members: &[String],
    names: &[String],
) -> Result<(), String> {
    let begun = Instant::now();
    simulator.with(|model| {
        for region in names {
            let arn = model.guardrail_arn(owner, region, "corporate-baseline").map(str::to_owned);
            let arn = arn.ok_or_else(|| format!("there is no guardrail in {region}"))?;
            for account in members {
                let by = format!("arn:aws:iam::{account}:role/GuardrailKeeperMember");
                let put = model.put_enforcement_as(&by, account, region, Enforce::new(&arn, "2"));
                put.map_err(|error| error.to_string())?;
            }
        }
        Ok::<(), String>(())
    })?;
    let label = format!("{} enforcements put", members.len() * names.len());
    println!("{label:<44}{:>10.1?}", begun.elapsed());
    println!("{:<44}{:>7} MB", "memory with all of them", resident_mb());
    Ok(())
}

/// Times each kind of call on a connection of its own.
async fn time_calls(address: &str, guardrail: &str, members: &[String]) -> Result<(), String> {
    println!("\n{:<44}{:>10}{:>10}{:>10}", "one connection", "median", "99 %", "slowest");
    for kind in kinds(guardrail) {
        let mut connection = connect(address).await?;
        let mut times = Vec::with_capacity(CALLS);
        for number in 0..CALLS {
            times.push(call(&mut connection, address, &kind, &members[number % members.len()]).await?);
        }
        times.sort_unstable();
        let at = |share: usize| times[(CALLS * share / 100).min(CALLS - 1)];
        println!("{:<44}{:>10.1?}{:>10.1?}{:>10.1?}", kind.name, at(50), at(99), times[CALLS - 1]);
    }
    Ok(())
}

/// Counts how many calls several connections get answered.
async fn time_throughput(address: &str, guardrail: &str, members: &[String]) -> Result<(), String> {
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..CONNECTIONS {
        let (address, members) = (address.to_owned(), members.to_owned());
        let id = guardrail.to_owned();
        tasks.spawn(async move {
            let list = kinds(&id).swap_remove(0);
            let mut connection = connect(&address).await?;
            for number in 0..CALLS {
                let account = &members[(worker * CALLS + number) % members.len()];
                call(&mut connection, &address, &list, account).await?;
            }
            Ok::<(), String>(())
        });
    }
    for done in tasks.join_all().await {
        done?;
    }
    let rate = (CONNECTIONS * CALLS) as f64 / begun.elapsed().as_secs_f64();
    println!("\n{CONNECTIONS} connections: {rate:.0} calls a second");
    Ok(())
}

fn kinds(guardrail: &str) -> Vec<Kind> {
    let arn = format!("arn%3Aaws%3Abedrock%3Aus-east-1%3A222222222222%3Aguardrail%2F{guardrail}");
    let rest = |name, method, path: String, body: &str| Kind {
        name,
        service: "bedrock",
        method,
        path,
        target: "",
        body: body.to_owned(),
        member: true,
    };
    let organizations = |name, target, body: &str| Kind {
        name,
        service: "organizations",
        method: "POST",
        path: "/".to_owned(),
        target,
        body: body.to_owned(),
        member: false,
    };
    let apply = r#"{"source":"INPUT","content":[{"text":{"text":"hello"}}]}"#;
    let converse = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#;
    vec![
        rest("ListEnforcedGuardrailsConfiguration", "GET", "/enforcedGuardrailsConfiguration".to_owned(), ""),
        rest("GetGuardrail, of another account", "GET", format!("/guardrails/{arn}"), ""),
        rest(
            "ApplyGuardrail, of another account",
            "POST",
            format!("/guardrail/{arn}/version/2/apply"),
            apply,
        ),
        rest("Converse, guarded", "POST", "/model/amazon.nova-pro-v1%3A0/converse".to_owned(), converse),
        rest("CreateGuardrailVersion, refused with an event", "POST", "/guardrails/none".to_owned(), "{}"),
        organizations(
            "DescribeAccount",
            "AWSOrganizationsV20161128.DescribeAccount",
            r#"{"AccountId":"222222222222"}"#,
        ),
        organizations("ListAccounts, first page", "AWSOrganizationsV20161128.ListAccounts", "{}"),
    ]
}

async fn connect(address: &str) -> Result<SendRequest<Body>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn call(
    connection: &mut SendRequest<Body>,
    address: &str,
    kind: &Kind,
    member: &str,
) -> Result<Duration, String> {
    let account = if kind.member { member } else { "111111111111" };
    let scope = format!("SIM{account}/20261102/us-east-1/{}/aws4_request", kind.service);
    let request = Request::builder()
        .method(kind.method)
        .uri(&kind.path)
        .header("host", address)
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .header("x-amz-target", kind.target)
        .body(Body::from(kind.body.clone()))
        .map_err(|error| error.to_string())?;
    connection.ready().await.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let response = connection.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    if status.is_success() == kind.path.ends_with("/none") {
        return Err(format!("{} was answered {status}", kind.name));
    }
    let body = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await;
    body.map_err(|error| error.to_string())?;
    Ok(begun.elapsed())
}

/// What this process holds in memory, as Linux tells it; 0 elsewhere.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
