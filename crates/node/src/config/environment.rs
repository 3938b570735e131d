//! The environment as a source of values: one variable per key, `TIDEGATE_LIMITS__PACKET_BYTES_MAX` for
//! `limits.packet_bytes_max`.
//!
//! A variable that starts with `TIDEGATE_` and names no key is a mistake that would otherwise go unnoticed, and is
//! refused. The one exception is named in [`is_service_link`].

use std::ffi::OsString;

use super::key::{Field, Key};
use super::load::Draft;
use super::nearest::nearest;
use super::value::Value;
use super::{file, keys};
use crate::refusal::{Code, Place, Refusal};

/// Names and values, as the process got them.
pub type Environment = Vec<(OsString, OsString)>;

/// Puts every variable of ours into the draft.
pub(super) fn read(environment: &Environment, draft: &mut Draft) {
    let in_kubernetes = ["KUBERNETES_SERVICE_HOST", "TIDEGATE_SERVICE_HOST"]
        .iter()
        .all(|name| environment.iter().any(|(set, _)| set == name));
    for (name, value) in environment {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || (in_kubernetes && is_service_link(&name)) {
            continue;
        }
        let place = Place::Variable(name.clone().into_owned());
        match keys::all().find(|key| key.variable() == name) {
            None => draft.refuse(unknown(&name, place)),
            Some(key) => match value.to_str() {
                Some(text) => set(key, text, place, draft),
                None => draft.refuse_value(key, place, "is not UTF-8".into()),
            },
        }
    }
}

fn set(key: &'static Key, text: &str, place: Place, draft: &mut Draft) {
    match (&key.field, parse(&key.field, text)) {
        (_, Some(value)) => draft.set(key, &value, place),
        (Field::Listeners { .. }, None) => {
            for address in text.split(',').map(str::trim) {
                if let Err(reason) = file::address(address) {
                    draft.refuse_value(key, place.clone(), reason);
                }
            }
        }
        (field, None) => {
            draft.refuse_value(key, place, format!("must be {}, but is {}", field.wants(), shown(text)));
        }
    }
}

fn parse(field: &Field, text: &str) -> Option<Value> {
    Some(match field {
        Field::Flag { .. } => Value::Flag(text.parse().ok()?),
        Field::Number { .. } => Value::Number(text.parse().ok()?),
        Field::Directory { .. } | Field::Choice { .. } => Value::Text(text.to_owned()),
        Field::Listeners { .. } => {
            let addresses: Result<_, _> = text.split(',').map(|one| file::address(one.trim())).collect();
            Value::Addresses(addresses.ok()?)
        }
    })
}

/// The value in a message: quoted, and cut where it is too long to help.
pub(super) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

fn unknown(name: &str, place: Place) -> Refusal {
    let variables: Vec<String> = keys::all().map(Key::variable).collect();
    let help = match nearest(name, variables.iter().map(String::as_str)) {
        Some(variable) => format!("did you mean `{variable}`?"),
        None => "`tidegate config reference` lists every key and its variable; unset what is not ours".into(),
    };
    Refusal { code: Code::UnknownVariable, place, message: "names no key of the configuration".into(), help }
}

/// Kubernetes tells each container about the services around it, and a service called `tidegate` arrives under our
/// prefix. These names come from there and are not the operator's words.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    ["SERVICE_HOST", "SERVICE_PORT", "PORT"]
        .iter()
        .any(|link| rest.strip_prefix(link).is_some_and(|tail| tail.is_empty() || tail.starts_with('_')))
}

const PREFIX: &str = "TIDEGATE_";
const SHOWN_CHARS_MAX: usize = 80;
