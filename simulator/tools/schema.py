"""Writes src/wire/schema.json: what AWS's own service models say about the inputs that the simulator accepts.

Run it with any Python that has botocore (`pip install botocore`):

    python3 simulator/tools/schema.py > simulator/src/wire/schema.json

It keeps the routes, the success status, the constraints on every input shape, and the status of every error.
Answers are deliberately left out: they are written by hand and checked against botocore by tests/clients.
"""

import json
import sys

import botocore
import botocore.loaders

OPERATIONS = {
    "sts": ["AssumeRole", "GetCallerIdentity"],
    "organizations": [
        "AcceptHandshake", "AttachPolicy", "CancelHandshake", "CloseAccount", "CreateAccount",
        "CreateOrganizationalUnit", "CreatePolicy", "DeclineHandshake", "DeletePolicy", "DeleteResourcePolicy",
        "DeregisterDelegatedAdministrator", "DescribeAccount", "DescribeCreateAccountStatus",
        "DescribeEffectivePolicy", "DescribeHandshake", "DescribeOrganization", "DescribeOrganizationalUnit",
        "DescribePolicy", "DescribeResourcePolicy", "DetachPolicy", "DisableAWSServiceAccess", "DisablePolicyType",
        "EnableAWSServiceAccess", "EnablePolicyType", "ListAWSServiceAccessForOrganization",
        "ListAccountsWithInvalidEffectivePolicy", "ListEffectivePolicyValidationErrors", "ListPolicies",
        "ListTargetsForPolicy", "PutResourcePolicy", "UpdatePolicy",
        "InviteAccountToOrganization", "LeaveOrganization", "ListAccounts", "ListAccountsForParent", "ListChildren", "ListCreateAccountStatus",
        "ListDelegatedAdministrators", "ListDelegatedServicesForAccount", "ListHandshakesForAccount",
        "ListHandshakesForOrganization", "ListOrganizationalUnitsForParent", "ListParents",
        "ListPoliciesForTarget", "ListRoots", "ListTagsForResource", "MoveAccount", "RegisterDelegatedAdministrator", "RemoveAccountFromOrganization",
        "TagResource", "UntagResource",
    ],
    "bedrock": [
        "CreateGuardrail", "CreateGuardrailVersion", "DeleteEnforcedGuardrailConfiguration", "DeleteGuardrail",
        "DeleteResourcePolicy", "GetGuardrail", "GetResourcePolicy", "ListEnforcedGuardrailsConfiguration",
        "ListFoundationModels", "ListGuardrails", "ListTagsForResource", "PutEnforcedGuardrailConfiguration", "PutResourcePolicy",
        "TagResource", "UntagResource", "UpdateGuardrail",
    ],
    "bedrock-runtime": [
        "ApplyGuardrail", "Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream",
    ],
    "account": ["DisableRegion", "EnableRegion", "GetRegionOptStatus", "ListRegions"],
    "ssm": [
        "DeleteParameter", "DescribeParameters", "GetParameter", "GetParameterHistory", "GetParameters",
        "GetParametersByPath", "PutParameter",
    ],
    "sqs": [
        "ChangeMessageVisibility", "CreateQueue", "DeleteMessage", "DeleteMessageBatch", "GetQueueAttributes",
        "GetQueueUrl", "PurgeQueue", "ReceiveMessage", "SendMessage", "SendMessageBatch",
    ],
    "dynamodb": ["BatchGetItem", "CreateTable", "DescribeTable", "GetItem", "PutItem", "Scan"],
    "events": ["DescribeEventBus", "ListRules", "ListTargetsByRule", "PutEvents"],
    "kms": ["DescribeKey", "GetKeyPolicy"],
    "iam": ["GetRole", "ListRoles", "ListUsers", "SimulatePrincipalPolicy"],
    "cloudtrail": ["DescribeTrails", "GetEventSelectors", "GetTrailStatus", "LookupEvents"],
    "cloudformation": ["DescribeStackSet", "ListStackInstances"],
    "lambda": ["GetFunctionConfiguration", "GetFunctionRecursionConfig", "ListEventSourceMappings"],
    "sns": ["ListSubscriptionsByTopic"],
}

# Where AWS takes something else than its model says: the older name for a message's system attributes is of the
# type of a queue's attributes there, and its own documents list SentTimestamp and the like.
CORRECTIONS = {("ReceiveMessageRequest", "AttributeNames"): "MessageSystemAttributeList"}

# Errors of any call, which a model names for other operations only.
OF_ANY_CALL = {"sns": ["ThrottledException"]}

# A pattern that every string satisfies says nothing.
TRIVIAL_PATTERNS = {r"[\s\S]*", r".*"}
KEPT = ("min", "max", "enum")


def shape(model, name):
    raw = model["shapes"][name]
    kept = {"type": raw["type"], **{key: raw[key] for key in KEPT if key in raw}}
    if raw.get("pattern") and raw["pattern"] not in TRIVIAL_PATTERNS:
        kept["pattern"] = raw["pattern"]
    if raw.get("document"):
        return {"type": "document"}
    if raw["type"] == "structure":
        kept["members"] = {}
        for member, reference in raw["members"].items():
            corrected = CORRECTIONS.get((name, member), reference["shape"])
            kept["members"][member] = {"shape": corrected}
            if "location" in reference:
                kept["members"][member]["location"] = reference["location"]
                kept["members"][member]["name"] = reference["locationName"]
        if raw.get("required"):
            kept["required"] = raw["required"]
        if raw.get("payload"):
            kept["payload"] = raw["payload"]
        if raw.get("union"):
            kept["union"] = True
    if raw["type"] == "list":
        kept["member"] = raw["member"]["shape"]
    if raw["type"] == "map":
        kept["key"], kept["value"] = raw["key"]["shape"], raw["value"]["shape"]
    return kept


def reach(model, name, found):
    if name in found:
        return
    found[name] = shape(model, name)
    kept = found[name]
    following = [member["shape"] for member in kept.get("members", {}).values()]
    following += [kept[key] for key in ("member", "key", "value") if isinstance(kept.get(key), str)]
    for each in following:
        reach(model, each, found)


def service(loader, name, operations):
    model = loader.load_service_model(name, "service-2")
    shapes, routes, errors = {}, {}, {}
    for operation in operations:
        raw = model["operations"][operation]
        route = {"method": raw["http"]["method"], "uri": raw["http"]["requestUri"]}
        route["status"] = raw["http"].get("responseCode", 200)
        if "input" in raw:
            route["input"] = raw["input"]["shape"]
            reach(model, raw["input"]["shape"], shapes)
        routes[operation] = route
        for reference in raw.get("errors", []):
            error = model["shapes"][reference["shape"]].get("error", {})
            errors[error.get("code", reference["shape"])] = error.get("httpStatusCode", 400)
    for reference in OF_ANY_CALL.get(name, []):
        error = model["shapes"][reference]["error"]
        errors[error["code"]] = error["httpStatusCode"]
    return {"protocol": model["metadata"]["protocol"], "operations": routes, "errors": errors, "shapes": shapes}


def main():
    loader = botocore.loaders.Loader()
    services = {name: service(loader, name, operations) for name, operations in OPERATIONS.items()}
    # One shape a line: small enough to embed, and a changed constraint is one line in a diff.
    out = [f'{{"source": "botocore {botocore.__version__} (Apache-2.0)", "services": {{']
    for number, (name, parts) in enumerate(services.items()):
        out.append(f'"{name}": {{"protocol": "{parts["protocol"]}",')
        for part in ("operations", "errors", "shapes"):
            lines = [f"  {json.dumps(key)}: {json.dumps(parts[part][key])}" for key in sorted(parts[part])]
            out.append(f' "{part}": {{\n' + ",\n".join(lines) + "\n }" + ("," if part != "shapes" else ""))
        out.append("}" + ("," if number + 1 < len(services) else ""))
    out.append("}}")
    sys.stdout.write("\n".join(out) + "\n")


main()
