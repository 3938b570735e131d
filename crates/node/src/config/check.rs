//! Rules between keys: values that are fine alone and wrong together.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::keys;
use super::load::Loaded;
use super::value::Value;
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
    for (low, high) in AT_MOST {
        if judged(&[low, high]) {
            found.extend(more_than(loaded, low, high));
        }
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

/// A default follows the bound that the operator wrote: whoever lowers one need not know of the other.
pub(super) fn lower_defaults(loaded: &mut Loaded) {
    for (low, high) in AT_MOST {
        let Some(place) = loaded.origins.get(high).cloned().filter(|_| !loaded.origins.contains_key(low))
        else {
            continue;
        };
        if let (Some(low_value), Some(high_value)) = (number(loaded, low), number(loaded, high))
            && low_value > high_value
            && let Some(key) = keys::find(low)
            && key.field.set(&mut loaded.config, &Value::Number(high_value)).is_ok()
        {
            loaded.origins.insert(low, place);
        }
    }
}

fn more_than(loaded: &Loaded, low: &str, high: &str) -> Option<Refusal> {
    let (low_value, high_value) = (number(loaded, low)?, number(loaded, high)?);
    if low_value <= high_value {
        return None;
    }
    Some(Refusal {
        code: Code::Contradiction,
        place: origin(loaded, low),
        message: format!("`{low}` is {low_value}, which is more than `{high}` with {high_value}"),
        help: format!("lower `{low}` or raise `{high}`"),
    })
}

fn number(loaded: &Loaded, key: &str) -> Option<i128> {
    match keys::find(key)?.field.get(&loaded.config) {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

fn origin(loaded: &Loaded, key: &str) -> Place {
    loaded.origins.get(key).cloned().unwrap_or(Place::Nowhere)
}

/// Numbers of which the first may not be more than the second.
const AT_MOST: [(&str, &str); 3] = [
    ("limits.packet_bytes_before_connect_max", "limits.packet_bytes_max"),
    ("limits.session_expiry_v3_secs", "limits.session_expiry_max_secs"),
    ("limits.session_expiry_v5_default_secs", "limits.session_expiry_max_secs"),
];
