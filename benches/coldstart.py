"""From the start of the function's process to its first request for work, and its first answer; beside
the smallest function there is. Done as Lambda does it: over the Runtime API."""

import json
import queue
import socket
import subprocess
import threading
import time
import zipfile
from pathlib import Path

from harness import Simulator, baseline, environment, middle, peak_mb, run
from newcomer import created, newcomer


def measure(programs, folder, quick):
    times = 5 if quick else 40
    with Simulator(programs["simulator"], 20) as simulator:
        document = folder / "cold.yaml"
        document.write_text(baseline(simulator.regions[:3]))
        # The baseline is approved by the first run, and the function finds that in the ledger.
        ledger = f"file:{folder / 'cold.json'}"
        env = environment(simulator.url, KEEPER_BASELINE=str(document), KEEPER_LEDGER=ledger)
        newcomer(simulator, "newcomer")
        event = json.dumps(created(simulator)).encode()
        # Everybody is guarded: the first invocation looks, and writes nothing.
        run([programs["keeper-bench"], "direct"], env)
        found = {"bootstrap": [], "hello": []}
        for _ in range(times):
            for name, runs in found.items():
                runs.append(start(programs[name], env, event))
    figures = {"times": times}
    for name, runs in found.items():
        init, least, most = middle([run["init"] for run in runs])
        figures[name] = {
            "init ms": init * 1e3,
            "init ms, least": least * 1e3,
            "init ms, most": most * 1e3,
            "init CPU ms": middle([run["init cpu"] for run in runs])[0] * 1e3,
            "first invocation ms": middle([run["first"] for run in runs])[0] * 1e3,
            "second invocation ms": middle([run["second"] for run in runs])[0] * 1e3,
            "peak MB": max(run["peak MB"] for run in runs),
            "bytes": Path(programs[name]).stat().st_size,
            "zip bytes": zipped(programs[name], folder),
        }
    return figures


def start(program, env, event):
    """One cold start, two invocations with the same event, and the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    runtime = Runtime(listener, event)
    env = env | {
        "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
    }
    began = time.monotonic()
    process = subprocess.Popen(
        [program], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    runtime.pid.put(process.pid)
    try:
        runtime.ended.get(timeout=60)
    except queue.Empty:
        process.kill()
        raise SystemExit(f"{program} failed, or did not answer: {runtime.failure}") from None
    process.terminate()
    process.wait()
    listener.close()
    return {
        "init": runtime.asked[0] - began,
        "init cpu": runtime.init_cpu,
        "first": runtime.answered[0] - runtime.given[0],
        "second": runtime.answered[1] - runtime.given[1],
        "peak MB": runtime.peak_mb,
    }


class Runtime:
    """Lambda's side of the Runtime API, for one function, which asks for one thing at a time."""

    def __init__(self, listener, event):
        self.event, self.failure = event, None
        self.process, self.init_cpu, self.peak_mb = None, None, None
        # When it asked for work, was given it, and answered.
        self.asked, self.given, self.answered = [], [], []
        self.pid, self.ended = queue.SimpleQueue(), queue.SimpleQueue()
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Small answers must not wait for an acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
            now = time.monotonic()
            head, _, data = data.partition(b"\r\n\r\n")
            line, *headers = head.decode().split("\r\n")
            path = line.split()[1]
            headers = {name.lower(): value for name, value in (it.split(": ", 1) for it in headers)}
            if path.endswith("/invocation/next"):
                self.asked.append(now)
                if len(self.asked) == 1:
                    self.process = self.pid.get()
                    self.init_cpu = cpu_of(self.process)
                if len(self.asked) == 3:
                    self.peak_mb = peak_mb(self.process)
                    self.ended.put(None)
                    return
                self.given.append(time.monotonic())
                connection.sendall(self.work())
                continue
            body, data = self.body(connection, headers, data)
            self.answered.append(now)
            if path.endswith("/error"):
                self.failure = body
                return
            connection.sendall(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    def work(self):
        """In one piece: two would wait for each other's acknowledgement."""
        head = (
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            f"lambda-runtime-aws-request-id: 00000000-0000-4000-8000-{len(self.asked):012}\r\n"
            "lambda-runtime-deadline-ms: 4102444800000\r\n"
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:111111111111:function:measured\r\n"
            "lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0\r\n"
            f"content-length: {len(self.event)}\r\n\r\n"
        )
        return head.encode() + self.event

    @staticmethod
    def body(connection, headers, data):
        """Reads a body to its end, and gives back what came after it."""

        def until(enough):
            nonlocal data
            while not enough():
                more = connection.recv(65536)
                if not more:
                    raise ConnectionError
                data += more

        if headers.get("transfer-encoding") == "chunked":
            # The last chunk is one of nothing.
            until(lambda: data.endswith(b"0\r\n\r\n"))
            return data, b""
        length = int(headers.get("content-length", "0"))
        until(lambda: len(data) >= length)
        return data[:length], data[length:]


def cpu_of(pid):
    """CPU time of a process so far, in seconds, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def zipped(program, folder):
    """The size of the package that would be uploaded."""
    path = folder / "package.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        package.write(program, "bootstrap")
    return path.stat().st_size
