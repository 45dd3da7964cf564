//! What a person at a terminal is told, and can say.

use expect_test::expect;

use testkit::program::Guardrailctl;
use testkit::world::{Document, EU, HUB, PARAMETER, PAYMENTS, US, World, check, repository};

fn in_utf_16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn check_takes_a_file_as_push_does() {
    let folder = tempfile::tempdir().unwrap();
    let full = repository("tests/baselines/full.yaml");
    std::fs::copy(full, folder.path().join("full.yaml")).unwrap();
    // What the deployed keeper goes by is another matter.
    let ctl = Guardrailctl::alone(folder.path()).variable("KEEPER_BASELINE", "ssm:/elsewhere");
    let by_name = ctl.run(&["check", "full.yaml"]).await;
    assert_eq!(by_name.code, 0, "{by_name}");
    assert_eq!(by_name.out, ctl.run(&["check", "--baseline", "full.yaml"]).await.out);
    assert_eq!(ctl.run(&["check", "full.yaml", "--baseline", "full.yaml"]).await.code, 2);
}

#[tokio::test]
async fn a_file_in_utf_16_is_told_for_what_it_is_by_check_push_and_trigger() {
    let world = World::of(&Document::default()).start().await;
    std::fs::write(world.folder().join("new.yaml"), in_utf_16(&Document::default().text())).unwrap();
    std::fs::write(world.folder().join("event.json"), in_utf_16("{}")).unwrap();
    let ctl = Guardrailctl::of(&world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    let problem = "new.yaml:1:1: the text is UTF-16, and a baseline is UTF-8; save the file as UTF-8, ";
    for command in [&["check", "new.yaml"][..], &["push", "--yes", "new.yaml"]] {
        let ran = ctl.run(command).await;
        assert_eq!(ran.code, 1, "{ran}");
        assert!(ran.out.starts_with(problem), "{ran}");
    }
    let ran = ctl.run(&["trigger", "event.json"]).await;
    assert!(ran.code != 0 && ran.err.contains("it is UTF-16: save it as UTF-8"), "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn every_problem_of_a_bedrock_policy_is_told_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "good.json",
        r#"{"bedrock":{"guardrail_inference":{"us-east-1":{"main":{"identifier":{"@@assign":"arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1"}}}}}}"#,
    );
    // AWS refuses nothing of this one.
    write(
        "strange.json",
        r#"{ "bedrock": { "guardrail_inference": {
  "us-east-1": { "Main": { "identifier": { "@@assign": "arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1" } } },
  "eu-west-1": { "x": { "input_tags": { "@@assign": "honor" } } }
} } }"#,
    );
    write(
        "slip.json",
        r#"{ "bedrock": { "guardrail_inference": {
  "US-EAST-1": { "x": { "identifier": { "@@assign": "arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1" } } }
} } }"#,
    );
    write("marked.json", "\u{feff}{\"bedrock\":{}}");
    write(
        "bad.json",
        "{ \"bedrock\": { \"guardrail_inference\": {\n  \"us-east-1\": { \"x\": { \"identifier\": \"bare\" } }\n} } }",
    );
    write("no.json", "version: 1\n");
    let ctl = Guardrailctl::alone(folder.path());
    let mut told = String::new();
    for (name, code) in [
        ("good.json", 0),
        ("strange.json", 1),
        ("slip.json", 1),
        ("bad.json", 1),
        ("no.json", 1),
        ("marked.json", 1),
        ("none.json", 3),
    ] {
        let ran = ctl.run(&["check-policy", name]).await;
        assert_eq!(ran.code, code, "{ran}");
        told.push_str(&ran.to_string());
    }
    check(
        &told,
        expect![[r#"
            ok: good.json is a Bedrock policy of 152 characters (10000 at most), for us-east-1 (main)
            exit 0
            strange.json:2:18: bedrock.guardrail_inference.us-east-1.Main: AWS may publish the name in lower case; write it in lower case
            strange.json:2:56: bedrock.guardrail_inference.us-east-1.Main.identifier.@@assign: the guardrail is of another Region, and every call would fail; write one of this Region
            strange.json:3:18: bedrock.guardrail_inference.eu-west-1.x: no identifier is assigned: unless a policy above does, accounts are frozen; write one
            strange.json:3:25: bedrock.guardrail_inference.eu-west-1.x.input_tags: AWS's preview had this setting; write selective_content_guarding instead
            stderr: error: strange.json has problems: AWS takes it all the same, as far as is known
            exit 1
            slip.json:2:3: bedrock.guardrail_inference.US-EAST-1: no Region; write us-east-1
            stderr: error: slip.json has problems: AWS refuses it
            exit 1
            bad.json:2:39: bedrock.guardrail_inference.us-east-1.x.identifier: a value without an operator; write {"@@assign": …}
            stderr: error: bad.json has problems: AWS refuses it
            exit 1
            no.json:1:1: this is not JSON: expected value
            stderr: error: no.json has problems: AWS refuses it
            exit 1
            marked.json:1:1: it begins with a byte order mark, which is no JSON; save it as UTF-8 without one
            stderr: error: marked.json has problems: AWS refuses it
            exit 1
            stderr: error: none.json could not be read: No such file or directory (os error 2)
            exit 3
        "#]],
    );
    let ran = ctl.run(&["check-policy", "strange.json", "--output", "json"]).await;
    let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, &value["valid"], &value["configurations"]),
        (1, &false.into(), &serde_json::Value::Null)
    );
    check(
        &format!("{:#}", value["problems"][0]),
        expect![[r#"
        {
          "aws_refuses": false,
          "column": 18,
          "line": 2,
          "path": [
            "bedrock",
            "guardrail_inference",
            "us-east-1",
            "Main"
          ],
          "text": "AWS may publish the name in lower case; write it in lower case"
        }"#]],
    );
    // What a shell passes on is a policy as well.
    let good = std::fs::read_to_string(folder.path().join("good.json")).unwrap();
    let ran =
        Guardrailctl::alone(folder.path()).input(&good).run(&["check-policy", "-", "--output", "json"]).await;
    check(
        &ran,
        expect![[r#"
            {
              "agrees": null,
              "aws": null,
              "characters": 152,
              "configurations": [
                {
                  "name": "main",
                  "region": "us-east-1"
                }
              ],
              "file": "standard input",
              "most_characters": 10000,
              "problems": [],
              "valid": true
            }
            exit 0
        "#]],
    );
    let in_utf_16 = in_utf_16(&good);
    std::fs::write(folder.path().join("utf-16.json"), in_utf_16).unwrap();
    let ran = ctl.run(&["check-policy", "utf-16.json"]).await;
    assert!(ran.code == 3 && ran.err.contains("it is UTF-16: save it as UTF-8"), "{ran}");
}

#[tokio::test]
async fn a_plan_names_the_baselines_version_beside_a_copys_own() {
    let copied = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let world = World::guarded(World::of(&copied).durable().long_established()).await;
    let copy = world
        .server
        .with(|model| model.guardrail_arn(PAYMENTS, EU, "corporate-baseline-keeper").map(str::to_owned));
    let copy = copy.unwrap().rsplit('/').next().unwrap().to_owned();
    std::fs::write(world.folder().join("baseline.yaml"), copied.text()).unwrap();
    let ctl = Guardrailctl::of(&world).variable("KEEPER_BASELINE", "baseline.yaml");
    let ran = ctl.run(&["explain", PAYMENTS, EU]).await;
    let seen = "\nseen      COPY:1 (a guardrail of the account's own, with version numbers of its own), written last by ";
    assert!(ran.out.replace(&copy, "COPY").contains(seen), "{ran}");

    world.administrator_releases(PAYMENTS, EU);
    let ran = ctl.run(&["plan", "--account", PAYMENTS]).await;
    check(
        &ran.without_hash().replace(&copy, "COPY"),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2 by the account's copy ID:1
            1 to change, 0 held, 0 in sync
            plan HASH of baseline 9f1091505bbcb64c, mode sync
            exit 0
        "#]],
    );
    let ran = ctl.run(&["explain", PAYMENTS, EU]).await;
    check(
        &ran.out.replace(&copy, "COPY"),
        expect![[r#"
        300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
        wanted    corporate:2, by the assignment of 300000000001 (line 12)
        seen      nothing enforced
        ours      nothing is recorded
        last      no look is recorded
        decision  + 300000000001/eu-west-1 enforce corporate:2 by the account's copy COPY:1
        baseline 9f1091505bbcb64c, mode sync
    "#]],
    );
}

/// A place where nobody listens: bound for a moment, and let go.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The terminal with these variables and no others, but for the baseline.
fn with(world: &World, variables: &[(&str, &str)]) -> Guardrailctl {
    std::fs::write(world.folder().join("baseline.yaml"), Document::default().text()).unwrap();
    let ctl = Guardrailctl::alone(world.folder())
        .variable("KEEPER_BASELINE", "baseline.yaml")
        // This machine may be one of AWS's that gives credentials to whoever asks.
        .variable("AWS_EC2_METADATA_DISABLED", "true");
    variables.iter().fold(ctl, |ctl, (name, value)| ctl.variable(name, value))
}

#[tokio::test]
async fn credentials_region_and_endpoint_that_are_wrong_are_told_with_the_cure() {
    let world = World::of(&Document::default()).start().await;
    let (url, nowhere) = (world.server.url().to_owned(), nowhere());
    let hub = format!("SIM{HUB}");
    let secret = ("AWS_SECRET_ACCESS_KEY", "simulator");
    let (at, key, region) =
        (("AWS_ENDPOINT_URL", url.as_str()), ("AWS_ACCESS_KEY_ID", hub.as_str()), ("AWS_REGION", US));
    let cases: [(&str, &[(&str, &str)]); 8] = [
        ("no credentials", &[at, region]),
        ("no such profile", &[at, region, ("AWS_PROFILE", "nobody")]),
        ("unknown key", &[at, region, secret, ("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")]),
        ("no Region", &[at, key, secret]),
        ("nobody listens", &[region, key, secret, ("AWS_ENDPOINT_URL", &nowhere)]),
        ("no address", &[region, key, secret, ("AWS_ENDPOINT_URL", "localhost:4566")]),
        ("a member's credentials", &[at, region, secret, ("AWS_ACCESS_KEY_ID", "SIM300000000001")]),
        ("no organization", &[at, region, secret, ("AWS_ACCESS_KEY_ID", "SIM400000000001")]),
    ];
    let mut told = String::new();
    for (name, variables) in cases {
        let ran = with(&world, variables).run(&["plan"]).await;
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{name}: {ran}");
        assert!(!ran.err.contains("transient") && !ran.err.contains("not ready"), "{name}: {ran}");
        told.push_str(&format!("{name}\n{}", ran.err));
    }
    let told = told.replace(&url, "http://SIMULATOR").replace(&nowhere, "http://NOWHERE");
    check(
        &told,
        expect![[r#"
        no credentials
        error: the caller's account is not known: GetCallerIdentity: no credentials were found
          with the default profile, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → set AWS_PROFILE to a profile that gives some, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
          → `aws sts get-caller-identity` shows whether there are any
        no such profile
        error: the caller's account is not known: GetCallerIdentity: no credentials were found
          with the profile nobody (AWS_PROFILE), in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → set AWS_PROFILE to a profile that gives some, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
          → `aws sts get-caller-identity` shows whether there are any
        unknown key
        error: the caller's account is not known: GetCallerIdentity: InvalidClientTokenId: The security token included in the request is invalid.
          with the key AKIAUNKNOWN (AWS_ACCESS_KEY_ID), in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → AWS doesn't know this key, or the secret or token is another key's: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together, or unset all three and set AWS_PROFILE
        no Region
        error: the caller's account is not known: GetCallerIdentity: no Region is set
          with the key SIM111111111111 (AWS_ACCESS_KEY_ID), without AWS_REGION, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → set AWS_REGION to the Region of the hub's stack, as its output TerminalSettings does
        nobody listens
        error: the caller's account is not known: GetCallerIdentity: could not be reached at http://NOWHERE: Connection refused (os error 111)
          with the key SIM111111111111 (AWS_ACCESS_KEY_ID), in us-east-1, at http://NOWHERE (AWS_ENDPOINT_URL)
          → AWS_ENDPOINT_URL sends calls there and not to AWS: start the server at that address, or unset the variable
        no address
        error: the caller's account is not known: GetCallerIdentity: the endpoint that is set is not a URL: `localhost:4566`, and not http://… or https://…
          with the key SIM111111111111 (AWS_ACCESS_KEY_ID), in us-east-1, at localhost:4566 (AWS_ENDPOINT_URL)
          → write it as https://HOST, or unset it
        a member's credentials
        error: the organization could not be read: ListAccounts: AccessDeniedException: You don't have permissions to access this resource.
          as account 300000000001, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → Organizations answers the management account and delegated administrators only, which need organizations:ListAccounts
        no organization
        error: the organization could not be read: DescribeOrganization: AWSOrganizationsNotInUseException: Your account is not a member of an organization.
          as account 400000000001, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → use credentials of the organization's management account, or of a delegated administrator
    "#]],
    );
}

#[tokio::test]
async fn what_answers_and_is_not_aws_is_named() {
    let world = World::of(&Document::default()).start().await;
    let url = format!("{}/_simulator/nothing", world.server.url());
    let hub = format!("SIM{HUB}");
    let variables = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", US),
        ("AWS_ACCESS_KEY_ID", hub.as_str()),
        ("AWS_SECRET_ACCESS_KEY", "simulator"),
    ];
    let ran = with(&world, &variables).run(&["plan"]).await;
    assert_eq!(ran.code, 3, "{ran}");
    check(
        &ran.err.replace(world.server.url(), "http://SIMULATOR"),
        expect![[r#"
        error: the caller's account is not known: GetCallerIdentity: an error without a code, HTTP 404, from http://SIMULATOR
          with the key SIM111111111111 (AWS_ACCESS_KEY_ID), in us-east-1, at http://SIMULATOR/_simulator/nothing (AWS_ENDPOINT_URL)
          → AWS_ENDPOINT_URL sends calls there and not to AWS: start the server at that address, or unset the variable
    "#]],
    );
}

#[tokio::test]
async fn a_parameter_or_a_table_that_is_not_there_is_told_with_the_place() {
    let world = World::of(&Document::default()).start().await;
    let ctl = Guardrailctl::of(&world).variable("KEEPER_BASELINE", "ssm:/elsewhere");
    let mut told = ctl.run(&["plan"]).await.err;
    std::fs::write(world.folder().join("baseline.yaml"), Document::default().text()).unwrap();
    let ctl = Guardrailctl::of(&world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "table:nowhere");
    told.push_str(&ctl.run(&["status"]).await.err);
    check(
        &told.replace(world.server.url(), "http://SIMULATOR"),
        expect![[r#"
        error: the baseline ssm:/elsewhere could not be read: GetParameter: ParameterNotFound: no message
          as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → there is no such parameter in account 111111111111, us-east-1: are these the hub's account and Region? `guardrailctl push FILE` puts a baseline there
        error: the ledger could not be used: GetItem: ResourceNotFoundException: Requested resource not found
          as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
          → there is no table:nowhere (KEEPER_LEDGER) in account 111111111111, us-east-1: are these the hub's account and Region?
    "#]],
    );
}

/// What a command says of itself at length is shown, and its first line stands in the list of commands.
#[tokio::test]
async fn help_says_all_that_a_command_has_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Guardrailctl::alone(folder.path()).run(&["--help"]).await;
    for (command, first, last) in [
        ("apply", "Show what would be done, ask, and do it", "--role then only reads what the plan shows."),
        ("callers", "Find roles and users that invoke models", "or it isn't known."),
        ("effective-policy", "Show an account's effective Bedrock policy", "with 1 otherwise."),
        ("preview-policy", "Show what a change of a Bedrock policy would do", "with 1 otherwise."),
        ("check-policy", "Check a Bedrock policy of AWS Organizations", "with 1 otherwise."),
        ("enable-policy-type", "Let Bedrock policies act in the organization", "also where it was before."),
        ("adopt-policy", "Make a Bedrock policy that somebody else wrote", "is continued by the next one."),
        ("holes", "Say what no enforcement of the baseline reaches", "could not be asked for their Regions."),
        ("doctor", "Check everything that the keeper needs", "with 1 otherwise."),
        ("offboard", "Release what is ours in an account", "only reads what is there afterwards."),
        (
            "approve",
            "Let the present baseline change more than its limits allow",
            "as far as they were found by now.",
        ),
        ("explain", "Say why one target is as it is", "writes nothing."),
        ("placement", "Show or change the answer", "do that."),
        ("push", "Check a baseline, count its changes, ask", "releases it."),
        ("status", "Show the recorded state of every target", "if it is a table."),
    ] {
        let ran = Guardrailctl::alone(folder.path()).run(&[command, "--help"]).await;
        let words = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.starts_with(first) && words.contains(&format!("{last} Usage:")), "{command} {ran}");
        assert!(whole.out.contains(&format!("{command:<18}  {first}")), "{command} {whole}");
    }
}

#[tokio::test]
async fn on_a_terminal_lines_are_broken_between_words() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("KEEPER_BASELINE", "baseline.yaml"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
    let ctl = settings
        .iter()
        .fold(Guardrailctl::alone(folder.path()), |ctl, (name, value)| ctl.variable(name, value));
    std::fs::write(folder.path().join("baseline.yaml"), "version: 1\nexisting: keep\n").unwrap();
    let shown = ctl.run_on_a_terminal(60, &["check", "baseline.yaml"]).await;
    let lines: Vec<&str> = shown.lines().filter(|line| !line.trim().is_empty()).collect();
    check(
        &lines.join("\n"),
        expect![[r#"
            baseline.yaml:1:1: assignments: missing; write who gets
              which guardrail, as in [{targets: [r-exam], guardrail:
              corporate}]
            baseline.yaml:1:1: guardrails: missing; write each guardrail
              under a name of your choice, or {} for none
            baseline.yaml:1:1: organization: missing; write the id that
              `aws organizations describe-organization` shows, for
              example o-exampleorgid
            baseline.yaml:1:1: owner: missing; write the 12 digits of
              the account that owns the guardrails, for example
              "222222222222"
            baseline.yaml:2:1: existing: unknown key; remove it; known
              here are version, organization, owner, mode, guardrails,
              assignments, exclude, accept_unproven and limits
            5 problems in baseline.yaml
            error: baseline.yaml can't be used"#]],
    );
    assert!(lines.iter().all(|line| line.chars().count() <= 60), "{shown}");
    // What a program reads is left as it is, and so is what goes into a pipe.
    let whole = ctl.run(&["check", "baseline.yaml"]).await;
    assert!(whole.to_string().lines().any(|line| line.len() > 100), "{whole}");
}
