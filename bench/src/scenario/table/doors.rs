//! Scenarios with TLS and WebSocket. All connections are full handshakes of TLS 1.3; see [`crate::certificate`].

use super::{IDLE_CONNECTIONS, SMALL, goal, pairs};
use crate::codec::QoS::AtMostOnce;
use crate::door::{Door, Records};
use crate::measures::Metric;
use crate::scenario::{Bound, Scenario, Work};

pub(super) fn all() -> Vec<Scenario> {
    let about = "pairs-qos0 over TCP, WS, TLS and WSS in turns, one packet a frame";
    let bounds = [1.6, 1.8, 2.4].map(Bound::AtMost);
    let about_records = "the same, one packet or frame a TLS record";
    vec![
        doors("doors", about, Records::Joined, bounds),
        doors("doors-records", about_records, Records::OnePerPacket, [Bound::None; 3]),
        idle_tls(),
        storm_tls(),
    ]
}

fn doors(name: &'static str, about: &'static str, records: Records, bounds: [Bound; 3]) -> Scenario {
    let [ws, tls, wss] = bounds;
    Scenario {
        name,
        about,
        work: Work::Doors(pairs(50, AtMostOnce, SMALL, 100), records),
        door: Door::Tcp,
        goals: vec![
            goal(Metric::WsTimesTcp, ws),
            goal(Metric::TlsTimesTcp, tls),
            goal(Metric::WssTimesTcp, wss),
            goal(Metric::TcpCpu, Bound::None),
            goal(Metric::WsCpu, Bound::None),
            goal(Metric::TlsCpu, Bound::None),
            goal(Metric::WssCpu, Bound::None),
            goal(Metric::TcpPerSecond, Bound::None),
            goal(Metric::WsPerSecond, Bound::None),
            goal(Metric::TlsPerSecond, Bound::None),
            goal(Metric::WssPerSecond, Bound::None),
        ],
        is_saturated: false,
    }
}

fn idle_tls() -> Scenario {
    Scenario {
        name: "idle-tls",
        about: "10k idle TLS connections",
        work: Work::Idle(IDLE_CONNECTIONS),
        door: Door::Tls,
        goals: vec![
            goal(Metric::KibPerConnection, Bound::AtMost(12.0)),
            goal(Metric::CpuMicrosPerConnection, Bound::None),
            goal(Metric::IdleCpuPercent, Bound::None),
        ],
        is_saturated: false,
    }
}

fn storm_tls() -> Scenario {
    Scenario {
        name: "storm-tls",
        about: "TLS connections that come and go, 64 at a time, each a full handshake",
        work: Work::Storm,
        door: Door::Tls,
        goals: vec![
            goal(Metric::CpuMicrosPerConnection, Bound::TimesReference(1.0)),
            goal(Metric::ConnectionsPerSecond, Bound::None),
        ],
        is_saturated: false,
    }
}
