//! A client of a few lines: it signs nothing and keeps its connection.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Options, Server, World};

pub(crate) const MANAGEMENT: &str = "111111111111";
pub(crate) const OWNER: &str = "222222222222";
pub(crate) const MEMBER: &str = "300000000001";
pub(crate) const GUARDRAIL: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c";

pub(crate) async fn start() -> Server {
    Server::start(World::example(), Options::default()).await.expect("the example world starts")
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(seen, _)| seen == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The code of an error, from wherever its protocol puts it.
    pub(crate) fn code(&self) -> String {
        if let Some(code) = self.header("x-amzn-errortype") {
            return code.split(':').next().unwrap_or_default().to_owned();
        }
        match serde_json::from_str::<Value>(&self.text) {
            // SQS puts a namespace before the code.
            Ok(body) => body["__type"]
                .as_str()
                .and_then(|code| code.rsplit('#').next())
                .unwrap_or_default()
                .to_owned(),
            Err(_) => tag(&self.text, "Code").to_owned(),
        }
    }
}

/// What stands in an XML element.
pub(crate) fn tag<'a>(xml: &'a str, name: &str) -> &'a str {
    let inner = xml.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
    inner.split_once(&format!("</{name}>")).map_or("", |(inner, _)| inner)
}

/// Calls as one principal in one Region.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: String,
    key: String,
    token: Option<String>,
    region: String,
    patience: Duration,
}

impl Client {
    pub(crate) fn new(server: &Server, account: &str) -> Client {
        Client {
            address: server.url().trim_start_matches("http://").to_owned(),
            key: format!("SIM{account}"),
            token: None,
            region: "us-east-1".to_owned(),
            patience: Duration::from_secs(10),
        }
    }

    pub(crate) fn region(self, region: &str) -> Client {
        Client { region: region.to_owned(), ..self }
    }

    pub(crate) fn key(self, key: &str, token: Option<&str>) -> Client {
        Client { key: key.to_owned(), token: token.map(str::to_owned), ..self }
    }

    pub(crate) fn patience(self, patience: Duration) -> Client {
        Client { patience, ..self }
    }

    /// Sends a request in a thread of its own, so that the server's runtime isn't held up.
    async fn send(&self, service: &str, head: String, body: String) -> std::io::Result<Reply> {
        let Client { address, key, token, region, patience } = self.clone();
        let token = token.map_or_else(String::new, |token| format!("x-amz-security-token: {token}\r\n"));
        let length = body.len();
        let request = format!(
            "{head}host: {address}\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential={key}/20261102/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             {token}content-length: {length}\r\n\r\n{body}"
        );
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(&address)?;
            stream.set_read_timeout(Some(patience))?;
            stream.write_all(request.as_bytes())?;
            read(&mut BufReader::new(stream))
        })
        .await
        .expect("the thread ends")
    }

    pub(crate) async fn rest(&self, method: &str, path: &str, body: Value) -> Reply {
        self.try_rest(method, path, body).await.expect("an answer")
    }

    pub(crate) async fn try_rest(&self, method: &str, path: &str, body: Value) -> std::io::Result<Reply> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("bedrock", format!("{method} {path} HTTP/1.1\r\n"), body).await
    }

    /// Sends any body to Bedrock.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: &str) -> Reply {
        self.send("bedrock", format!("{method} {path} HTTP/1.1\r\n"), body.to_owned())
            .await
            .expect("an answer")
    }

    /// Sends JSON to an API of another maker, on the endpoint of a service, with the headers that name a guardrail.
    pub(crate) async fn compatible(
        &self,
        service: &str,
        path: &str,
        guardrail: Option<&str>,
        body: Value,
    ) -> Reply {
        let named = guardrail.map_or_else(String::new, |guardrail| {
            format!(
                "x-amzn-bedrock-guardrailidentifier: {guardrail}\r\nx-amzn-bedrock-guardrailversion: 1\r\n"
            )
        });
        let head = format!("POST {path} HTTP/1.1\r\n{named}");
        self.send(service, head, body.to_string()).await.expect("an answer")
    }

    pub(crate) async fn account(&self, path: &str, body: Value) -> Reply {
        let head = format!("POST {path} HTTP/1.1\r\n");
        self.send("account", head, body.to_string()).await.expect("an answer")
    }

    pub(crate) async fn organizations(&self, operation: &str, body: Value) -> Reply {
        let head = format!("POST / HTTP/1.1\r\nx-amz-target: AWSOrganizationsV20161128.{operation}\r\n");
        self.send("organizations", head, body.to_string()).await.expect("an answer")
    }

    /// Calls any service that names its operations in a header.
    pub(crate) async fn service(&self, service: &str, target: &str) -> Reply {
        let head = format!("POST / HTTP/1.1\r\nx-amz-target: {target}\r\n");
        self.send(service, head, "{}".to_owned()).await.expect("an answer")
    }

    pub(crate) async fn ssm(&self, operation: &str, body: Value) -> Reply {
        let head = format!("POST / HTTP/1.1\r\nx-amz-target: AmazonSSM.{operation}\r\n");
        self.send("ssm", head, body.to_string()).await.expect("an answer")
    }

    pub(crate) async fn sqs(&self, operation: &str, body: Value) -> Reply {
        let head = format!("POST / HTTP/1.1\r\nx-amz-target: AmazonSQS.{operation}\r\n");
        self.send("sqs", head, body.to_string()).await.expect("an answer")
    }

    pub(crate) async fn put_events(&self, entries: Value) -> Reply {
        let head = "POST / HTTP/1.1\r\nx-amz-target: AWSEvents.PutEvents\r\n".to_owned();
        self.send("events", head, json!({ "Entries": entries }).to_string()).await.expect("an answer")
    }

    pub(crate) async fn sts(&self, form: &str) -> Reply {
        let head = "POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\n".to_owned();
        self.send("sts", head, format!("Version=2011-06-15&{form}")).await.expect("an answer")
    }

    /// The same client with the keys of an assumed role.
    pub(crate) async fn assume(&self, role: &str) -> Client {
        let reply = self.sts(&format!("Action=AssumeRole&RoleSessionName=test&RoleArn={role}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.clone().key(tag(&reply.text, "AccessKeyId"), Some(tag(&reply.text, "SessionToken")))
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("{method} /_simulator/{path} HTTP/1.1\r\ncontent-type: application/json\r\n");
        self.send("none", head, body).await.expect("an answer")
    }

    // What most tests do.

    pub(crate) async fn enforce(&self, guardrail: &str, version: &str, config_id: Option<&str>) -> Reply {
        let inner = json!({ "guardrailIdentifier": guardrail, "guardrailVersion": version });
        let mut body = json!({ "guardrailInferenceConfig": inner });
        if let Some(config_id) = config_id {
            body["configId"] = config_id.into();
        }
        self.rest("PUT", "/enforcedGuardrailsConfiguration", body).await
    }

    pub(crate) async fn enforced(&self) -> Reply {
        self.rest("GET", "/enforcedGuardrailsConfiguration", Value::Null).await
    }

    pub(crate) async fn apply(&self, guardrail: &str, version: &str, text: &str) -> Reply {
        let path = format!("/guardrail/{}/version/{version}/apply", encode(guardrail));
        let body = json!({ "source": "INPUT", "content": [{ "text": { "text": text } }] });
        self.rest("POST", &path, body).await
    }

    pub(crate) async fn converse(&self, model: &str, text: &str) -> Reply {
        let body = json!({ "messages": [{ "role": "user", "content": [{ "text": text }] }] });
        self.rest("POST", &format!("/model/{}/converse", encode(model)), body).await
    }
}

/// Percent-encodes what AWS clients encode in a label.
pub(crate) fn encode(label: &str) -> String {
    label.replace(':', "%3A").replace('/', "%2F")
}

fn read(stream: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| std::io::Error::other("the connection was closed without an answer"))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Reply { status, headers, text: String::from_utf8_lossy(&body).into_owned() })
}
