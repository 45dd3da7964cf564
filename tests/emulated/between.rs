//! Stands between a client and an emulator, passes calls on, and does to some what networks and
//! services do.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::permissions;

/// What happens to one call.
pub(crate) enum Fault {
    /// None: the fault is another call's.
    Pass,
    /// The connection breaks before the call has arrived.
    Reset,
    /// The call arrives and is carried out; its answer is lost.
    LoseAnswer,
    /// The service refuses, with an error code.
    Refuse(&'static str),
    /// The function has the request's body, a way to pass a body on and get its answer, and says
    /// what the client gets; `None` is a lost answer.
    Between(Box<Meddle>),
}

impl Fault {
    pub(crate) fn between(
        meddle: impl FnOnce(&Value, &dyn Fn(&Value) -> Value) -> Option<Value> + Send + 'static,
    ) -> Fault {
        Fault::Between(Box::new(meddle))
    }
}

pub(crate) type Meddle = dyn FnOnce(&Value, &dyn Fn(&Value) -> Value) -> Option<Value> + Send;

/// A listener on loopback, with the emulator behind it.
pub(crate) struct Between {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    emulator: String,
    faults: Mutex<VecDeque<(&'static str, Fault)>>,
    calls: Mutex<Vec<String>>,
}

struct Request {
    head: Vec<String>,
    operation: String,
    body: Vec<u8>,
}

impl Between {
    /// In front of the emulator at `host:port`.
    pub(crate) fn start(emulator: &str) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared {
            emulator: emulator.to_owned(),
            faults: Mutex::default(),
            calls: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&client));
            }
        });
        Between { url, shared }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next call of that operation meets this fault; several are met in the order given.
    pub(crate) fn next(&self, operation: &'static str, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((operation, fault));
    }

    /// The operations called since the last time, each attempt of them; every fault was met.
    #[track_caller]
    pub(crate) fn calls(&self) -> Vec<String> {
        assert_eq!(self.shared.faults.lock().unwrap().len(), 0, "a fault that nothing met");
        std::mem::take(&mut *self.shared.calls.lock().unwrap())
    }
}

impl Shared {
    /// A broken connection ends here: that it breaks is what some tests are about.
    fn serve(&self, client: &TcpStream) {
        let mut reader = BufReader::new(client);
        while let Some(head) = read_head(&mut reader) {
            let target =
                header(&head, "x-amz-target").expect("a call of one of AWS's JSON protocols").to_owned();
            let operation = target.rsplit('.').next().expect("a target names an operation").to_owned();
            self.calls.lock().unwrap().push(operation.clone());
            let fault = self.fault(&operation);
            if let Some(Fault::Reset) = fault {
                // A socket that is closed with something unread in it resets the connection.
                return;
            }
            let length = header(&head, "content-length").expect("a body with its length");
            let mut body = vec![0; length.parse().expect("a length is a number")];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            // A body that a test gives no shape names nothing.
            let input: Value = serde_json::from_slice(&body).unwrap_or_default();
            permissions::record(&target, &operation, &input);
            let request = Request { head, operation, body };
            let Some(answer) = self.answer(&request, fault) else { return };
            if (&mut &*client).write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn fault(&self, operation: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let place = faults.iter().position(|(of, _)| *of == operation)?;
        faults.remove(place).map(|(_, fault)| fault)
    }

    fn answer(&self, request: &Request, fault: Option<Fault>) -> Option<Vec<u8>> {
        match fault {
            None | Some(Fault::Pass) => {
                let (status, body) = self.pass_on(request, &request.body);
                Some(response(status, &body, ""))
            }
            Some(Fault::Reset) => unreachable!("it was seen to"),
            Some(Fault::LoseAnswer) => {
                let (status, body) = self.pass_on(request, &request.body);
                assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                None
            }
            Some(Fault::Refuse(code)) => {
                let body =
                    json!({ "__type": format!("com.amazonaws#{code}"), "message": "as the test says" });
                let query = format!("x-amzn-query-error: {code};Receiver\r\n");
                Some(response(400, body.to_string().as_bytes(), &query))
            }
            Some(Fault::Between(meddle)) => {
                let body: Value = serde_json::from_slice(&request.body).expect("a request is JSON");
                let pass_on = |body: &Value| {
                    let (status, answer) = self.pass_on(request, body.to_string().as_bytes());
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
                    serde_json::from_slice(&answer).expect("an answer is JSON")
                };
                meddle(&body, &pass_on).map(|answer| response(200, answer.to_string().as_bytes(), ""))
            }
        }
    }

    /// The same call with another body, on a connection of its own.
    fn pass_on(&self, request: &Request, body: &[u8]) -> (u16, Vec<u8>) {
        let mut head = String::new();
        for line in &request.head {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            if name != "connection" && name != "content-length" {
                write!(head, "{line}\r\n").expect("a String takes everything");
            }
        }
        write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", body.len()).expect("it does");
        let mut emulator = TcpStream::connect(&self.emulator).expect("the emulator is there");
        emulator.write_all(&[head.as_bytes(), body].concat()).expect("the emulator listens");
        let mut reader = BufReader::new(emulator);
        let head = read_head(&mut reader).unwrap_or_else(|| panic!("{} got no answer", request.operation));
        let status = head[0].split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut body = Vec::new();
        match header(&head, "content-length") {
            Some(length) => {
                body.resize(length.parse().expect("a length is a number"), 0);
                reader.read_exact(&mut body).expect("the whole answer comes");
            }
            None => {
                assert_eq!(header(&head, "transfer-encoding"), None, "a form of answer not foreseen here");
                reader.read_to_end(&mut body).expect("the answer ends");
            }
        }
        (status.expect("an answer has a status"), body)
    }
}

/// The lines of a head; none where the connection has ended.
fn read_head(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => return Some(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let lines = head.iter().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim())
}

fn response(status: u16, body: &[u8], headers: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
