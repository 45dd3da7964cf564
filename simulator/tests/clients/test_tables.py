"""Tables of DynamoDB, by a client that nobody here wrote."""

import pytest
from botocore.exceptions import ClientError
from conftest import MANAGEMENT
from test_guardrails import code_of

KEY = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
       "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}]}


def item(key, version, **more):
    return {"key": {"S": key}, "version": {"N": str(version)}, **more}


@pytest.fixture
def table(simulator):
    client = simulator.client("dynamodb")
    made = client.create_table(TableName="ledger", **KEY)["TableDescription"]
    assert made["TableArn"] == f"arn:aws:dynamodb:us-east-1:{MANAGEMENT}:table/ledger"
    assert client.describe_table(TableName="ledger")["Table"]["TableStatus"] == "ACTIVE"
    return client


def put(client, key, version, expected):
    names, values = {"#v": "version"}, {":v": {"N": str(expected)}}
    condition = {"ConditionExpression": "attribute_not_exists(#v)", "ExpressionAttributeNames": names}
    if expected:
        condition = {"ConditionExpression": "#v = :v", "ExpressionAttributeNames": names,
                     "ExpressionAttributeValues": values}
    return client.put_item(TableName="ledger", Item=item(key, version), **condition)


def test_an_item_is_put_over_the_version_that_was_read_and_no_other(table):
    assert "Item" not in table.get_item(TableName="ledger", Key={"key": {"S": "a"}}, ConsistentRead=True)
    put(table, "a", 1, None)
    put(table, "a", 2, 1)
    for expected in (None, 1, 7):
        with pytest.raises(ClientError) as refused:
            put(table, "a", 3, expected)
        assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert table.get_item(TableName="ledger", Key={"key": {"S": "a"}})["Item"] == item("a", 2)


def test_many_are_read_at_once(table):
    for key in "abc":
        put(table, key, 1, None)
    keys = [{"key": {"S": key}} for key in ("a", "c", "nobody")]
    answer = table.batch_get_item(RequestItems={"ledger": {"Keys": keys, "ConsistentRead": True}})
    assert sorted(found["key"]["S"] for found in answer["Responses"]["ledger"]) == ["a", "c"]
    assert answer["UnprocessedKeys"] == {}
    twice = {"ledger": {"Keys": [keys[0], keys[0]]}}
    assert code_of(table.batch_get_item, RequestItems=twice) == "ValidationException"


def test_everything_is_read_page_by_page(table):
    for number in range(7):
        put(table, f"{'odd' if number % 2 else 'even'}#{number}", 1, None)
    wanted = {"FilterExpression": "begins_with(#k, :p)", "ExpressionAttributeNames": {"#k": "key"},
              "ExpressionAttributeValues": {":p": {"S": "odd#"}}}
    pages = list(table.get_paginator("scan").paginate(TableName="ledger", Limit=2, **wanted))
    assert sum(page["ScannedCount"] for page in pages) == 7
    assert len(pages) == 4, "the last one is short, and so has no key"
    assert [found["key"]["S"] for page in pages for found in page["Items"]] == ["odd#1", "odd#3", "odd#5"]


def test_what_is_wrong_is_refused(table):
    missing = {"TableName": "nowhere", "Key": {"key": {"S": "a"}}}
    assert code_of(table.get_item, **missing) == "ResourceNotFoundException"
    assert code_of(table.create_table, TableName="ledger", **KEY) == "ResourceInUseException"
    for wrong in (
        {"Item": {"version": {"N": "1"}}},
        {"Item": item("a", 1, text={"S": "x" * 400 * 1024})},
        {"Item": item("a", 1), "ConditionExpression": "version > :v", "ExpressionAttributeValues": {":v": {"N": "1"}}},
        {"Item": item("a", 1), "ConditionExpression": "attribute_exists(#k)"},
        {"Item": item("a", 1), "ConditionExpression": "attribute_exists(a)",
         "ExpressionAttributeNames": {"#unused": "a"}},
        {"Item": item("a", 1), "ReturnValues": "ALL_OLD"},
        {"Item": item("a", 1), "ExpressionAttributeNames": {"#k": "key"}},
    ):
        assert code_of(table.put_item, TableName="ledger", **wrong) == "ValidationException", wrong
    narrowed = {"ledger": {"Keys": [{"key": {"S": "a"}}], "ProjectionExpression": "version"}}
    assert code_of(table.batch_get_item, RequestItems=narrowed) == "ValidationException"
    assert table.scan(TableName="ledger")["Items"] == []
