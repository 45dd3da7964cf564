"""Starts ministack with what this suite needs beyond it, each a thing that AWS does and it doesn't:

- Events of AWS's own services. They are put with their whole envelope (EventId, Account, Region,
  Time), since nobody but AWS decides those.
- Rules whose target is a bus of another account.
- The two states of a rule that is enabled: in ENABLED it isn't shown what only reads.
- A function's credentials are those of its role, made by the simulator; ministack would give it the
  account's, with which its calls to the simulator would be an administrator's. They are read when a
  process of the function starts, from the file that E2E_ROLE_CREDENTIALS names.
- The execution id and the time that Scheduler writes into a schedule's input.
- Bus policies as resources of a template. ministack keeps them and doesn't evaluate them; tests/events does.
- AWS::IAM::RolePolicy, by the older type of the same.
- Conditions of a template that compare the account, the Region, a list, or a part of a text.

Where E2E_LONGEST_DELAY is set, a message is delayed by so many seconds at most. The keeper looks for the end of a
sweep after 15 seconds, and as often as the end needs.

Whatever else the stack does, ministack does by itself.
"""

import json
import os
from datetime import datetime, timezone

from ministack import app
from ministack.core import lambda_runtime, responses
from ministack.services import eventbridge, lambda_svc, scheduler, sqs
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

put_events = eventbridge._put_events
dispatch_to_event_bus = eventbridge._dispatch_to_event_bus
invoke_target = eventbridge._invoke_target
send_message = sqs._act_send_message
resolve_conditions = engine._evaluate_conditions


def put_events_of_services(data, allow_aws_source=False):
    """PutEvents, where an entry that says from whom it is was put by AWS."""
    entries = data.get("Entries", [])
    if not any("Account" in entry for entry in entries):
        return put_events(data, allow_aws_source)
    for entry in entries:
        # No record goes into the log of events: what asserts on it asserts on the targets.
        eventbridge._dispatch_event({**entry, "EventBusName": entry.get("EventBusName", "default")})
    return responses.json_response({"FailedEntryCount": 0, "Entries": [{"EventId": e["EventId"]} for e in entries]})


def dispatch_to_any_event_bus(spec, event, rule, event_path, target_input_payload=None):
    """As ministack does it within an account, with the event's own account and Region left as they are."""
    if spec.account_id == responses.get_account_id() and spec.region == responses.get_region():
        return dispatch_to_event_bus(spec, event, rule, event_path, target_input_payload)
    # EventBridge doesn't pass an event on twice.
    if event.get("_PassedOn"):
        return None
    with in_account(spec.account_id, spec.region):
        bus = spec.resource.removeprefix("event-bus/")
        if bus not in eventbridge._event_buses:
            raise ValueError(f"there is no bus {spec}")
        eventbridge._dispatch_event({**event, "EventBusName": bus, "_PassedOn": True})


def dispatch_event(event, view=None):
    """As ministack does it, with AWS's two states of a rule that is enabled."""
    view = view or eventbridge._pattern_event_view(event)
    only_reads = json.loads(event["Detail"]).get("readOnly") is True
    enabled = ["ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", *([] if only_reads else ["ENABLED"])]
    for key, rule in eventbridge._rules.items():
        if rule["EventBusName"] != event.get("EventBusName", "default") or rule["State"] not in enabled:
            continue
        if key in (event.get("_DispatchPath") or []) or not rule["EventPattern"]:
            continue
        if eventbridge._matches_pattern_view(rule["EventPattern"], view, f"rule {key}"):
            for target in eventbridge._targets.get(key, []):
                invoke_scheduled_target(target, event, rule, view)


class in_account:
    """What is done inside is done in that account and Region."""

    def __init__(self, account, region):
        self.account, self.region = account, region

    def __enter__(self):
        self.tokens = (
            responses._request_account_id.set(self.account),
            responses._request_region.set(self.region),
        )

    def __exit__(self, *_):
        responses._request_account_id.reset(self.tokens[0])
        responses._request_region.reset(self.tokens[1])


def invoke_scheduled_target(target, event, rule, view=None):
    if event.get("Source") == "aws.scheduler" and "Input" in target:
        time = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        given = target["Input"].replace("<aws.scheduler.execution-id>", event["EventId"])
        target = {**target, "Input": given.replace("<aws.scheduler.scheduled-time>", time)}
    return invoke_target(target, event, rule, view)


def evaluate_conditions(template, params):
    known = {
        "AWS::AccountId": {"Value": responses.get_account_id()},
        "AWS::Region": {"Value": responses.get_region()},
        **params,
    }

    def worked_out(value):
        if isinstance(value, list):
            return [worked_out(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "Fn::Select" in value:
            index, parts = value["Fn::Select"]
            return worked_out(parts)[int(index)]
        if "Fn::Split" in value:
            separator, text = value["Fn::Split"]
            return known[text["Ref"]]["Value"].split(separator)
        if "Fn::Join" not in value:
            return {key: worked_out(one) for key, one in value.items()}
        separator, parts = value["Fn::Join"]
        text = known[parts["Ref"]]["Value"]
        return text if isinstance(text, str) else separator.join(text)

    return resolve_conditions({**template, "Conditions": worked_out(template.get("Conditions", {}))}, known)


def create_bus_policy(_logical_id, props, _stack_name):
    statement = props["Statement"]
    eventbridge._put_permission({
        "EventBusName": props["EventBusName"], "StatementId": props["StatementId"],
        "Principal": statement["Principal"], "Action": statement["Action"], "Condition": statement.get("Condition"),
    })
    return f"{props['EventBusName']}|{props['StatementId']}", {}


def delete_bus_policy(physical_id, _props):
    bus, statement = physical_id.split("|")
    eventbridge._remove_permission({"EventBusName": bus, "StatementId": statement})


def create_role_policy(logical_id, props, stack_name):
    """The older type of the same thing, which ministack knows."""
    older = {**props, "Roles": [props["RoleName"]]}
    return provisioners._RESOURCE_HANDLERS["AWS::IAM::Policy"]["create"](logical_id, older, stack_name)


def send_message_in_time(data, url):
    delay, longest = data.get("DelaySeconds"), os.environ.get("E2E_LONGEST_DELAY")
    if delay is not None and longest is not None:
        data = {**data, "DelaySeconds": min(int(delay), int(longest))}
    return send_message(data, url)


def role_credentials(_config):
    with open(os.environ["E2E_ROLE_CREDENTIALS"], encoding="utf-8") as file:
        return json.load(file)


eventbridge._put_events = put_events_of_services
eventbridge._dispatch_event = dispatch_event
eventbridge._dispatch_to_event_bus = dispatch_to_any_event_bus
eventbridge._invoke_target = invoke_scheduled_target
sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_message_in_time
lambda_svc.execution_credentials = lambda_runtime.execution_credentials = role_credentials
for module in (engine, changesets, handlers, provisioners, stacks):
    if hasattr(module, "_evaluate_conditions"):
        module._evaluate_conditions = evaluate_conditions
provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {
    "create": create_bus_policy, "delete": delete_bus_policy,
}
provisioners._RESOURCE_HANDLERS["AWS::IAM::RolePolicy"] = {
    "create": create_role_policy, "delete": provisioners._RESOURCE_HANDLERS["AWS::IAM::Policy"]["delete"],
}
assert scheduler._tick_schedules, "the schedules' targets are invoked by name"

app.main()
