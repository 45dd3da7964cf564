"""Stands between a client and the simulator, and holds every answer against botocore's service models.

It is a proxy, so that it sees what is on the wire whichever client asks. It finds out by itself which operation a
request means: nothing here comes from the simulator.
"""

import base64
import json
import re
import threading
import urllib.parse
import xml.etree.ElementTree
from datetime import datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.loaders
from botocore.eventstream import EventStreamBuffer
from botocore.model import ServiceModel

SERVICES = [
    "account", "bedrock", "bedrock-runtime", "cloudformation", "cloudtrail", "dynamodb", "events", "iam", "kms",
    "lambda", "organizations", "sqs", "ssm", "sts",
]
# Those that take forms and answer in XML.
QUERY = ("cloudformation", "iam", "sts")

# Errors that were seen of operations whose models don't name them (awslabs/sra-verify#10).
SEEN_ERRORS = {("ListPolicies", "PolicyTypeNotEnabledException"): 400}
# Errors that belong to every service and so to no service's model.
COMMON_ERRORS = {
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "ExpiredToken": 403,
    "ExpiredTokenException": 403,
    "InvalidAction": 400,
    "InvalidClientTokenId": 403,
    "SerializationException": 400,
    "SubscriptionRequiredException": 403,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationError": 400,
    "ValidationException": 400,
}
# JSON 1.1 sends them all with 400.
JSON_STATUS = 400

# Errors of SQS that its model doesn't have: their code in the header for older clients, and their status.
SQS_ERRORS = {
    "AccessDeniedException": ("AccessDenied", 403),
    "InternalFailure": ("InternalFailure", 500),
    "InvalidParameterValueException": ("InvalidParameterValue", 400),
    "MissingRequiredParameterException": ("MissingParameter", 400),
    "UnknownOperationException": ("InvalidAction", 400),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
}
# Those of its model whose code there isn't the name of the shape, or whose status isn't 400.
SQS_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    **{
        code: f"AWS.SimpleQueueService.{code}"
        for code in (
            "BatchEntryIdsNotDistinct", "BatchRequestTooLong", "EmptyBatchRequest", "InvalidBatchEntryId",
            "MessageNotInflight", "PurgeQueueInProgress", "TooManyEntriesInBatchRequest", "UnsupportedOperation",
        )
    },
}
SQS_STATUS = {"PurgeQueueInProgress": 403, "ReceiptHandleIsInvalid": 404, "RequestThrottled": 403}

# DynamoDB's errors are of its own namespace, but for those of the framework.
DYNAMODB_NAMESPACES = {
    "AccessDeniedException": "com.amazon.coral.service",
    "SerializationException": "com.amazon.coral.service",
    "UnknownOperationException": "com.amazon.coral.service",
    "UnrecognizedClientException": "com.amazon.coral.service",
    "ValidationException": "com.amazon.coral.validate",
}

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def load(name):
    loader = botocore.loaders.Loader()
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


class Models:
    """The service models, and which operation a request means."""

    def __init__(self):
        self.services = {name: load(name) for name in SERVICES}

    def operation(self, method, path, headers, body):
        """The service and operation model; the operation is None for a request that no model knows."""
        target = headers.get("x-amz-target", "")
        if target:
            # CloudTrail's prefix has dots in it.
            prefix, _, operation = target.rpartition(".")
            [name] = [
                name for name, service in self.services.items() if service.metadata.get("targetPrefix") == prefix
            ]
            return self.services[name], self._named(name, operation)
        scope = re.search(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/", headers.get("authorization", ""))
        scope = scope.group(1) if scope else ""
        if scope in QUERY:
            action = urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]
            return self.services[scope], self._named(scope, action)
        names = [scope] if scope in ("account", "lambda") else ["bedrock", "bedrock-runtime"]
        for name in names:
            for operation in self.services[name].operation_names:
                model = self.services[name].operation_model(operation)
                template = model.http["requestUri"].split("?")[0]
                pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template))
                if model.http["method"] == method and re.fullmatch(pattern, path.split("?")[0]):
                    return self.services[name], model
        return self.services[names[0]], None

    def _named(self, service, operation):
        known = operation in self.services[service].operation_names
        return self.services[service].operation_model(operation) if known else None


class Checker:
    """Collects everything about answers that the models don't allow."""

    def __init__(self):
        self.models = Models()
        self.problems = []
        self.seen = {}
        # Set by the test that makes sure that this class notices.
        self.spoil = None

    def check(self, method, path, request_headers, request_body, status, headers, body):
        service, operation = self.models.operation(method, path, request_headers, request_body)
        name = f"{service.service_name} {operation.name if operation else path}"
        count, failures = self.seen.get(name, (0, 0))
        self.seen[name] = (count + 1, failures + (status >= 300))
        found = []
        if "x-amzn-requestid" not in headers:
            found.append("there is no x-amzn-requestid")
        if status >= 300:
            self._check_error(service, operation, status, headers, body, found)
        elif operation is None:
            found.append(f"an unknown operation succeeded with {status}")
        else:
            self._check_success(service, operation, status, headers, body, found)
        self.problems += [f"{name} ({status}): {problem}" for problem in found]

    def _check_success(self, service, operation, status, headers, body, found):
        wanted = operation.http.get("responseCode", 200)
        if status != wanted:
            found.append(f"the status should be {wanted}")
        shape = operation.output_shape
        protocol = service.metadata["protocol"]
        if protocol == "query":
            root = xml.etree.ElementTree.fromstring(body)
            namespace = "{" + service.metadata["xmlNamespace"] + "}"
            if root.tag != f"{namespace}{operation.name}Response":
                found.append(f"the root is {root.tag}")
            result = root.find(f"{namespace}{operation.name}Result")
            self._xml(shape, result, namespace, operation.name, found)
            return
        content_type = headers.get("content-type", "")
        if operation.has_event_stream_output:
            wanted_type = "application/vnd.amazon.eventstream"
        else:
            version = service.metadata.get("jsonVersion")
            wanted_type = "application/json" if protocol == "rest-json" else f"application/x-amz-json-{version}"
        if content_type != wanted_type:
            found.append(f"the content type is {content_type}")
        if shape is None:
            if body not in (b"", b"{}"):
                found.append(f"there should be no output: {body[:100]!r}")
            return
        payload = shape.serialization.get("payload")
        if operation.has_event_stream_output:
            self._stream(operation.get_event_stream_output(), headers, body, operation.name, found, service)
            return
        members = {} if payload else json.loads(body or b"{}")
        for member in shape.members.values():
            if member.serialization.get("location") == "header":
                name = member.serialization["name"]
                if name.lower() in headers:
                    members[name] = headers[name.lower()]
        if payload:
            members[payload] = base64.b64encode(body).decode()
        self._value(shape, members, operation.name, found, service)

    def _stream(self, shape, headers, body, path, found, service):
        """Every event of a stream; botocore's own reader checks the frames and their checksums."""
        if path.startswith("InvokeModel") and "x-amzn-bedrock-content-type" not in headers:
            found.append(f"{path}.contentType is missing")
        events = EventStreamBuffer()
        events.add_data(body)
        for event in events:
            kind = event.headers[":event-type"]
            if kind not in shape.members:
                found.append(f"{path} has no event {kind}")
                continue
            self._value(shape.members[kind], json.loads(event.payload), f"{path}.{kind}", found, service)

    def _check_error(self, service, operation, status, headers, body, found):
        protocol = service.metadata["protocol"]
        if protocol == "query":
            root = xml.etree.ElementTree.fromstring(body)
            namespace = "{" + service.metadata["xmlNamespace"] + "}"
            code = root.findtext(f"{namespace}Error/{namespace}Code")
            members = {}
            if root.findtext(f"{namespace}Error/{namespace}Type") not in ("Sender", "Receiver"):
                found.append("an error is of type Sender or Receiver")
        elif protocol == "rest-json":
            code = headers.get("x-amzn-errortype", "").split(":")[0]
            members = json.loads(body)
        else:
            members = json.loads(body)
            code = members.pop("__type", "")
        if service.service_name == "sqs":
            self._check_sqs_error(operation, code, members, status, headers, found, service)
            return
        shapes = operation.error_shapes if operation else []
        if service.service_name == "dynamodb":
            namespace, _, code = code.rpartition("#")
            wanted = DYNAMODB_NAMESPACES.get(code, "com.amazonaws.dynamodb.v20120810")
            if namespace != wanted:
                found.append(f"{code} is of {wanted}, not of {namespace}")
        modelled = [shape for shape in shapes if shape.error_code == code]
        if not modelled:
            wanted = SEEN_ERRORS.get((operation and operation.name, code)) or COMMON_ERRORS.get(code)
            if wanted is None:
                found.append(f"{code!r} is no error of this operation")
                return
            if protocol == "json":
                wanted = JSON_STATUS
            elif protocol == "rest-json" and code == "AccessDeniedException":
                wanted = 403
        else:
            wanted = modelled[0].metadata.get("error", {}).get("httpStatusCode", status)
            self._value(modelled[0], members, code, found, service, lenient_case=True)
        if status != wanted:
            found.append(f"the status of {code} should be {wanted}")

    def _check_sqs_error(self, operation, code, members, status, headers, found, service):
        """SQS says the code twice: with a namespace in the body, and as the query protocol did in a header."""
        namespace, _, code = code.rpartition("#")
        shapes = [shape for shape in (operation.error_shapes if operation else []) if shape.name == code]
        if shapes:
            wanted_namespace = "com.amazonaws.sqs"
            wanted = (SQS_CODES.get(code, code), SQS_STATUS.get(code, 400))
            self._value(shapes[0], members, code, found, service, lenient_case=True)
        else:
            wanted_namespace = "com.amazon.coral.service"
            wanted = SQS_ERRORS.get(code)
        if wanted is None:
            found.append(f"{code!r} is no error of this operation")
            return
        if namespace != wanted_namespace:
            found.append(f"{code} is of {wanted_namespace}, not of {namespace}")
        fault = "Receiver" if status >= 500 else "Sender"
        header = headers.get("x-amzn-query-error")
        if header != f"{wanted[0]};{fault}":
            found.append(f"x-amzn-query-error of {code} is {header}")
        if status != wanted[1]:
            found.append(f"the status of {code} should be {wanted[1]}")

    def _value(self, shape, value, path, found, service, lenient_case=False):
        """A value of JSON, on the wire."""
        kind = shape.type_name
        if kind == "structure":
            if getattr(shape, "is_document_type", False):
                return
            if not isinstance(value, dict):
                found.append(f"{path} is not an object: {value!r}")
                return
            known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
            # Some models leave the message of an error out, which is there all the same.
            lower = {name.lower() for name in known} | {"message"}
            for name, inner in value.items():
                if name not in known:
                    # An error's message is written either way, and every client reads both.
                    if not (lenient_case and name.lower() in lower):
                        found.append(f"{path}.{name} is not a member of {shape.name}")
                elif inner is None:
                    found.append(f"{path}.{name} is null")
                else:
                    self._value(known[name], inner, f"{path}.{name}", found, service)
            for name in shape.required_members:
                if shape.members[name].serialization.get("name", name) not in value:
                    found.append(f"{path}.{name} is missing")
            if getattr(shape, "is_tagged_union", False) and len(value) != 1:
                found.append(f"{path} is a union and has {len(value)} members")
        elif kind == "list":
            if not isinstance(value, list):
                found.append(f"{path} is not a list: {value!r}")
                return
            self._bounds(shape, len(value), path, found)
            for index, inner in enumerate(value):
                self._value(shape.member, inner, f"{path}[{index}]", found, service)
        elif kind == "map":
            for name, inner in value.items():
                self._value(shape.key, name, f"{path}.{name} (the key)", found, service)
                self._value(shape.value, inner, f"{path}.{name}", found, service)
        elif kind in ("string", "character"):
            if not isinstance(value, str):
                found.append(f"{path} is not a string: {value!r}")
                return
            self._string(shape, value, path, found)
        elif kind in ("integer", "long"):
            if not isinstance(value, int) or isinstance(value, bool):
                found.append(f"{path} is not a whole number: {value!r}")
                return
            self._bounds(shape, value, path, found)
        elif kind in ("float", "double"):
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                found.append(f"{path} is not a number: {value!r}")
        elif kind == "boolean":
            if not isinstance(value, bool):
                found.append(f"{path} is not a boolean: {value!r}")
        elif kind == "timestamp":
            iso = shape.serialization.get("timestampFormat") == "iso8601"
            if service.metadata["protocol"] == "query" or iso:
                if not isinstance(value, str) or not ISO_8601.fullmatch(value):
                    found.append(f"{path} is not a time of ISO 8601: {value!r}")
                else:
                    datetime.fromisoformat(value.replace("Z", "+00:00"))
            elif not isinstance(value, (int, float)):
                found.append(f"{path} is not a time in seconds: {value!r}")

    def _xml(self, shape, element, namespace, path, found):
        if element is None:
            found.append(f"{path} is missing")
            return
        children = {child.tag.removeprefix(namespace): child for child in element}
        for name, child in children.items():
            if name not in shape.members:
                found.append(f"{path}.{name} is not a member of {shape.name}")
                continue
            self._xml_value(shape.members[name], child, namespace, f"{path}.{name}", found)
        for name in shape.required_members:
            if name not in children:
                found.append(f"{path}.{name} is missing")

    def _xml_value(self, shape, element, namespace, path, found):
        kind, text = shape.type_name, element.text or ""
        if kind == "structure":
            self._xml(shape, element, namespace, path, found)
        elif kind == "list":
            self._bounds(shape, len(element), path, found)
            for index, item in enumerate(element):
                if item.tag != f"{namespace}member":
                    found.append(f"{path}[{index}] is called {item.tag}")
                self._xml_value(shape.member, item, namespace, f"{path}[{index}]", found)
        elif kind == "map":
            for entry in element:
                key, value = entry.find(f"{namespace}key"), entry.find(f"{namespace}value")
                if entry.tag != f"{namespace}entry" or key is None or value is None:
                    found.append(f"{path} has an entry {entry.tag} without key or value")
                    continue
                self._xml_value(shape.key, key, namespace, f"{path}.{key.text} (the key)", found)
                self._xml_value(shape.value, value, namespace, f"{path}.{key.text}", found)
        elif kind == "timestamp":
            if not ISO_8601.fullmatch(text):
                found.append(f"{path} is not a time of ISO 8601: {text}")
        elif kind == "string":
            self._string(shape, text, path, found)
        elif kind == "boolean":
            if text not in ("true", "false"):
                found.append(f"{path} is not a boolean: {text!r}")
        elif kind in ("integer", "long") and not re.fullmatch(r"-?\d+", text):
            found.append(f"{path} is not a whole number: {text!r}")

    def _string(self, shape, value, path, found):
        self._bounds(shape, len(value), path, found)
        if shape.enum and value not in shape.enum:
            found.append(f"{path} is none of {shape.enum}: {value!r}")
        # botocore keeps the pattern of a shape only in the raw model.
        pattern = shape._shape_model.get("pattern")  # noqa: SLF001
        if pattern and not re.fullmatch(translated(pattern), value):
            found.append(f"{path} doesn't match {pattern}: {value!r}")

    @staticmethod
    def _bounds(shape, size, path, found):
        if "min" in shape.metadata and size < shape.metadata["min"]:
            found.append(f"{path} is smaller than {shape.metadata['min']}")
        if "max" in shape.metadata and size > shape.metadata["max"]:
            found.append(f"{path} is larger than {shape.metadata['max']}")


def translated(pattern):
    """Java's classes of characters in the words of Python."""
    pattern = pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s").replace(r"\p{L}", r"\w")
    # Organizations' patterns are open at their end: `…/o-x/111111111111` goes on after `…/o-x`.
    return f"(?:{pattern})" if not pattern.startswith("^arn:aws:organizations") else f"(?:{pattern}).*"


class Proxy:
    """Serves the checker on a port of its own."""

    def __init__(self, upstream):
        self.checker = Checker()
        self.upstream = urllib.parse.urlsplit(upstream).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                proxy.forward(self)

            do_GET = do_PUT = do_POST = do_DELETE = handle_any

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, request):
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        connection = HTTPConnection(self.upstream, timeout=30)
        connection.request(request.command, request.path, body, dict(request.headers.items()))
        response = connection.getresponse()
        answer = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        status = response.status
        connection.close()
        if self.checker.spoil:
            status, headers, answer = self.checker.spoil(status, headers, answer)
        sent = {name.lower(): value for name, value in request.headers.items()}
        try:
            self.checker.check(request.command, request.path, sent, body, status, headers, answer)
        except Exception as error:  # noqa: BLE001  An answer that can't even be read is a problem like any other.
            self.checker.problems.append(f"{request.command} {request.path}: {error!r}")
        request.send_response(status)
        for name, value in headers.items():
            if name not in ("content-length", "connection", "date", "server"):
                request.send_header(name, value)
        request.send_header("content-length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
