use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::transport::Origin;

const OPERATOR: &str = "role operator\n  subscribe #\n";

/// An authenticator, and what its thread finds.
struct Desk {
    authenticator: Authenticator,
    answers: Receiver<Answer>,
    token: String,
    next: Cell<u16>,
}

impl Desk {
    /// With the user `anna` and her password `right`, the device `pump` and its token, and `cert` by certificate.
    fn new() -> Self {
        let (token, secret) = secrets::new_token(None).expect("randomness");
        let hash = secrets::hash_password(b"right").expect("hashed");
        let file = format!(
            "{OPERATOR}user anna {hash} operator\nuser pump {secret} operator\nuser cert certificate operator\n"
        );
        let (sender, answers) = channel();
        let authenticator = Authenticator::start(
            Credentials::parse(&file).expect("valid"),
            None,
            Arc::default(),
            move |answer| sender.send(answer).expect("the test waits"),
        );
        Self {
            authenticator: authenticator.expect("a thread"),
            answers,
            token,
            next: Cell::new(0),
        }
    }

    fn attempt(&self, host: u32, username: &str, password: &str) -> Attempt {
        let index = self.next.replace(self.next.get() + 1);
        Attempt {
            connection: ConnectionId {
                index,
                generation: 1,
            },
            guest: Guest {
                origin: Some(Origin::from(IpAddr::V4(Ipv4Addr::from_bits(host)))),
                ..Guest::default()
            },
            username: Some(Box::from(username)),
            password: password.as_bytes().into(),
        }
    }

    /// Who comes from `host` at `now_ms`, and waits for the verdict if it has to be computed.
    fn come(&mut self, host: u32, username: &str, password: &str, now_ms: u64) -> Option<Verdict> {
        let attempt = self.attempt(host, username, password);
        self.authenticator
            .check(attempt, now_ms)
            .or_else(|| self.finish(now_ms))
    }

    fn finish(&mut self, now_ms: u64) -> Option<Verdict> {
        if self.authenticator.checking.is_empty() {
            return None;
        }
        let answer = self.answers.recv().expect("the thread lives");
        let (_, verdict) = self.authenticator.answered(&answer, now_ms)?;
        Some(verdict)
    }
}

#[track_caller]
fn check(verdict: Option<Verdict>, expected: Result<&str, Refusal>) {
    let verdict = verdict.expect("there is a verdict");
    let name = verdict.map(|admitted| admitted.rights.user().to_string());
    assert_eq!(name.as_deref().map_err(|refusal| *refusal), expected);
}

#[test]
fn passwords_and_tokens_are_proved_and_nothing_else_is() {
    let mut desk = Desk::new();
    let token = desk.token.clone();
    check(desk.come(1, "anna", "right", 0), Ok("anna"));
    check(desk.come(2, "pump", &token, 0), Ok("pump"));
    check(desk.come(3, "anna", "wrong", 0), Err(Refusal::Credentials));
    check(desk.come(4, "pump", "wrong", 0), Err(Refusal::Credentials));
    check(
        desk.come(5, "nobody", "right", 0),
        Err(Refusal::Credentials),
    );
    check(
        desk.come(6, "cert", "certificate", 0),
        Err(Refusal::Credentials),
    );
}

#[test]
fn a_token_without_a_name_is_its_device_and_a_wrong_one_is_a_guess() {
    let mut desk = Desk::new();
    let file = format!("{OPERATOR}anonymous operator\n");
    let token = desk.token.clone();
    let come = |desk: &mut Desk, token: &str| {
        let mut attempt = desk.attempt(1, "", token);
        attempt.username = None;
        desk.authenticator.check(attempt, 0)
    };
    check(come(&mut desk, &token), Ok("pump"));
    check(come(&mut desk, &token[1..]), Err(Refusal::Credentials));
    check(come(&mut desk, ""), Err(Refusal::Credentials));
    let credentials = Credentials::parse(&file).expect("valid");
    desk.authenticator.replace(credentials);
    check(come(&mut desk, ""), Ok(""));
    check(come(&mut desk, &token), Err(Refusal::Credentials));
}

#[test]
fn a_certificate_is_its_user_and_no_other() {
    let mut desk = Desk::new();
    let mut come = |name: Option<&str>| {
        let mut attempt = desk.attempt(1, "", "");
        attempt.guest.user = Some(Arc::from("cert"));
        attempt.username = name.map(Box::from);
        desk.authenticator.check(attempt, 0)
    };
    check(come(None), Ok("cert"));
    check(come(Some("cert")), Ok("cert"));
    check(come(Some("anna")), Err(Refusal::Credentials));
}

#[test]
fn an_attack_slows_itself_and_nobody_else() {
    let mut desk = Desk::new();
    let token = desk.token.clone();
    let mut now_ms = 0;
    for _ in 0..5 {
        now_ms += 10_000;
        check(
            desk.come(1, "pump", "guess", now_ms),
            Err(Refusal::Credentials),
        );
    }
    // The attacker's next guess has to wait, and those beside it are not heard at all.
    assert!(desk.come(1, "anna", "right", now_ms).is_none());
    check(
        desk.come(1, "anna", "guess", now_ms),
        Err(Refusal::Throttled),
    );
    // A clean address is heard at once; and so is a token, even beside the attacker.
    check(desk.come(2, "anna", "right", now_ms), Ok("anna"));
    check(desk.come(1, "pump", &token, now_ms), Ok("pump"));
    // The guess that waited is heard in its time.
    let due_ms = desk.authenticator.deadline_ms().expect("one waits");
    assert!(due_ms > now_ms && desk.authenticator.due(due_ms - 1).is_none());
    let (_, verdict) = desk.authenticator.due(due_ms).expect("its time has come");
    assert!(verdict.is_none(), "the password is being checked");
    check(desk.finish(due_ms), Ok("anna"));
}

#[test]
fn one_address_does_not_fill_the_queue_of_passwords() {
    let mut desk = Desk::new();
    for _ in 0..AUTHENTICATIONS_PER_ORIGIN_MAX {
        let attempt = desk.attempt(1, "anna", "guess");
        assert!(desk.authenticator.check(attempt, 0).is_none());
    }
    let attempt = desk.attempt(1, "anna", "guess");
    check(desk.authenticator.check(attempt, 0), Err(Refusal::Busy));
    let attempt = desk.attempt(2, "anna", "right");
    assert!(
        desk.authenticator.check(attempt, 0).is_none(),
        "another address is taken"
    );
    for _ in 0..AUTHENTICATIONS_PER_ORIGIN_MAX {
        check(desk.finish(0), Err(Refusal::Credentials));
    }
    check(desk.finish(0), Ok("anna"));
}

#[test]
fn a_new_file_takes_what_it_does_not_give() {
    let mut desk = Desk::new();
    let token = desk.token.clone();
    let Some(Ok(anna)) = desk.come(1, "anna", "right", 0) else {
        panic!("she knows her password");
    };
    let Some(Ok(pump)) = desk.come(1, "pump", &token, 0) else {
        panic!("it has its token");
    };
    let Proof::Secret(secret) = &anna.proof else {
        panic!("by her password");
    };
    // Anna gets another role; the pump gets another token; cert goes.
    let text = format!("role other\n  publish a\nuser anna {secret} other\nuser pump x other\n");
    desk.authenticator
        .replace(Credentials::parse(&text).expect("valid"));
    let rights = desk
        .authenticator
        .renew("anna", &anna.proof)
        .expect("she stays");
    assert!(rights.may_publish("c", "a") && rights != anna.rights);
    let gone = Err(Refusal::NotAuthorized);
    assert_eq!(desk.authenticator.renew("pump", &pump.proof), gone);
    assert_eq!(desk.authenticator.renew("cert", &Proof::Certified), gone);
    check(desk.come(1, "pump", &token, 0), Err(Refusal::Credentials));
}

#[test]
fn a_client_that_is_gone_leaves_nothing() {
    let mut desk = Desk::new();
    let attempt = desk.attempt(1, "anna", "right");
    let connection = attempt.connection;
    assert!(desk.authenticator.check(attempt, 0).is_none());
    desk.authenticator.forget(connection);
    let answer = desk.answers.recv().expect("the thread lives");
    assert!(desk.authenticator.answered(&answer, 0).is_none());
}
