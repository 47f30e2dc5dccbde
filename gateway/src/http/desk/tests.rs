use super::*;
use crate::transport::Guest;

/// A desk with one post on it whose sender is known, and where its answer goes.
struct Bench {
    desk: Desk,
    request: RequestId,
    answer: oneshot::Receiver<Answer>,
}

fn post(body: &str, has_lines: bool, key: Option<&str>) -> Task {
    Task::Post(Post {
        topic: "sensors/pump".to_owned(),
        body: body.as_bytes().to_vec(),
        has_lines,
        key: key.map(str::to_owned),
    })
}

fn admit(desk: &mut Desk, task: Task) -> (Option<ConnectionId>, oneshot::Receiver<Answer>) {
    let (reply, answer) = oneshot::channel();
    let login = Login::default();
    let admitted = desk.admit(Errand {
        task,
        login,
        guest: Guest::default(),
        reply,
    });
    (admitted.map(|(connection, _)| connection), answer)
}

impl Bench {
    fn new(task: Task) -> Self {
        let mut desk = Desk::new(100);
        let (connection, answer) = admit(&mut desk, task);
        let connection = connection.unwrap();
        assert!(desk.owns(connection));
        desk.handle_verdict(connection, Ok(Rights::all("anna")));
        let request = desk.pop_ready().unwrap();
        Self {
            desk,
            request,
            answer,
        }
    }

    /// The messages that are handed out, each answered with `reason`.
    fn hand_out(&mut self, reason: ReasonCode) -> Vec<String> {
        let mut messages = Vec::new();
        while let Step::Message(message) = self.desk.step(self.request) {
            messages.push(String::from_utf8(message.payload().to_vec()).unwrap());
            self.desk.handle_answer(self.request, reason);
        }
        messages
    }

    fn answer(&mut self) -> (u16, String) {
        let answer = self.answer.try_recv().unwrap();
        (answer.status.as_u16(), answer.body.trim_end().to_owned())
    }
}

fn check(body: &str, has_lines: bool, messages: &[&str], answer: (u16, &str)) {
    let mut bench = Bench::new(post(body, has_lines, None));
    assert_eq!(bench.hand_out(ReasonCode::Success), messages, "{body:?}");
    let (status, text) = bench.answer();
    assert_eq!((status, text.as_str()), answer, "{body:?}");
}

#[test]
fn a_body_is_one_message_or_one_a_line() {
    check("{}\n{}", false, &["{}\n{}"], (202, r#"{"taken":1}"#));
    check(
        "1\n\n 2 \r\n3",
        true,
        &["1", " 2 \r", "3"],
        (202, r#"{"taken":3}"#),
    );
    check("1\n", true, &["1"], (202, r#"{"taken":1}"#));
    check(
        "\n \n",
        true,
        &[],
        (400, r#"{"error":"the body has no message"}"#),
    );
    check("", false, &[""], (202, r#"{"taken":1}"#));
}

#[test]
fn the_answer_waits_for_the_last_message() {
    let mut bench = Bench::new(post("1\n2", true, None));
    for _ in 0..2 {
        assert!(matches!(bench.desk.step(bench.request), Step::Message(_)));
    }
    assert!(matches!(bench.desk.step(bench.request), Step::Done));
    bench.desk.handle_answer(bench.request, ReasonCode::Success);
    assert!(bench.answer.try_recv().is_err());
    bench
        .desk
        .handle_answer(bench.request, ReasonCode::NoMatchingSubscribers);
    assert_eq!(bench.answer(), (202, r#"{"taken":2}"#.to_owned()));
}

#[test]
fn a_fault_is_told_with_its_line() {
    let mut bench = Bench::new(post("1\nx\n3", true, None));
    for at in 1..=3 {
        assert!(matches!(bench.desk.step(bench.request), Step::Message(_)));
        if at == 2 {
            bench
                .desk
                .note_fault(bench.request, &PayloadError::new("none", 5));
        }
    }
    assert!(matches!(bench.desk.step(bench.request), Step::Done));
    for reason in [
        ReasonCode::Success,
        ReasonCode::PayloadFormatInvalid,
        ReasonCode::QuotaExceeded,
    ] {
        bench.desk.handle_answer(bench.request, reason);
    }
    let (status, text) = bench.answer();
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (status, &told["taken"], &told["refused"]),
        (400, &json!(1), &json!(2))
    );
    assert_eq!(
        told["errors"][0],
        json!({ "line": 2, "offset": 5, "reason": "none" })
    );
    assert_eq!(told["errors"][1]["line"], 3);
}

#[test]
fn who_is_refused_gets_nothing_into_the_engine() {
    for (refusal, status) in [
        (Refusal::Credentials, 401),
        (Refusal::NotAuthorized, 403),
        (Refusal::Throttled, 429),
        (Refusal::Busy, 503),
    ] {
        let mut desk = Desk::new(100);
        let (connection, mut answer) = admit(&mut desk, post("1", false, None));
        desk.handle_verdict(connection.unwrap(), Err(refusal));
        assert_eq!(answer.try_recv().unwrap().status.as_u16(), status);
        assert_eq!(desk.ready(), 0);
    }
    let mut bench = Bench::new(post("1", false, None));
    bench.hand_out(ReasonCode::NotAuthorized);
    assert_eq!(bench.answer().0, 403);
}

#[test]
fn where_there_is_no_room_a_post_is_told_to_come_again_or_waits_for_its_rest() {
    let mut bench = Bench::new(post("1\n2", true, None));
    bench.desk.hold(bench.request);
    assert_eq!(bench.answer().0, 429);
    let mut bench = Bench::new(post("1\n2", true, None));
    assert!(matches!(bench.desk.step(bench.request), Step::Message(_)));
    bench.desk.hold(bench.request);
    assert_eq!(
        bench.desk.pop_ready(),
        Some(bench.request),
        "its first line is taken"
    );

    let mut desk = Desk::new(100);
    let waiting: Vec<_> = (0..HTTP_POSTS_MAX)
        .map(|_| admit(&mut desk, post("1", false, None)).0.unwrap())
        .collect();
    let (connection, mut answer) = admit(&mut desk, post("1", false, None));
    assert_eq!(
        (connection, answer.try_recv().unwrap().status.as_u16()),
        (None, 429)
    );
    desk.handle_verdict(waiting[0], Err(Refusal::Credentials));
    let (again, _answer) = admit(&mut desk, post("1", false, None));
    let again = again.unwrap();
    assert_eq!(again.index, waiting[0].index);
    assert_ne!(
        again, waiting[0],
        "a late verdict for the one before is not for it"
    );
    desk.handle_verdict(waiting[0], Ok(Rights::all("")));
    assert_eq!(desk.ready(), 0);
}

#[test]
fn a_body_of_too_many_lines_is_refused_before_the_first() {
    let mut desk = Desk::new(100);
    let (connection, mut answer) =
        admit(&mut desk, post(&"1\n".repeat(HTTP_LINES_MAX), true, None));
    assert_eq!(
        (connection, answer.try_recv().unwrap().status.as_u16()),
        (None, 413)
    );
}

#[test]
fn a_post_with_a_name_is_known_by_it() {
    let names = |key| {
        let mut bench = Bench::new(post("1\n2", true, key));
        let mut names = Vec::new();
        while let Step::Message(message) = bench.desk.step(bench.request) {
            names.push(message.delivery);
        }
        names
    };
    assert_eq!(names(None), [None, None]);
    assert_eq!(names(Some("a")), names(Some("a")));
    assert_ne!(names(Some("a")), names(Some("b")));
    assert_ne!(names(Some("a"))[0], names(Some("a"))[1]);
}
