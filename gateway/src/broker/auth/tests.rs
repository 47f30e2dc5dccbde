use super::super::limits::{
    ROLES_MAX, RULES_MAX, RULES_PER_ROLE_MAX, SECRET_BYTES_MAX, USER_NAME_BYTES_MAX,
};
use super::*;

const FILE: &str = "\
# the plant
role device
  publish   sensors/%u/#
  publish   lines/line-%c/state   # its line
  subscribe sensors/%u/command/#
role operator
  subscribe #
user pump-7 hmac-sha256:00 device
user anna   $argon2id$x    operator # day shift
anonymous operator
";

fn rights(username: &str) -> Rights {
    Credentials::parse(FILE)
        .expect("valid")
        .find(username)
        .expect("a user")
        .1
}

fn check_refused(text: &str, line: usize, problem: CredentialsProblem) {
    assert_eq!(
        Credentials::parse(text).err(),
        Some(CredentialsError { line, problem }),
        "{text}"
    );
}

#[test]
fn users_have_their_secret_and_their_roles_rights() {
    let credentials = Credentials::parse(FILE).expect("valid");
    assert_eq!(credentials.len(), 2);
    let (secret, rights) = credentials.find("anna").expect("a user");
    assert_eq!((&**secret, &**rights.user()), ("$argon2id$x", "anna"));
    assert!(credentials.find("otto").is_none());
    assert!(
        credentials
            .anonymous()
            .is_some_and(|rights| rights.user().is_empty())
    );
}

#[test]
fn what_no_rule_allows_is_denied() {
    let rights = rights("pump-7");
    assert!(rights.may_publish("c", "sensors/pump-7/t"));
    assert!(
        rights.may_publish("c", "sensors/pump-7"),
        "`#` has its parent level too"
    );
    assert!(!rights.may_publish("c", "sensors/pump-8/t"));
    assert!(!rights.may_publish("c", "sensors/pump-71/t"));
    assert!(!rights.may_publish("c", "other"));
    assert!(Credentials::default().anonymous().is_none());
}

#[test]
fn the_client_id_stands_for_its_sign() {
    let rights = rights("pump-7");
    assert!(rights.may_publish("3", "lines/line-3/state"));
    assert!(!rights.may_publish("3", "lines/line-4/state"));
    assert!(!rights.may_publish("3", "lines/line-3x/state"));
}

#[test]
fn a_name_with_more_than_plain_characters_opens_nothing() {
    let rights = rights("pump-7");
    for client_id in ["", "+", "#", "a/b", "3 ", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert!(
            !rights.may_publish(client_id, &format!("lines/line-{client_id}/state")),
            "{client_id}"
        );
    }
}

#[test]
fn a_subscription_has_to_be_covered_whole() {
    let may = |filter: &str| {
        rights("pump-7").may_subscribe("c", TopicFilter::parse(filter).expect("valid"))
    };
    assert!(may("sensors/pump-7/command/set"));
    assert!(may("sensors/pump-7/command/#"));
    assert!(!may("sensors/pump-7/#"));
    assert!(!may("sensors/+/command/#"));
    assert!(!may("#"));
}

#[test]
fn a_leading_wildcard_leaves_the_dollar_topics_out() {
    let may = |filter: &str| {
        rights("anna").may_subscribe("c", TopicFilter::parse(filter).expect("valid"))
    };
    assert!(may("#"));
    assert!(!may("$SYS/#"));
    assert!(!rights("anna").may_publish("c", "$SYS/x"));
}

#[test]
fn a_percent_sign_of_its_own_is_a_character() {
    let text = "role r\npublish a/100%/x%y\nuser u s r\n";
    let rights = Credentials::parse(text)
        .expect("valid")
        .find("u")
        .expect("a user")
        .1;
    assert!(rights.may_publish("c", "a/100%/x%y"));
    assert!(!rights.may_publish("c", "a/100/xy"));
}

#[test]
fn all_rights_are_all() {
    let rights = Rights::all("root");
    assert!(rights.may_publish("c", "$SYS/x"));
    assert!(rights.may_subscribe("c", TopicFilter::parse("$SYS/#").expect("valid")));
}

#[test]
fn mistakes_are_named_with_their_line() {
    check_refused("grant x", 1, CredentialsProblem::Statement("grant".into()));
    check_refused("\npublish a", 2, CredentialsProblem::NoRole);
    check_refused("role", 1, CredentialsProblem::Form("role NAME"));
    check_refused("role a b", 1, CredentialsProblem::Form("role NAME"));
    check_refused(
        "role a\npublish a/#/b",
        2,
        CredentialsProblem::Filter("a/#/b".into()),
    );
    check_refused(
        "role a\nuser u s",
        2,
        CredentialsProblem::Form("user NAME SECRET ROLE"),
    );
    check_refused(
        "role a\nuser u s a x",
        2,
        CredentialsProblem::Form("user NAME SECRET ROLE"),
    );
    check_refused(
        "user u s nobody",
        1,
        CredentialsProblem::UnknownRole("nobody".into()),
    );
    check_refused(
        "anonymous nobody",
        1,
        CredentialsProblem::UnknownRole("nobody".into()),
    );
    check_refused("role a\nrole a", 2, CredentialsProblem::Twice("a".into()));
    check_refused(
        "role a\nuser u s a\nuser v s a\nuser u t a",
        4,
        CredentialsProblem::Twice("u".into()),
    );
}

#[test]
fn the_file_is_bounded() {
    let rules = "role a\n".to_owned() + &"publish x\n".repeat(RULES_PER_ROLE_MAX + 1);
    check_refused(
        &rules,
        RULES_PER_ROLE_MAX + 2,
        CredentialsProblem::TooMany(RULES_PER_ROLE_MAX),
    );
    let roles: String = (0..=ROLES_MAX)
        .map(|number| format!("role r{number}\n"))
        .collect();
    check_refused(
        &roles,
        ROLES_MAX + 1,
        CredentialsProblem::TooMany(ROLES_MAX),
    );
    let roles = RULES_MAX / RULES_PER_ROLE_MAX + 1;
    let role = |number| format!("role r{number}\n") + &"publish x\n".repeat(RULES_PER_ROLE_MAX);
    check_refused(
        &(0..roles).map(role).collect::<String>(),
        RULES_MAX + roles + 1,
        CredentialsProblem::TooMany(RULES_MAX),
    );
}

#[test]
fn a_name_and_a_secret_are_bounded() {
    let user = |name: usize, secret: usize| {
        let (name, secret) = ("n".repeat(name), "s".repeat(secret));
        format!("role a\nuser {name} {secret} a\n")
    };
    let fits = user(USER_NAME_BYTES_MAX, SECRET_BYTES_MAX);
    assert!(Credentials::parse(&fits).is_ok());
    check_refused(
        &user(USER_NAME_BYTES_MAX + 1, 1),
        2,
        CredentialsProblem::TooLong("name", USER_NAME_BYTES_MAX),
    );
    check_refused(
        &user(1, SECRET_BYTES_MAX + 1),
        2,
        CredentialsProblem::TooLong("secret", SECRET_BYTES_MAX),
    );
}

#[test]
fn rights_show_no_more_than_the_user() {
    assert_eq!(format!("{:?}", rights("pump-7")), "Rights(\"pump-7\")");
}

#[test]
fn receive_rules_narrow_what_subscriptions_match() {
    let text = "role auditor\n  subscribe #\n  receive logs/%u/#\n  receive alerts/+\nuser eve x auditor\n";
    let (_, rights) = Credentials::parse(text)
        .expect("valid")
        .find("eve")
        .map(|(secret, rights)| (secret.to_owned(), rights))
        .expect("a user");
    assert!(rights.may_subscribe("c", TopicFilter::parse("#").expect("a filter")));
    assert!(rights.may_receive("c", "logs/eve/today") && rights.may_receive("c", "alerts/fire"));
    assert!(!rights.may_receive("c", "logs/anna/today") && !rights.may_receive("c", "sensors/a/b"));
}

#[test]
fn a_role_without_receive_rules_gets_what_it_may_subscribe_to() {
    assert!(rights("pump-7").may_receive("c", "sensors/pump-7/command/stop"));
}
