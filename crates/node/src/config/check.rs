//! Rules between keys: values that are fine alone and wrong together.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::load::Loaded;
use crate::refusal::{Code, Place, Refusal};

/// What cannot hold together. A rule is silent while one of its keys has a refused value.
pub(super) fn contradictions(loaded: &Loaded, refused: &BTreeSet<&'static str>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let judged = |keys: &[&'static str]| keys.iter().all(|key| !refused.contains(key));
    if judged(&["listener", "allow_anonymous", "allow_anonymous_beyond_loopback"]) {
        found.extend(anonymous_beyond_loopback(loaded));
    }
    if judged(&["listener"]) {
        found.extend(same_listener_twice(loaded));
    }
    if judged(&[BEFORE_CONNECT, PACKET]) {
        let limits = &loaded.config.limits;
        found.extend(at_most(
            loaded,
            (BEFORE_CONNECT, limits.packet_bytes_before_connect_max.into()),
            (PACKET, limits.packet_bytes_max.into()),
        ));
    }
    if judged(&[EXPIRY_V3, EXPIRY]) {
        let limits = &loaded.config.limits;
        found.extend(at_most(
            loaded,
            (EXPIRY_V3, limits.session_expiry_v3_secs.into()),
            (EXPIRY, limits.session_expiry_max_secs.into()),
        ));
    }
    found
}

/// The default is safe, and nothing but the words lifts it: not a default listener, not an environment.
fn anonymous_beyond_loopback(loaded: &Loaded) -> Option<Refusal> {
    let config = &loaded.config;
    if !config.allow_anonymous || config.allow_anonymous_beyond_loopback {
        return None;
    }
    let open: Vec<_> =
        config.listeners.iter().filter(|address| !on_loopback(address)).map(ToString::to_string).collect();
    if open.is_empty() {
        return None;
    }
    Some(Refusal {
        code: Code::AnonymousBeyondLoopback,
        place: origin(loaded, "listener"),
        message: format!(
            "{} can be reached from other machines, and anybody may connect without a credential",
            open.join(", ")
        ),
        help: "listen on 127.0.0.1, or set `allow_anonymous = false`, or, when anybody who reaches the port may \
               read and write everything, say so with `allow_anonymous_beyond_loopback = true`"
            .into(),
    })
}

/// An IPv4 address inside an IPv6 one is the address that the system binds.
fn on_loopback(address: &SocketAddr) -> bool {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback(),
    }
}

fn same_listener_twice(loaded: &Loaded) -> Option<Refusal> {
    let mut seen = BTreeSet::new();
    let twice =
        loaded.config.listeners.iter().find(|address| address.port() != 0 && !seen.insert(**address))?;
    Some(Refusal {
        code: Code::Contradiction,
        place: origin(loaded, "listener"),
        message: format!("two listeners have the address {twice}"),
        help: "keep one of the two".into(),
    })
}

fn at_most(
    loaded: &Loaded,
    (low, low_value): (&str, u64),
    (high, high_value): (&str, u64),
) -> Option<Refusal> {
    if low_value <= high_value {
        return None;
    }
    // The place of whichever the operator wrote; when both, the one that asks for too much.
    let place = match origin(loaded, low) {
        Place::Nowhere => origin(loaded, high),
        place => place,
    };
    Some(Refusal {
        code: Code::Contradiction,
        place,
        message: format!("`{low}` is {low_value}, which is more than `{high}` with {high_value}"),
        help: format!("lower `{low}` or raise `{high}`"),
    })
}

fn origin(loaded: &Loaded, key: &str) -> Place {
    loaded.origins.get(key).cloned().unwrap_or(Place::Nowhere)
}

const BEFORE_CONNECT: &str = "limits.packet_bytes_before_connect_max";
const PACKET: &str = "limits.packet_bytes_max";
const EXPIRY_V3: &str = "limits.session_expiry_v3_secs";
const EXPIRY: &str = "limits.session_expiry_max_secs";
