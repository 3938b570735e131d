//! The figures a run yields, by name.

use serde::Serialize;
use std::collections::BTreeMap;

/// A kind of figure. The serialised name carries the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU seconds of the broker per million messages that reached a subscriber, or were acknowledged where all
    /// subscribers are away.
    CpuSecondsPerMillion,
    /// CPU microseconds of the broker per connection that was established.
    CpuMicrosPerConnection,
    /// Share of one core that the broker takes while its connections are silent.
    IdleCpuPercent,
    /// Messages that reached a subscriber, per second.
    DeliveredPerSecond,
    /// Messages that were acknowledged, per second.
    AcknowledgedPerSecond,
    /// Connections per second, from the first SYN to CONNACK.
    ConnectionsPerSecond,
    /// Middle of the time from publishing to receiving; to the PUBACK where all subscribers are away.
    LatencyP50Micros,
    /// The time that one message in a hundred exceeds.
    LatencyP99Micros,
    /// The time by which the generator itself missed its schedule, exceeded once in a hundred.
    LatenessP99Micros,
    /// Memory of the broker at the end of the measured part.
    ResidentMib,
    /// Growth of the broker's memory per retained message.
    BytesPerRetained,
    /// Growth of the broker's memory per message that waits for a client.
    BytesPerQueued,
    /// The same for the second half of the messages, when memory that is bounded is used up.
    BytesPerQueuedLater,
    /// Growth of the broker's memory per idle connection.
    KibPerConnection,
    /// Messages that the generator put into one write.
    MessagesPerWrite,
    /// Acknowledged messages per batch that the broker wrote to the disk.
    MessagesPerSync,
    /// The messages of such batches that a bare loop appends and syncs in a second.
    BareLoopPerSecond,
    /// Acknowledged messages as a part of those.
    ShareOfBareLoop,
    /// Middle of the time of one batch in the bare loop.
    BareLoopP50Micros,
    /// The time that one batch of the bare loop in a hundred exceeds.
    BareLoopP99Micros,
    /// Middle of the time to the PUBACK, as a multiple of the bare loop's.
    TimesBareLoop,
    /// Middle of the time to the PUBACK of the echo.
    EchoP50Micros,
    /// The time that one PUBACK of the echo in a hundred exceeds.
    EchoP99Micros,
    /// Middle of the time to the PUBACK, as a multiple of the echo's.
    TimesEcho,
    /// Messages that waited when the broker was killed, and came afterwards.
    QueuedMillions,
    /// What the broker had on the disk when it was killed.
    StoredMib,
    /// From the start of the process to the first CONNACK.
    RestartSeconds,
    /// The same after another kill, as soon as it served.
    SecondRestartSeconds,
    /// Memory of the broker after the restart.
    RestartedMib,
    /// CPU seconds of the broker per million messages over plain TCP.
    TcpCpu,
    /// The same over WebSocket.
    WsCpu,
    /// The same over TLS.
    TlsCpu,
    /// The same over WebSocket in TLS.
    WssCpu,
    /// CPU per message over WebSocket as a multiple of that over plain TCP.
    WsTimesTcp,
    /// The same for TLS.
    TlsTimesTcp,
    /// The same for WebSocket in TLS.
    WssTimesTcp,
    /// Messages that reached a subscriber over plain TCP, per second.
    TcpPerSecond,
    /// The same over WebSocket.
    WsPerSecond,
    /// The same over TLS.
    TlsPerSecond,
    /// The same over WebSocket in TLS.
    WssPerSecond,
    /// Share of the shards' CPU time that the busiest shard took.
    BusiestShardPercent,
    /// CPU time that neither broker nor generator used, in percent of one core, from connecting to the end of
    /// the run.
    OthersCpuPercent,
}

impl Metric {
    /// What the table calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::CpuSecondsPerMillion => "CPU s / million",
            Self::CpuMicrosPerConnection => "CPU µs / connection",
            Self::IdleCpuPercent => "CPU % when idle",
            Self::DeliveredPerSecond => "delivered / s",
            Self::AcknowledgedPerSecond => "acknowledged / s",
            Self::ConnectionsPerSecond => "connections / s",
            Self::LatencyP50Micros => "p50 µs",
            Self::LatencyP99Micros => "p99 µs",
            Self::LatenessP99Micros => "generator late, p99 µs",
            Self::ResidentMib => "resident MiB",
            Self::BytesPerRetained => "bytes / retained",
            Self::BytesPerQueued => "bytes / queued",
            Self::BytesPerQueuedLater => "bytes / queued, 2nd half",
            Self::KibPerConnection => "KiB / connection",
            Self::MessagesPerWrite => "messages / write of ours",
            Self::MessagesPerSync => "messages / sync",
            Self::BareLoopPerSecond => "bare loop / s",
            Self::ShareOfBareLoop => "part of the bare loop",
            Self::BareLoopP50Micros => "bare loop, p50 µs",
            Self::BareLoopP99Micros => "bare loop, p99 µs",
            Self::TimesBareLoop => "p50 × bare loop",
            Self::EchoP50Micros => "echo, p50 µs",
            Self::EchoP99Micros => "echo, p99 µs",
            Self::TimesEcho => "p50 × echo",
            Self::QueuedMillions => "million messages",
            Self::StoredMib => "MiB on the disk",
            Self::RestartSeconds => "s to CONNACK",
            Self::SecondRestartSeconds => "s after another kill",
            Self::RestartedMib => "MiB after restart",
            Self::TcpCpu => "TCP, CPU s / million",
            Self::WsCpu => "WS, CPU s / million",
            Self::TlsCpu => "TLS, CPU s / million",
            Self::WssCpu => "WSS, CPU s / million",
            Self::WsTimesTcp => "WS × TCP",
            Self::TlsTimesTcp => "TLS × TCP",
            Self::WssTimesTcp => "WSS × TCP",
            Self::TcpPerSecond => "TCP, delivered / s",
            Self::WsPerSecond => "WS, delivered / s",
            Self::TlsPerSecond => "TLS, delivered / s",
            Self::WssPerSecond => "WSS, delivered / s",
            Self::BusiestShardPercent => "busiest shard, %",
            Self::OthersCpuPercent => "CPU % of others",
        }
    }
}

/// The figures of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measures {
    /// Figure by kind.
    #[serde(flatten)]
    pub figures: BTreeMap<Metric, f64>,
    /// Per thread of the broker, its share of the broker's CPU time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadShare>,
}

/// What one thread of the broker contributed.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadShare {
    /// Its name.
    pub name: String,
    /// Its part of the broker's CPU time.
    pub percent: f64,
}

impl Measures {
    /// Adds a figure, if there is one.
    pub fn set(&mut self, metric: Metric, figure: impl Into<Option<f64>>) {
        if let Some(figure) = figure.into().filter(|figure| figure.is_finite()) {
            self.figures.insert(metric, figure);
        }
    }
}
