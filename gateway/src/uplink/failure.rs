//! Errors of Kafka by what has to be done about them.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use super::Class;

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) class: Class,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(class: Class, text: impl Into<String>) -> Self {
        Self {
            class,
            text: text.into(),
        }
    }

    /// What `error` means for the request that was trying to `tried`.
    pub(super) fn of(tried: &str, error: &KafkaError) -> Self {
        let (code, fatal) = match error {
            // Properties that exclude each other: time alone does not mend that.
            KafkaError::ClientCreation(_) => (Code::InvalidArgument, true),
            KafkaError::Transaction(error) => (error.code(), error.is_fatal()),
            other => (other.rdkafka_error_code().unwrap_or(Code::Fail), false),
        };
        Self::of_code(tried, code, fatal, &error.to_string())
    }

    pub(super) fn of_code(tried: &str, code: Code, fatal: bool, detail: &str) -> Self {
        let class = classify(code, fatal);
        Self::new(
            class,
            format!(
                "cannot {tried}: {detail} ({code:?}); {}",
                remedy(class, code)
            ),
        )
    }
}

fn classify(code: Code, fatal: bool) -> Class {
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Class::Fenced,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SSL
        | Code::SecurityDisabled
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Class::Auth,
        Code::UnsupportedFeature
        | Code::UnsupportedVersion
        | Code::InvalidTransactionTimeout
        | Code::InvalidTopic => Class::Fatal,
        _ if fatal => Class::Fatal,
        _ => Class::Retry,
    }
}

fn remedy(class: Class, code: Code) -> &'static str {
    match (class, code) {
        (
            Class::Retry,
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition,
        ) => "create the topic, or let the cluster create topics; it is tried again",
        (Class::Retry | Class::TooLarge { .. }, _) => "it is tried again",
        (Class::Fenced, _) => {
            "another process sends with this gateway.id: give each box its own, then restart"
        }
        (Class::Auth, Code::SSL | Code::SecurityDisabled) => {
            "check kafka.tls, kafka.ca_file and the brokers' certificates; it is tried again"
        }
        (Class::Auth, _) => {
            "check kafka.sasl_* and the rights of this user (ACLs); it is tried again"
        }
        (Class::Fatal, Code::UnsupportedFeature | Code::UnsupportedVersion) => {
            "this cluster has no transactions: set kafka.mode = \"idempotent\""
        }
        (Class::Fatal, Code::InvalidTransactionTimeout) => {
            "raise transaction.max.timeout.ms of the brokers to at least 60 s"
        }
        (Class::Fatal, Code::InvalidArgument) => "correct kafka.properties",
        (Class::Fatal, _) => "a new session is tried",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: Code, fatal: bool, class: Class, expected: &str) {
        let failure = Failure::of_code("commit", code, fatal, "reason");
        assert_eq!(failure.class, class, "{code:?}");
        assert!(failure.text.contains(expected), "{}", failure.text);
    }

    #[test]
    fn each_class_says_what_to_do() {
        check(Code::OperationTimedOut, false, Class::Retry, "tried again");
        check(
            Code::NotLeaderForPartition,
            false,
            Class::Retry,
            "tried again",
        );
        check(
            Code::UnknownTopicOrPartition,
            false,
            Class::Retry,
            "create the topic",
        );
        check(
            Code::InvalidProducerIdMapping,
            false,
            Class::Retry,
            "tried again",
        );
        check(Code::ProducerFenced, true, Class::Fenced, "gateway.id");
        check(Code::Fenced, true, Class::Fenced, "gateway.id");
        check(
            Code::SaslAuthenticationFailed,
            false,
            Class::Auth,
            "kafka.sasl_",
        );
        check(Code::TopicAuthorizationFailed, true, Class::Auth, "ACLs");
        check(Code::SSL, false, Class::Auth, "ca_file");
        check(Code::UnsupportedFeature, false, Class::Fatal, "idempotent");
        check(
            Code::OutOfOrderSequenceNumber,
            true,
            Class::Fatal,
            "new session",
        );
    }
}
