//! What AWS shows in another form than it was written in: in sync as long as it shows just that form.

use super::*;

/// What is wanted: everything but one model.
fn sparing(version: u32, model: &str) -> Enforcement {
    let exclude = BTreeSet::from([ModelId::as_reported(model)]);
    Enforcement { models: Models { include: Included::All, exclude }, ..enforcement("base", version) }
}

const MODEL: &str = "amazon.titan-embed-text-v2:0";
const ARN: &str = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0";
const OTHER: &str = "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0";

fn wants(to: Enforcement, existing: Existing) -> ResolvedTarget {
    let ResolvedTarget::Enforce(wanted) = wanted(None, existing, OnUnusable::Keep) else {
        unreachable!("a guardrail")
    };
    ResolvedTarget::Enforce(Box::new(Enforce { enforcement: Some(to), ..*wanted }))
}

fn written() -> Record {
    let record = recorded(sparing(2, MODEL));
    let ours = record.ours.map(|ours| Ours { reads_back: Some(sparing(2, ARN)), ..ours });
    Record { ours, ..record }
}

#[test]
fn the_form_that_came_back_is_in_sync_and_a_third_one_is_drift() {
    let roles = own_roles();
    let begun = Intent {
        to: Some(sparing(2, MODEL)),
        at: Timestamp::UNIX_EPOCH,
        revision: "0123456789abcdef".parse().unwrap(),
        deed: None,
    };
    let unconfirmed = Record { intent: Some(begun), ..written() };
    let keep = || wants(sparing(2, MODEL), Existing::Keep);
    let mut told = String::new();
    for (case, desired, shown, record) in [
        ("as it came back", keep(), sparing(2, ARN), written()),
        ("as it came back, unconfirmed", keep(), sparing(2, ARN), unconfirmed),
        ("as it was written", keep(), sparing(2, MODEL), written()),
        ("a third form", keep(), sparing(2, OTHER), written()),
        ("all models", keep(), enforcement("base", 2), written()),
        ("that form, nothing recorded of it", keep(), sparing(2, ARN), recorded(sparing(2, MODEL))),
        ("that form, somebody else's", keep(), sparing(2, ARN), Record::default()),
        ("other models are wanted", wants(sparing(2, OTHER), Existing::Keep), sparing(2, ARN), written()),
        ("another version is wanted", wants(sparing(3, MODEL), Existing::Keep), sparing(2, ARN), written()),
        (
            "nothing is wanted",
            ResolvedTarget::Nothing { existing: Existing::Keep },
            sparing(2, ARN),
            written(),
        ),
    ] {
        // Whoever wrote last: it is the form that tells, not the name.
        let decision = decide(&target(), &desired, &seen(shown, None, None), &record, context(&roles));
        let remark = match &decision {
            Decision::InSync(InSync { reads_back: Some(it), .. }) => format!(", {it}"),
            _ => String::new(),
        };
        told.push_str(&format!("{case}: {}{remark}\n", in_words(&decision)));
    }
    expect![[r#"
        as it came back: in sync, reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that
        as it came back, unconfirmed: in sync, remember, reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that
        as it was written: in sync
        a third form: 300000000001/eu-west-1 corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0 => corporate:2 models ALL except amazon.titan-embed-text-v2:0 (different)
        all models: 300000000001/eu-west-1 corporate:2 => corporate:2 models ALL except amazon.titan-embed-text-v2:0 (stronger)
        that form, nothing recorded of it: 300000000001/eu-west-1 corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0 => corporate:2 models ALL except amazon.titan-embed-text-v2:0 (different)
        that form, somebody else's: held: another configuration is enforced there, which isn't ours: to replace it, write `existing: replace`
        other models are wanted: 300000000001/eu-west-1 corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0 => corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0 (different)
        another version is wanted: 300000000001/eu-west-1 corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0 => corporate:3 models ALL except amazon.titan-embed-text-v2:0 (weaker)
        nothing is wanted: 300000000001/eu-west-1 release base:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0
    "#]].assert_eq(&told);
}
