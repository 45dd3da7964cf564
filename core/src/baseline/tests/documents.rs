//! What is refused of YAML, and what is read as it is meant.

use super::*;

#[test]
fn an_empty_document_is_a_problem() {
    for text in ["", "\n\n", "# nothing but a comment\n", "---\n"] {
        assert!(report(text).starts_with("1:1: "), "{text:?}: {}", report(text));
    }
    check(
        "",
        expect![[r#"
            1:1: the baseline is empty; write at least version, organization, owner, guardrails and assignments
        "#]],
    );
    check(
        "---\n...\n",
        expect![[r#"
            1:1: the baseline is empty; write at least version, organization, owner, guardrails and assignments
        "#]],
    );
    check(
        "null",
        expect![[r#"
            1:1: the baseline is empty; write at least version, organization, owner, guardrails and assignments
        "#]],
    );
}

#[test]
fn something_else_than_keys_is_a_problem() {
    check(
        "- version: 1\n",
        expect![[r#"
            1:1: a list stands where a mapping belongs; write a mapping of the keys version, organization, owner, mode, guardrails, assignments, exclude, accept_unproven and limits
        "#]],
    );
    check(
        "version",
        expect![[r#"
            1:1: "version" stands where a mapping belongs; write a mapping of the keys version, organization, owner, mode, guardrails, assignments, exclude, accept_unproven and limits
        "#]],
    );
    check(
        "{}",
        expect![[r#"
            1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            1:1: version: missing; write version: 2
        "#]],
    );
}

/// JSON is YAML: documents of AWS's get as far as their keys.
#[test]
fn a_document_that_is_something_else_is_told_as_what_it_is() {
    for (text, what) in [
        (r#"{"Version": "2012-10-17", "Statement": []}"#, "an IAM policy or a resource policy"),
        (r#"{"bedrock": {"guardrail_inference": {}}}"#, "a Bedrock policy of AWS Organizations"),
        (r#"{"guardrailInferenceConfig": {}}"#, "a request of AWS's API"),
    ] {
        let problems = report(text);
        assert!(
            problems.contains(&format!("this is {what}, and no baseline; write the baseline")),
            "{problems}"
        );
        assert!(!problems.contains("guardrails: missing"), "it was meant: {problems}");
    }
}

#[test]
fn a_syntax_error_has_a_line_and_a_column() {
    check(
        "version: 1\n\torganization: o-exampleorgid\n",
        expect![[r#"
            2:1: a tab stands where only spaces may indent; indent with spaces
        "#]],
    );
    check(
        "guardrails:\n\tcorporate:\n",
        expect![[r#"
            2:1: a tab stands where only spaces may indent; indent with spaces
        "#]],
    );
    check(
        "version: 1\nmode: sync: now\n",
        expect![[r#"
            2:11: a `:` stands where no key can be; quote a value that holds `: `, write one key a line, and look for a missing `:` in the line above
        "#]],
    );
    check(
        "version: 1\nmode sync\nowner: x\n",
        expect![[r#"
            3:1: a line without a `:` stands among keys; write `key: value`
        "#]],
    );
    check(
        "version: 1\nmode sync\n",
        expect![[r#"
            3:1: a line without a `:` stands among keys; write `key: value`
        "#]],
    );
    check(
        "guardrails:\n  a: 1\n b: 2\n",
        expect![[r#"
            3:2: this line is indented neither like those above nor like their parent; line it up with the keys or items that it belongs to
        "#]],
    );
    check(
        "exclude:\n  - a\n b: 2\n",
        expect![[r#"
            3:2: this line is indented neither like those above nor like their parent; line it up with the keys or items that it belongs to
        "#]],
    );
    check(
        "exclude: [a, b\nmode: sync\n",
        expect![[r#"
            2:5: the bracket that opens at 1:10 needs a `,` or its end before this point; write the `,`, or close it with `]` or `}`
        "#]],
    );
    check(
        "exclude: [a, b",
        expect![[r#"
            2:1: the bracket that opens at 1:10 needs a `,` or its end before this point; write the `,`, or close it with `]` or `}`
        "#]],
    );
    check(
        "exclude: a]\nmode: ]\n",
        expect![[r#"
            2:7: this is not YAML: misplaced bracket; check indentation, quotes and brackets around this point
        "#]],
    );
    check(
        "mode: 'sync\n",
        expect![[r#"
            1:7: this quote is never closed; close it on the same line
        "#]],
    );
    check(
        "mode: \"sy\\qnc\"\n",
        expect![[r#"
            1:7: this is not YAML: while parsing a quoted scalar, found unknown escape character; check indentation, quotes and brackets around this point
        "#]],
    );
    check(
        "mode: @sync\n",
        expect![[r#"
            1:7: no value can begin like this (unexpected character: `@'); put the value in quotes
        "#]],
    );
    check(
        "mode: 'sync' now\n",
        expect![[r#"
            1:14: this is not YAML: invalid trailing content after double-quoted scalar; check indentation, quotes and brackets around this point
        "#]],
    );
    check(
        "version: 1\nexclude: *all\n",
        expect![[r#"
            2:10: an alias (`*…`) is not read; write the value itself, in quotes where it begins with `*`
        "#]],
    );
    check(
        "limits: {max_releases: 5\n",
        expect![[r#"
            2:1: the bracket that opens at 1:9 needs a `,` or its end before this point; write the `,`, or close it with `]` or `}`
        "#]],
    );
    check(
        "limits: {max_releases: 5 max_replacements: 5}\n",
        expect![[r#"
            1:42: the bracket that opens at 1:9 needs a `,` or its end before this point; write the `,`, or close it with `]` or `}`
        "#]],
    );
    check(
        "guardrails:\n  corporate:\n  \tname: x\n",
        expect![[r#"
            3:3: a tab stands where only spaces may indent; indent with spaces
        "#]],
    );
    check(
        "mode:\tsync\n",
        expect![[r#"
            1:7: a `:` is followed by something else than a space; put a space behind it
        "#]],
    );
    check(
        "mode: sync\u{0}\n",
        expect![[r#"
            1:11: the character U+0000 can't be seen; remove it
        "#]],
    );
}

#[test]
fn anchors_aliases_tags_and_merges_are_refused_where_they_stand() {
    check(
        "\
version: !!int 1
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  corporate: &corporate
    name: corporate-baseline
    version: &version 3
    regions: &regions [us-east-1]
  other:
    <<: *corporate
    name: other
    version: *version
    regions: *regions
assignments:
  - targets: [r-exam, *version]
    guardrail: other
",
        expect![[r#"
            1:10: version: a tag (`!…`) is not read; write the value alone
            5:14: guardrails.corporate: an anchor (`&…`) is not read; remove it
            7:14: guardrails.corporate.version: an anchor (`&…`) is not read; remove it
            8:14: guardrails.corporate.regions: an anchor (`&…`) is not read; remove it
            10:5: guardrails.other.<<: a merge key is not read; write the keys themselves
            10:9: guardrails.other.<<: an alias (`*…`) is not read; write the value itself
            12:14: guardrails.other.version: an alias (`*…`) is not read; write the value itself
            13:14: guardrails.other.regions: an alias (`*…`) is not read; write the value itself
            15:23: assignments[0].targets[1]: an alias (`*…`) is not read; write the value itself
        "#]],
    );
}

#[test]
fn one_document_and_no_more() {
    check(
        &format!("---\n{SHORT}...\n"),
        expect![[r#"
            ok
        "#]],
    );
    check(
        &format!("{SHORT}---\n{SHORT}"),
        expect![[r#"
            12:1: a second document begins here; keep one document, and remove the `---` before the other
        "#]],
    );
}

#[test]
fn a_key_stands_once() {
    check(
        &edited("    version: 3\n", "    version: 3\n    \"version\": DRAFT\n"),
        expect![[r#"
            8:5: guardrails.corporate.version: "version" is written twice, on lines 7 and 8; keep one
        "#]],
    );
    check(
        &format!("{SHORT}version: 1\n"),
        expect![[r#"
            12:1: version: "version" is written twice, on lines 1 and 12; keep one
        "#]],
    );
    check(
        &edited("[us-east-1, eu-west-1]", "\n      us-east-1:\n      us-east-1: {version: 2}"),
        expect![[r#"
            10:7: guardrails.corporate.regions.us-east-1: "us-east-1" is written twice, on lines 9 and 10; keep one
        "#]],
    );
}

#[test]
fn a_key_is_plain_text() {
    check(
        &edited("    version: 3\n", "    [version]: 3\n    ? {a: b}\n    : 1\n"),
        expect![[r#"
            6:5: guardrails.corporate.version: missing, and regions is a list; write a published version's number, for example 3
            7:5: guardrails.corporate: a list or mapping stands where a key belongs; write a plain key
            8:7: guardrails.corporate: a list or mapping stands where a key belongs; write a plain key
        "#]],
    );
}

#[test]
fn placeholders_are_refused() {
    check(
        &edited("\"222222222222\"", "{{ owner }}"),
        expect![[r#"
            3:8: owner: keys stand where an account id belongs; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            3:9: `{{` can't be stored in an SSM parameter; write the value itself; the baseline has no placeholders
        "#]],
    );
    check(
        &edited("\"222222222222\"", "\"222222222222\" # {{resolve:ssm:owner}}"),
        expect![[r#"
            3:26: `{{` can't be stored in an SSM parameter; write the value itself; the baseline has no placeholders
        "#]],
    );
}

#[test]
fn nothing_unseen_is_accepted() {
    check(
        &edited("corporate-baseline", "corporate\u{1b}[31m"),
        expect![[r#"
            6:11: guardrails.corporate.name: "corporate\u{1b}[31m" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
            6:20: the character U+001B can't be seen; remove it
        "#]],
    );
    check(
        &edited("version: 3", "version: 3 # \u{202e}kcart"),
        expect![[r#"
            7:18: the character U+202E can't be seen; remove it
        "#]],
    );
    check(
        &edited("    version: 3\n", "    ver\u{200b}sion: 3\n"),
        expect![[r#"
            7:5: guardrails.corporate.ver\u{200b}sion: unknown key; write version, or remove it
            7:8: the character U+200B can't be seen; remove it
        "#]],
    );
    check(
        &edited("    version: 3\n", "    version: 3 # é, 日本語, 👩\u{200d}💻\n"),
        expect![[r#"
            ok
        "#]],
    );
}

#[test]
fn spaces_that_are_none_to_yaml_are_named_where_they_stand() {
    // As copied from a web page or a chat: the whole indentation.
    check(
        &SHORT.replace("  corporate:", "\u{a0}\u{a0}corporate:").replace("    name:", "\u{a0} \u{a0} name:"),
        expect![[r#"
            5:1: a no-break space (U+00A0) stands where YAML needs a plain one; type plain spaces in this line
            6:1: a no-break space (U+00A0) stands where YAML needs a plain one; type plain spaces in this line
        "#]],
    );
    // After a colon, a dash and within brackets, with what is wrong besides.
    check(
        "version:\u{a0}1\nexclude:\n  -\u{3000}\"333333333333\"\nlimits: {max_releases: 5,\u{202f}max_replacements: 0}\n",
        expect![[r#"
            1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            1:9: a no-break space (U+00A0) stands where YAML needs a plain one; type plain spaces in this line
            3:4: an ideographic space (U+3000) stands where YAML needs a plain one; type plain spaces in this line
            4:26: a narrow no-break space (U+202F) stands where YAML needs a plain one; type plain spaces in this line
            4:45: limits.max_replacements: with zero, every change of this kind waits for an approval; write at least 1, or mode: audit to write nothing at all
        "#]],
    );
    // Behind a value, where it would end up in it.
    check(
        &edited("version: 3", "version: 3\u{2007}"),
        expect![[r#"
        7:15: a space that YAML doesn't take for one (U+2007) stands where YAML needs a plain one; type plain spaces in this line
    "#]],
    );
    check(
        &format!("\u{feff}{}", edited("  - targets", "\u{a0} - targets").replace('\n', "\r\n")),
        expect![[r#"
            10:1: a no-break space (U+00A0) stands where YAML needs a plain one; type plain spaces in this line
        "#]],
    );
    // Where text may be anything, it may be this.
    for fine in [
        edited("version: 3", "version: 3 # trois\u{a0}: c\u{2019}est la bonne"),
        format!("#\u{3000}注釈\n{SHORT}"),
        format!("# it's\n{SHORT}#\u{a0}\"\n"),
    ] {
        good(&fine);
    }
    // In quotes it is a part of the value, which says so itself.
    check(
        &edited("corporate-baseline", "\"corporate\u{a0}baseline\""),
        expect![[r#"
        6:11: guardrails.corporate.name: "corporate\u{a0}baseline" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
    "#]],
    );
}

#[test]
fn bytes_that_are_no_utf_8_are_told_for_what_they_are() {
    let told = |bytes: Vec<u8>| match Baseline::text_of(bytes).and_then(|text| Baseline::parse(&text)) {
        Ok(_) => "ok\n".to_owned(),
        Err(invalid) => invalid.problems().iter().map(|problem| format!("{problem}\n")).collect(),
    };
    let utf_16 =
        |order: fn(u16) -> [u8; 2], text: &str| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let marked = format!("\u{feff}{SHORT}");
    for bytes in [
        utf_16(u16::to_le_bytes, &marked),
        utf_16(u16::to_be_bytes, &marked),
        utf_16(u16::to_le_bytes, SHORT),
        utf_16(u16::to_be_bytes, SHORT),
    ] {
        expect![[r#"
            1:1: the text is UTF-16, and a baseline is UTF-8; save the file as UTF-8, in the editor or by `iconv -f utf-16 -t utf-8`; Windows PowerShell writes UTF-8 with `Out-File -Encoding utf8`
        "#]].assert_eq(&told(bytes));
    }
    let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<u8>>();
    expect![[r#"
        7:19: the byte 0xE9 is not UTF-8: the file is in another encoding, such as Windows-1252; save the file as UTF-8, in the editor or by `iconv -f windows-1252 -t utf-8`
    "#]].assert_eq(&told(latin(&edited("version: 3", "version: 3 # dépassé"))));
    expect![[r#"
        1:1: the byte 0xE9 is not UTF-8: the file is in another encoding, such as Windows-1252; save the file as UTF-8, in the editor or by `iconv -f windows-1252 -t utf-8`
    "#]].assert_eq(&told(vec![0xe9]));
    assert_eq!(told(marked.into_bytes()), "ok\n");
}

#[test]
fn columns_count_characters() {
    check(
        &edited("version: 3", "\"é日👩\": 1"),
        expect![[r#"
            6:5: guardrails.corporate.version: missing, and regions is a list; write a published version's number, for example 3
            7:5: guardrails.corporate.é日👩: unknown key; remove it; known here are owner, name, version, regions, models, guarding, placement, copy, on_unusable and on_blocked_probe
        "#]],
    );
}

#[test]
fn line_ends_byte_order_mark_and_quotes_make_no_difference() {
    let plain = good(SHORT);
    for text in [
        SHORT.replace('\n', "\r\n"),
        SHORT.replace('\n', "\r"),
        format!("\u{feff}{SHORT}"),
        SHORT.replace("version: 1", "'version': \"1\""),
        SHORT.replace('"', ""),
        SHORT.replace("version: 3", "version: '3'"),
        SHORT.replace("version: 3", "version: \t3\t# three"),
    ] {
        let other = good(&text);
        assert_eq!(other.owner, plain.owner);
        assert_eq!(other.guardrails, plain.guardrails);
        assert_eq!(other.assignments, plain.assignments);
        assert_ne!(other.revision, plain.revision);
    }
    // Behind a byte order mark and with other line ends, problems stand where an editor shows them.
    let bad = edited("version: 3", "version: DRAFT");
    let told = report(&bad);
    assert_eq!(report(&format!("\u{feff}{bad}")), told);
    assert_eq!(report(&bad.replace('\n', "\r\n")), told);
    check(
        "\u{feff}versoin: 1\n",
        expect![[r#"
            1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            1:1: versoin: unknown key; write version, or remove it
        "#]],
    );
}

#[test]
fn json_is_yaml() {
    good(
        r#"{"version": 1, "organization": "o-exampleorgid", "owner": "222222222222",
            "guardrails": {"corporate": {"name": "base", "version": 3, "regions": ["us-east-1"]}},
            "assignments": [{"targets": ["r-exam"], "guardrail": "corporate"}]}"#,
    );
}

#[test]
fn the_size_of_a_parameter_is_the_limit() {
    let filled = |bytes: usize| format!("{SHORT}#{}", "x".repeat(bytes - SHORT.len() - 1));
    check(
        &filled(8192),
        expect![[r#"
            ok
        "#]],
    );
    check(
        &filled(8193),
        expect![[r#"
            1:1: the baseline has 8193 bytes, and an SSM parameter holds at most 8192; shorten it by 1: assign OUs instead of accounts, drop comments
        "#]],
    );
}
