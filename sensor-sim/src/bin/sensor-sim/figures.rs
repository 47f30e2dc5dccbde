//! What a run did and how long it took, as a table or as JSON.

use core::fmt;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Longest latency that is told apart, µs: an hour.
const LATENCY_US_MAX: u64 = 3_600_000_000;

/// What a run did.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Messages that were sent.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Messages that were sent again after a reconnect.
    pub resent: u64,
    /// Connections that were accepted.
    pub connects: u64,
    /// Connections that broke, or were refused.
    pub disconnects: u64,
    /// Faults of sensors that began.
    pub faults: u64,
    /// From the time when a message was to be sent to its acknowledgement, µs.
    response_us: Histogram<u64>,
    /// From the time when it was sent, µs.
    service_us: Histogram<u64>,
    /// Why connections broke, the last one.
    pub last_error: Option<String>,
}

impl Figures {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            resent: 0,
            connects: 0,
            disconnects: 0,
            faults: 0,
            response_us: latencies(),
            service_us: latencies(),
            last_error: None,
        }
    }

    /// A message is done: acknowledged, or at QoS 0 written.
    pub(crate) fn done(&mut self, intended_us: u64, sent_us: u64, now_us: u64) {
        for (histogram, from_us) in [
            (&mut self.response_us, intended_us),
            (&mut self.service_us, sent_us),
        ] {
            histogram.saturating_record(now_us.saturating_sub(from_us).max(1));
        }
    }

    /// A run that took `seconds`.
    pub(crate) fn report(&self, seconds: f64) -> Report<'_> {
        Report {
            figures: self,
            seconds,
            cpu_s: cpu_s(),
        }
    }
}

fn latencies() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the histogram takes"
    )]
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds")
}

/// Time on the processor of this process's first thread, which does all the work, s. `None` where the system doesn't say.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// The figures of a finished run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    figures: &'a Figures,
    seconds: f64,
    cpu_s: Option<f64>,
}

const QUANTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
    ("max", 1.0),
];

impl Report<'_> {
    fn per_million(&self) -> Option<f64> {
        let millions = self.figures.sent as f64 / 1e6;
        self.cpu_s
            .filter(|_| millions > 0.0)
            .map(|seconds| seconds / millions)
    }

    /// All figures, as JSON.
    pub(crate) fn json(&self) -> Value {
        let it = self.figures;
        let latency = |histogram: &Histogram<u64>| -> Value {
            QUANTILES
                .iter()
                .map(|(name, at)| (*name, histogram.value_at_quantile(*at)))
                .collect()
        };
        json!({
            "seconds": self.seconds,
            "sent": it.sent,
            "acknowledged": it.acknowledged,
            "resent": it.resent,
            "connects": it.connects,
            "disconnects": it.disconnects,
            "faults": it.faults,
            "response_us": latency(&it.response_us),
            "service_us": latency(&it.service_us),
            "cpu_s": self.cpu_s,
            "cpu_s_per_million": self.per_million(),
            "last_error": it.last_error,
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = self.figures;
        let rate = it.sent as f64 / self.seconds.max(1e-9);
        writeln!(
            f,
            "sent          {:>12}   {rate:.0}/s for {:.1} s",
            it.sent, self.seconds
        )?;
        writeln!(
            f,
            "acknowledged  {:>12}   {} not",
            it.acknowledged,
            it.sent - it.acknowledged
        )?;
        writeln!(
            f,
            "sent again    {:>12}   {} connects, {} broken or refused",
            it.resent, it.connects, it.disconnects
        )?;
        if let Some(error) = &it.last_error {
            writeln!(f, "last broken because: {error}")?;
        }
        if it.faults > 0 {
            writeln!(f, "faults        {:>12}", it.faults)?;
        }
        write!(f, "latency, ms  ")?;
        QUANTILES
            .iter()
            .try_for_each(|(name, _)| write!(f, "{name:>10}"))?;
        for (name, histogram) in [
            ("as intended", &it.response_us),
            ("as sent", &it.service_us),
        ] {
            write!(f, "\n  {name:<11}")?;
            for (_, at) in QUANTILES {
                write!(
                    f,
                    "{:>10.3}",
                    histogram.value_at_quantile(at) as f64 / 1000.0
                )?;
            }
        }
        if let (Some(cpu_s), Some(each)) = (self.cpu_s, self.per_million()) {
            write!(
                f,
                "\nprocessor     {cpu_s:>12.3} s   {each:.2} s for a million messages"
            )?;
        }
        Ok(())
    }
}
