"""The organization's level: Bedrock policies on the root, an OU and an account, through everything that is deployed.

What an account has is what boto3 is told by AWS's own call for it. Each test begins where the one before it ended.
"""

import json

import pytest
from organization_place import (
    GIVEN, GUARDRAILS, KIND, PLAYGROUND, ROOT, SEARCH, SHIPPING, OrganizationPlace, Watch, baseline, configuration, wanted,
)
from place import HOME, MANAGEMENT, REGIONS, SANDBOX, WORKLOAD, standing, wait_for

OWN = {f"guardrail-keeper-{target}-1": [target] for target in [ROOT, WORKLOAD, SEARCH]}
OURS = f"guardrail-keeper-{WORKLOAD}-1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with standing(OrganizationPlace, tmp_path_factory.mktemp("organization")) as place:
        yield place


def outcomes(place, kind):
    return [told["detail"] for told in place.outcomes() if told["detail-type"] == kind]


def revision(place):
    """The revision of the baseline that is there."""
    return json.loads(place.ledger()["rollout"]["document"]["S"])["revision"]


def put(place, text, approves=True):
    """Puts a baseline, has a person approve it, and waits for the look by it that says so."""
    before = revision(place)
    place.put_baseline(text)
    now = wait_for("it is counted", lambda: (found := revision(place)) != before and found)
    if approves:
        place.guardrailctl("approve", "--yes", now)
    return now


def held(place, revision):
    """Why the level is held, once the sweep with that revision has ended with a look."""
    wait_for("it was looked at", lambda: place.look().get("revision") == revision)
    place.quiet()
    return place.holds()


def test_nothing_is_written_before_a_person_approves(quiet, tmp_path):
    file = tmp_path / "baseline.yaml"
    file.write_text(baseline(), encoding="utf-8")
    quiet.guardrailctl("push", "--no-plan", "--yes", str(file))
    mails = wait_for("people hear of it", lambda: quiet.mails("Bedrock Policies Held"))
    quiet.quiet()
    assert list(quiet.holds()) == ["not_approved"] and "without an approval" in mails[0]
    assert quiet.policies() == {} and quiet.policy_writes() == []
    assert all(quiet.given(account) == {} for account in GIVEN)

    # A person in the hub may not assume the function's role, and is shown what the keeper saw.
    planned = quiet.guardrailctl("plan", check=False)
    assert planned.returncode == 1 and "by the record:" in planned.stdout and "held [not_approved]" in planned.stdout
    assert "GuardrailKeeperOrganization" in planned.stderr


def test_root_ou_and_account_get_what_a_person_approved(quiet):
    quiet.guardrailctl("approve", "--yes", revision(quiet))
    wait_for("everybody has it", quiet.all_given)
    changed = wait_for("it is told", lambda: outcomes(quiet, "Bedrock Policies Changed"))
    quiet.quiet()
    assert [(len(one["steps"]), one["repair"]) for one in changed] == [(6, False)], changed
    assert quiet.own_policies() == OWN
    assert quiet.policy_writes() == ["CreatePolicy", "AttachPolicy"] * 3
    # What is published acts on calls of models.
    for account in GIVEN:
        said = quiet.simulated("bedrock-runtime", account).converse(
            modelId="amazon.nova-pro-v1:0", messages=[{"role": "user", "content": [{"text": "say tungsten-rosebud"}]}],
        )
        assert said["stopReason"] == "guardrail_intervened", account


def test_a_second_sweep_writes_nothing_and_finds_everybody_as_wanted(quiet):
    before = quiet.look()["at"]
    quiet.tell_of_the_baseline("Update")
    wait_for("it looked again", lambda: quiet.look()["at"] != before)
    quiet.quiet()
    assert quiet.policy_writes() == []
    level = quiet.level()
    assert level["good"] is True and level["states"] == {"as_wanted": len(GIVEN) * len(REGIONS)}, level
    planned = quiet.guardrailctl("plan")
    assert "nothing to write" in planned.stdout, planned.stdout


def edited(organizations, policy):
    content = {"bedrock": {"guardrail_inference": {
        region: configuration("keeper", "floor", region, 1) for region in REGIONS
    }}}
    organizations.update_policy(PolicyId=policy, Content=json.dumps(content))


def detached(organizations, policy):
    organizations.detach_policy(PolicyId=policy, TargetId=WORKLOAD)


def deleted(organizations, policy):
    organizations.detach_policy(PolicyId=policy, TargetId=WORKLOAD)
    organizations.delete_policy(PolicyId=policy)


def attached_elsewhere(organizations, policy):
    organizations.attach_policy(PolicyId=policy, TargetId=SANDBOX)


@pytest.mark.parametrize(
    ("drift", "repair"),
    [
        (edited, ["UpdatePolicy"]),
        (detached, ["AttachPolicy"]),
        (deleted, ["CreatePolicy", "AttachPolicy"]),
        (attached_elsewhere, ["DetachPolicy"]),
    ],
)
def test_what_somebody_does_to_our_policies_is_undone_by_its_event(quiet, drift, repair):
    changes = len(outcomes(quiet, "Bedrock Policies Changed"))
    drift(quiet.administrator(), quiet.policies()[OURS][0])
    assert not quiet.all_given()
    quiet.pass_on()
    changed = wait_for("it is told", lambda: outcomes(quiet, "Bedrock Policies Changed")[changes:])
    quiet.quiet()
    assert quiet.all_given() and quiet.own_policies() == OWN
    assert quiet.policy_writes() == repair
    assert [one["repair"] for one in changed] == [True] and quiet.holds() == {}
    # No sweep: nobody asked the accounts.
    assert not [call for call in quiet.calls() if call["operation"] == "ListEnforcedGuardrailsConfiguration"]
    # Of its own writes it hears as of others', and has nothing to do.
    quiet.forget_calls()
    assert quiet.pass_on() > 0
    wait_for("it looked", lambda: any(call["operation"] == "ListPolicies" for call in quiet.calls()))
    quiet.quiet()
    assert quiet.policy_writes() == []


def test_a_type_that_is_switched_off_is_told_at_once_and_not_switched_on(quiet):
    held = len(quiet.mails("Bedrock Policies Held"))
    organizations = quiet.administrator()
    organizations.disable_policy_type(RootId=ROOT, PolicyType=KIND)
    quiet.pass_on()
    (mail,) = wait_for("people hear of it", lambda: quiet.mails("Bedrock Policies Held")[held:])
    quiet.quiet()
    assert list(quiet.holds()) == ["type_disabled"] and "BEDROCK_POLICY" in mail
    assert quiet.policy_writes() == []

    organizations.enable_policy_type(RootId=ROOT, PolicyType=KIND)
    quiet.pass_on()
    wait_for("everybody has it again", quiet.all_given)
    quiet.quiet()
    assert quiet.own_policies() == OWN and quiet.policy_writes() == ["AttachPolicy"] * 3


def test_an_account_that_joins_is_guarded_before_anybody_hears_of_it(quiet):
    organizations = quiet.administrator()
    created = organizations.create_account(AccountName="newcomer", Email="newcomer@example.com")
    status = created["CreateAccountStatus"]["Id"]

    def joined():
        described = organizations.describe_create_account_status(CreateAccountRequestId=status)
        return described["CreateAccountStatus"].get("AccountId")

    newcomer = wait_for("the account is there", joined)
    assert quiet.given(newcomer) == wanted("floor", 1)
    quiet.pass_on()

    def seen():
        record = quiet.ledger().get(f"account#{newcomer}")
        return record and json.loads(record["document"]["S"]).get("inherited")

    regions = wait_for("its own look is there", seen)["regions"]
    assert {region: one["standing"] for region, one in regions.items()} == dict.fromkeys(REGIONS, "as_wanted")
    quiet.quiet()
    assert quiet.policy_writes() == []
    explained = quiet.guardrailctl("explain", newcomer, HOME, check=False)
    assert "floor" in explained.stdout, explained.stdout
    GIVEN[newcomer] = "floor"


def test_a_policy_of_somebody_elses_that_weakens_ours_is_not_written_and_holds_the_next_version(quiet):
    weaker = {"keeper": {"selective_content_guarding": {"messages": {"@@assign": "selective"}}}}
    foreign = quiet.attach_foreign("theirs", SHIPPING, {HOME: weaker})
    quiet.pass_on()
    now = put(quiet, baseline(floor=2, strict=2), approves=False)
    holds = held(quiet, now)
    assert list(holds) == ["overridden", "not_approved"] and f"{SHIPPING}/{HOME}" in holds["overridden"]
    assert quiet.policy_writes() == [] and quiet.all_given()
    assert quiet.policies()["theirs"] == (foreign, [SHIPPING])
    said = quiet.guardrailctl("status", check=False)
    assert said.returncode == 1 and "held [overridden]" in said.stdout and f"{SHIPPING}/{HOME} differs" in said.stdout

    quiet.remove_foreign(foreign, SHIPPING)
    quiet.pass_on()
    wait_for("an approval is all that lacks", lambda: list(quiet.holds()) == ["not_approved"])
    quiet.quiet()
    assert quiet.policy_writes() == [] and quiet.all_given()


def test_the_next_version_is_written_in_place_and_nobody_is_unguarded_meanwhile(quiet):
    with Watch(quiet) as watch:
        applied = quiet.guardrailctl("apply", "--yes", "--approve", revision(quiet))
    assert watch.failed is None and watch.times > 10
    assert "organization's level: as the baseline wants it" in applied.stdout, applied.stdout
    assert quiet.all_given(2, search=1)
    quiet.quiet()
    assert quiet.policy_writes() == ["UpdatePolicy"] * 2
    for account, guardrail in GIVEN.items():
        versions = [1] if guardrail == "search" else [1, 2]
        assert watch.seen[account] <= {tuple(sorted(wanted(guardrail, version).items())) for version in versions}


def test_a_version_and_a_guardrail_that_are_not_there_are_never_written(quiet):
    more = f'  - {{ targets: ["{SANDBOX}"], guardrail: nobodys, level: organization }}\n'
    text = baseline(floor=2, strict=9, more=more)
    text = text.replace("assignments:", f"  nobodys: {{ name: nobodys, version: 1, regions: [{HOME}] }}\nassignments:")
    now = put(quiet, text)
    holds = held(quiet, now)
    assert {"unusable", "not_found"} <= set(holds) and "not_approved" not in holds, holds
    assert f"{GUARDRAILS['strict']}:9" in holds["unusable"] and "nobodys" in holds["not_found"]
    assert quiet.policy_writes() == [] and quiet.all_given(2, search=1)


def test_an_order_that_would_freeze_an_account_is_not_taken(quiet):
    third = "ap-southeast-2"
    foreign = quiet.attach_foreign("theirs", SANDBOX, {third: configuration("theirs", "floor", third, 1)})
    quiet.pass_on()
    organizations = quiet.simulated("bedrock", MANAGEMENT, third)
    made = organizations.create_guardrail(
        name="floor", blockedInputMessaging="no", blockedOutputsMessaging="no",
        wordPolicyConfig={"wordsConfig": [{"text": "tungsten-rosebud"}]},
    )
    for _ in range(2):
        organizations.create_guardrail_version(guardrailIdentifier=made["guardrailId"])
    text = baseline(floor=2, strict=2)
    floor = "version: 2, regions: [us-east-1, eu-west-1"
    now = put(quiet, text.replace(floor, f"{floor}, {third}", 1))
    holds = held(quiet, now)
    assert list(holds) == ["no_safe_order"] and foreign in holds["no_safe_order"], holds
    assert quiet.policy_writes() == [] and quiet.frozen() == []
    quiet.remove_foreign(foreign, SANDBOX)
    assert held(quiet, put(quiet, text)) == {}


def test_an_account_that_somebody_freezes_is_told_by_the_event_of_aws(quiet):
    without_identifier = {"theirs": {"selective_content_guarding": {"system": {"@@assign": "selective"}}}}
    foreign = quiet.attach_foreign("theirs", PLAYGROUND, {"eu-west-3": without_identifier})
    assert quiet.frozen() == [PLAYGROUND]
    # Nothing else tells of it.
    quiet.pass_on(lose=lambda event: event["detail"]["eventName"] != "EffectivePolicyValidation")
    (mail,) = wait_for("people hear of it", lambda: quiet.mails("Accounts Frozen"))
    quiet.quiet()
    assert PLAYGROUND in mail and "KEY_REQUIRED" in mail, mail
    assert outcomes(quiet, "Accounts Frozen")[0]["accounts"] == [PLAYGROUND]
    assert quiet.level()["look"]["frozen"] == [PLAYGROUND] and quiet.policy_writes() == []

    quiet.remove_foreign(foreign, PLAYGROUND)
    quiet.pass_on(lose=lambda event: event["detail"]["eventName"] != "EffectivePolicyValidation")
    wait_for("it is free again", lambda: quiet.look()["frozen"] == [])


def test_a_policy_that_names_a_deleted_version_is_not_attached_again(quiet):
    bedrock = quiet.simulated("bedrock", MANAGEMENT)
    policy, _ = quiet.policies()[f"guardrail-keeper-{SEARCH}-1"]
    bedrock.delete_guardrail(guardrailIdentifier=wanted("search", 1)[HOME].split(":")[0], guardrailVersion="1")
    quiet.administrator().detach_policy(PolicyId=policy, TargetId=SEARCH)
    quiet.pass_on()
    wait_for("it is held", lambda: "unusable" in quiet.holds())
    quiet.quiet()
    assert quiet.policy_writes() == [] and quiet.given(SEARCH) == wanted("strict", 2)
