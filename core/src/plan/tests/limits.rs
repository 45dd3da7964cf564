//! What a revision that is over its limits may still do.

use super::*;

#[test]
fn limits_hold_neither_the_repair_of_what_was_removed_nor_the_grant_it_rests_on() {
    let roles = own_roles();
    let target = |number: u32| -> Target { format!("30000000000{number}/eu-west-1").parse().unwrap() };
    let resolved: Resolved =
        (1..=2).map(|number| (target(number), wanted(None, Existing::Keep, OnUnusable::Keep))).collect();
    // The first was removed, and both revisions want it; the second is to be moved on.
    let records = Records::from([
        (target(1), recorded(enforcement("base", 2))),
        (target(2), recorded(enforcement("base", 1))),
    ]);
    let observed = Observed::from([
        (target(1), Observation::Absent),
        (target(2), seen(enforcement("base", 1), None, None)),
    ]);
    let mut plan = plan(&resolved, &observed, &records, context(&roles));
    let grant = |guardrail: &str| crate::resource_policy::Grant {
        resource: crate::resource_policy::Resource::Guardrail(enforcement(guardrail, 1).guardrail),
        organization: "o-exampleorgid".parse().unwrap(),
    };
    for guardrail in ["base", "unused"] {
        let grant = grant(guardrail);
        plan.grants.insert(
            grant.resource.clone(),
            decide_grant(&crate::observed::ResourcePolicySeen::Absent, &grant),
        );
    }
    let approval = RevisionApproval::new("fedcba9876543210".parse().unwrap());
    let none = Limits { max_replacements: 0, max_releases: 0, max_abandonments: 5 };
    expect![[r#"
        + arn:aws:bedrock:eu-west-1:222222222222:guardrail/base attach a resource policy that grants it to o-exampleorgid
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/unused held: baseline fedcba9876543210 replaces or releases more than its limits allow: read the plan, then approve it
        + 300000000001/eu-west-1 enforce corporate:2 (it was removed)
        ! 300000000002/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker): baseline fedcba9876543210 replaces or releases more than its limits allow: read the plan, then approve it
        2 to change, 2 held, 0 in sync"#]].assert_eq(&plan.limit(&approval, none, &records).to_string());
}

#[test]
fn limits_stop_all_of_an_unapproved_revision_but_no_repair() {
    let roles = own_roles();
    let resolved: Resolved = (1..=4)
        .map(|number| {
            let target: Target = format!("30000000000{number}/eu-west-1").parse().unwrap();
            (target, wanted(None, Existing::Keep, OnUnusable::Keep))
        })
        .collect();
    let targets: Vec<Target> = resolved.keys().cloned().collect();
    let revision: Revision = "fedcba9876543210".parse().unwrap();
    let mut same_revision = recorded(enforcement("base", 2));
    same_revision.ours.as_mut().unwrap().revision = revision.clone();
    // Two are to be moved on, one was tampered with under this very revision, one is new.
    let records = Records::from([
        (targets[0].clone(), recorded(enforcement("base", 1))),
        (targets[1].clone(), recorded(enforcement("base", 1))),
        (targets[2].clone(), same_revision),
    ]);
    let observed = Observed::from([
        (targets[0].clone(), seen(enforcement("base", 1), None, None)),
        (targets[1].clone(), seen(enforcement("base", 1), None, None)),
        (targets[2].clone(), seen(enforcement("other", 7), None, Some(ADMIN))),
        (targets[3].clone(), Observation::Absent),
    ]);
    let plan = plan(&resolved, &observed, &records, context(&roles));
    assert_eq!(
        Extent::of(&plan, &records, &revision),
        Extent { replacements: 2, releases: 0, abandonments: 0 }
    );

    let approval = RevisionApproval::new(revision);
    let within = Limits { max_replacements: 2, max_releases: 1, max_abandonments: 5 };
    assert_eq!(plan.clone().limit(&approval, within, &records), plan);

    let over = Limits { max_replacements: 1, max_releases: 1, max_abandonments: 5 };
    expect![[r#"
        ! 300000000001/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker): baseline fedcba9876543210 replaces or releases more than its limits allow: read the plan, then approve it
        ! 300000000002/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker): baseline fedcba9876543210 replaces or releases more than its limits allow: read the plan, then approve it
        ~ 300000000003/eu-west-1 other:7 => corporate:2 (different)
        ! 300000000004/eu-west-1 held, would enforce corporate:2: baseline fedcba9876543210 replaces or releases more than its limits allow: read the plan, then approve it
        1 to change, 3 held, 0 in sync"#]].assert_eq(&plan.clone().limit(&approval, over, &records).to_string());

    let approved = RevisionApproval { approved: true, ..approval.clone() };
    assert_eq!(plan.clone().limit(&approved, over, &records), plan);

    // What the revision did already counts as well.
    let done =
        RevisionApproval { done: Extent { replacements: 1, releases: 0, abandonments: 0 }, ..approval };
    assert_ne!(plan.clone().limit(&done, within, &records), plan);
}
