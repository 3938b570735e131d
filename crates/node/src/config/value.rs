//! A value between its text and its field: what a file or a variable said, before the key judges it.
//!
//! The file and the environment speak differently (`true` against `"true"`); both end here, so that a key has one
//! place where a value is accepted.

use std::fmt;
use std::net::SocketAddr;

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number. Wider than any field, so that "too large" is said of the number itself.
    Number(i128),
    /// A string.
    Text(String),
    /// The addresses of the listeners.
    Addresses(Vec<SocketAddr>),
}

/// As TOML writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Addresses(addresses) => {
                let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
                f.write_str(&quoted.join(", "))
            }
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_written_so_that_toml_reads_it_back() {
        for text in ["plain", "a\"b", "a\\b", "tab\tnew\nline", "\u{7f}\u{85}", "é"] {
            let document = format!("x = {}", Value::Text(text.into()));
            let table: toml::Table = document.parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }
}
