//! What each error of the cluster leads to.

use super::*;

/// Lets the broker answer the next requests of one kind with an error, and sends one row.
fn check_send(api: Api, errors: &[Error], expected: Class, words: &str) {
    let cluster = Cluster::start();
    let running = cluster.connected();
    cluster.mock.request_errors(api, errors);
    running.check_failed(one_row(), expected, words);
    cluster.mock.clear_request_errors(api);
    assert_ne!(
        expected,
        Class::Fenced,
        "is checked elsewhere: nothing follows it"
    );
    running.connect();
    running.send(&rows(1..=1), mark_at(1));
}

#[test]
fn errors_of_a_transfer_are_told_by_what_to_do() {
    let refused = Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    check_send(Api::Produce, &[refused], Class::Auth, "rights");
    check_send(Api::AddPartitionsToTxn, &[refused], Class::Auth, "rights");
    let refused = Error::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    check_send(Api::EndTxn, &[refused], Class::Auth, "rights");
    let forgotten = Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING;
    check_send(Api::EndTxn, &[forgotten], Class::Retry, "tried again");
    let corrupt = Error::RD_KAFKA_RESP_ERR_INVALID_RECORD;
    check_send(Api::Produce, &[corrupt], Class::Retry, "tried again");
}

#[test]
fn a_second_gateway_with_this_id_stops_the_first() {
    for error in [
        Error::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
        Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ] {
        let cluster = Cluster::start();
        let running = cluster.connected();
        cluster.mock.request_errors(Api::EndTxn, &[error]);
        running.check_failed(one_row(), Class::Fenced, "gateway.id");
    }
}

#[test]
fn errors_that_pass_are_waited_out() {
    let cluster = Cluster::start();
    let running = cluster.connected();
    let loading = Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    let moved = Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
    let concurrent = Error::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
    cluster.mock.request_errors(Api::Produce, &[moved, moved]);
    cluster
        .mock
        .request_errors(Api::AddPartitionsToTxn, &[concurrent, loading]);
    cluster.mock.request_errors(Api::EndTxn, &[loading]);
    running.send(&rows(1..=3), mark_at(3));
    assert_eq!(running.connect(), Some(mark_at(3)));
    let telemetry = read_topic(&cluster.settings(), "edge.telemetry");
    assert_eq!(values(&telemetry), ["row 1", "row 2", "row 3"]);
}

#[test]
fn rights_that_are_missing_are_told_at_the_connect() {
    let cluster = Cluster::start();
    let refused = Error::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    cluster.mock.request_errors(Api::InitProducerId, &[refused]);
    let running = Running::start(cluster.settings());
    running.check_failed(Request::Connect, Class::Auth, "rights");
    assert_eq!(running.connect(), None);
}

#[test]
fn a_row_that_is_too_large_is_named_and_the_session_stands() {
    let cluster = Cluster::start();
    let settings = with(&cluster.settings(), |settings| {
        settings.message_bytes_max = 10_000
    });
    let running = Running::start(settings);
    assert_eq!(running.connect(), None);
    let mut large = row(Lane::Aggregate, 2);
    large.bytes = vec![7; 20_000];
    let transfer = vec![row(Lane::Telemetry, 1), large];
    let expected = Class::TooLarge {
        lane: Lane::Aggregate,
        sequence: Sequence(2),
    };
    running.check_failed(
        Request::Send {
            rows: transfer,
            watermark: mark_at(2),
        },
        expected,
        "20000 bytes",
    );
    running.send(&rows(1..=1), mark_at(1));
}

#[test]
fn rows_that_are_too_large_only_together_go_one_by_one() {
    let cluster = Cluster::start();
    let running = cluster.connected();
    let too_large = Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    cluster.mock.request_errors(Api::Produce, &[too_large]);
    running.send(&rows(1..=3), mark_at(3));
    assert_eq!(running.connect(), Some(mark_at(3)));
}
