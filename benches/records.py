"""What a task of a sweep calls of DynamoDB, where its records are kept there, and how much it reads and
writes: counted between the keeper and an emulator. The emulator's own speed plays no part in it."""

import http.client
import json
import math
import subprocess

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

from harness import HUB, Simulator, baseline, environment, run

TABLE = "ledger"


def measure(programs, folder, quick):
    accounts = 20 if quick else 100
    with Simulator(programs["simulator"], accounts) as simulator, Emulator(programs["moto"]) as emulator:
        document = folder / "records.yaml"
        document.write_text(baseline(simulator.regions))
        env = environment(
            simulator.url,
            KEEPER_BASELINE=str(document),
            KEEPER_LEDGER=f"table:{TABLE}",
            AWS_ENDPOINT_URL_DYNAMODB=emulator.url,
        )
        command = [programs["keeper-bench"], "queued"]
        figures = {"accounts": accounts, "regions": len(simulator.regions)}
        # Everything is absent, then known and in sync.
        for state in ["absent", "in sync"]:
            emulator.counts.clear()
            before = dict(emulator.units)
            used = run(command, env)
            units = {kind: emulator.units[kind] - before[kind] for kind in before}
            figures[state] = {
                "calls per task": {
                    name: number / accounts for name, number in sorted(emulator.counts.items())
                },
                "read units per task": units["read"] / accounts,
                "write units per task": units["write"] / accounts,
                "CPU-milliseconds per task": used.cpu / accounts * 1e3,
            }
    return figures


class Emulator:
    """moto's DynamoDB, and before it a counter."""

    def __init__(self, program):
        port = free_port()
        self.process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.counts, self.units = {}, {"read": 0, "write": 0}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), counter(self, port))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.make_table(f"http://127.0.0.1:{port}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.process.terminate()
        self.process.wait()

    def make_table(self, url):
        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id=f"SIM{HUB}",
            aws_secret_access_key="simulator",
        )
        until = time.monotonic() + 60
        while True:
            try:
                client.create_table(
                    TableName=TABLE,
                    AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                    KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
                    BillingMode="PAY_PER_REQUEST",
                )
                return
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def note(self, operation, request, answer):
        """DynamoDB's units: 1 KB written, 4 KB read consistently; a miss costs one as well."""
        self.counts[operation] = self.counts.get(operation, 0) + 1
        if operation == "PutItem":
            self.units["write"] += math.ceil(size(request["Item"]) / 1024)
        elif operation == "GetItem":
            self.units["read"] += max(1, math.ceil(size(answer.get("Item", {})) / 4096))
        elif operation == "BatchGetItem":
            asked = len(request["RequestItems"][TABLE]["Keys"])
            found = answer["Responses"][TABLE]
            units = sum(math.ceil(size(item) / 4096) for item in found)
            self.units["read"] += units + asked - len(found)


def size(item):
    """About: names and values, as text."""
    return sum(len(name) + len(next(iter(value.values())).encode()) for name, value in item.items())


def counter(emulator, port):
    lock = threading.Lock()

    class Counter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            onward = http.client.HTTPConnection("127.0.0.1", port)
            names = ("x-amz-target", "content-type", "authorization", "x-amz-date")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            onward.request("POST", "/", body, headers)
            answer = onward.getresponse()
            text = answer.read()
            operation = self.headers["x-amz-target"].rpartition(".")[2]
            with lock:
                emulator.note(operation, json.loads(body), json.loads(text))
            self.send_response(answer.status)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    return Counter


def free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


