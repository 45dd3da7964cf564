//! Who is one person: what the ARNs of two principals tell of it.
//!
//! - A person in IAM Identity Center works under roles that begin with `AWSReservedSSO_`, and Identity Center puts the
//!   person's name where other sessions have any name. So the name of the session is the person, whatever the role: the
//!   same person with two permission sets is one.
//! - Any other role lets whoever assumes it choose the name of the session: a pipeline's is another one for each run.
//!   So two sessions of one role are one person. Two people who share such a role can't approve for each other. And two
//!   roles are two people: who may assume them is for IAM to say, and the session's name proves nothing.
//! - A federation token's name is chosen by whoever asks for it. So it is nobody's: it approves nothing where two people
//!   are asked for, and what was written with one needs to be written again.
//! - Of IAM users, root users and whatever else there is, each ARN is one.

/// A principal, as far as it is a person of its own.
#[derive(Debug, PartialEq, Eq)]
enum WriterIdentity<'a> {
    /// A person in IAM Identity Center.
    Person(String),
    /// Whoever may assume a role.
    Role { account: &'a str, name: &'a str },
    /// Anybody else.
    Other(&'a str),
}

/// The beginning of the names of Identity Center's roles. IAM lets nobody make a role in their path; a role of such a
/// name in another path, which the session's ARN doesn't show, is up to the administrators of the account.
const IDENTITY_CENTER: &str = "AWSReservedSSO_";

/// Whether two ARNs are one person's.
pub(super) fn is_same_person(one: &str, other: &str) -> bool {
    principal(one) == principal(other)
}

/// Whether an ARN says nothing of who it is: whoever asks for a federation token (`GetFederationToken`) chooses its name.
pub(super) fn is_nobodys(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    parts.nth(2) == Some("sts") && parts.nth(2).is_some_and(|rest| rest.starts_with("federated-user/"))
}

fn principal(arn: &str) -> WriterIdentity<'_> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, account, resource] = parts.as_slice() else { return WriterIdentity::Other(arn) };
    match (*service, resource.split_once('/')) {
        ("sts", Some(("assumed-role", session))) => match session.split_once('/') {
            // Identity Center compares names without regard to case.
            Some((role, person)) if role.starts_with(IDENTITY_CENTER) => {
                WriterIdentity::Person(person.to_lowercase())
            }
            Some((name, _)) => WriterIdentity::Role { account, name },
            None => WriterIdentity::Other(arn),
        },
        // A role's own ARN has its path.
        ("iam", Some(("role", path))) => {
            WriterIdentity::Role { account, name: path.rsplit('/').next().unwrap_or(path) }
        }
        _ => WriterIdentity::Other(arn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_one_person() {
        let session = |rest: &str| format!("arn:aws:sts::111111111111:assumed-role/{rest}");
        let iam = |rest: &str| format!("arn:aws:iam::111111111111:{rest}");
        for (one, other, same) in [
            // Identity Center: the person is the session's name, whatever the permission set.
            (session("AWSReservedSSO_Author_1a/alice"), session("AWSReservedSSO_Author_1a/alice"), true),
            (session("AWSReservedSSO_Author_1a/alice"), session("AWSReservedSSO_Approver_2b/alice"), true),
            (session("AWSReservedSSO_Author_1a/alice"), session("AWSReservedSSO_Approver_2b/Alice"), true),
            (session("AWSReservedSSO_Admin_1a/alice"), session("AWSReservedSSO_Admin_1a/bob"), false),
            (
                session("AWSReservedSSO_Author_1a/alice"),
                "arn:aws:sts::222222222222:assumed-role/AWSReservedSSO_Author_9f/alice".to_owned(),
                true,
            ),
            // Other roles: whoever assumes one chooses the session's name.
            (session("Pipeline/run-1"), session("Pipeline/run-2"), true),
            (session("Pipeline/run-1"), iam("role/ci/Pipeline"), true),
            (session("Pipeline/alice"), session("Approver/alice"), false),
            (session("Pipeline/alice"), session("AWSReservedSSO_Approver_2b/alice"), false),
            (
                session("Pipeline/run-1"),
                "arn:aws:sts::222222222222:assumed-role/Pipeline/run-1".to_owned(),
                false,
            ),
            // Users, and the root user.
            (iam("user/alice"), iam("user/alice"), true),
            (iam("user/alice"), iam("user/bob"), false),
            (iam("user/alice"), iam("user/teams/alice"), false),
            (iam("root"), iam("root"), true),
            (iam("root"), iam("user/alice"), false),
            (
                "arn:aws:sts::111111111111:federated-user/alice".to_owned(),
                "arn:aws:sts::111111111111:federated-user/alice".to_owned(),
                true,
            ),
            // Of what isn't understood, each is one.
            ("somebody".to_owned(), "somebody".to_owned(), true),
            ("somebody".to_owned(), iam("user/alice"), false),
            (session("Odd"), session("Odd"), true),
        ] {
            assert_eq!(is_same_person(&one, &other), same, "{one} and {other}");
            assert_eq!(is_same_person(&other, &one), same, "{other} and {one}");
        }
    }
}
