//! Which web pages may connect (section 10.2).
//!
//! A browser lets any page open a WebSocket to any address, also to a broker on the visitor's own machine, and says
//! in `Origin` whose page it is. Programs that are no browsers send none, or whatever they like: this rule protects
//! people, and is no authentication.

use std::net::{Ipv4Addr, Ipv6Addr};

/// From which origins a browser may connect. A client that names none is no browser, and always may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Pages of this machine: `localhost`, names below it, and loopback addresses, at any port.
    #[default]
    Loopback,
    /// These, written as browsers send them: `https://example.com`, `http://example.com:8080`.
    Listed(Vec<String>),
    /// Any page.
    Any,
}

impl Origins {
    pub(super) fn allow(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::Listed(origins) => {
                origins.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(origin))
            }
            Self::Loopback => std::str::from_utf8(origin).is_ok_and(is_loopback),
        }
    }
}

/// `scheme://host` or `scheme://host:port`. An opaque origin, `null`, has no host and could be anybody's.
fn is_loopback(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    if let Some((address, port)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return is_port(port) && address.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback());
    }
    let colon = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at(colon);
    let host = host.to_ascii_lowercase();
    let is_name = host == "localhost" || host.ends_with(".localhost");
    is_port(port) && (is_name || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()))
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_pages_of_this_machine_may_connect_and_no_others() {
        let allowed = |origin: &str| Origins::Loopback.allow(Some(origin.as_bytes()));
        for authority in [
            "localhost",
            "localhost:3000",
            "LocalHost:8443",
            "app.localhost:80",
            "127.0.0.1:8080",
            "127.8.9.1",
            "[::1]:9000",
            "[::1]",
        ] {
            assert!(allowed(&format!("http://{authority}")), "{authority}");
            assert!(allowed(&format!("https://{authority}")), "{authority}");
        }
        for authority in [
            "",
            "example.com",
            "localhost.example.com",
            "notlocalhost",
            "localhost:80.example.com",
            "localhost@example.com",
            "localhost:",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::2]",
            "[::1].example.com",
            "[::1",
        ] {
            assert!(!allowed(&format!("http://{authority}")), "{authority}");
        }
        for opaque in ["null", "", "localhost"] {
            assert!(!allowed(opaque), "{opaque}");
        }
        assert!(!Origins::Loopback.allow(Some(b"http://\xFF")));
    }

    #[test]
    fn a_list_names_whole_origins_and_replaces_loopback() {
        let listed = Origins::Listed(vec!["HTTPS://example.com".into(), "null".into()]);
        assert!(listed.allow(Some(b"https://example.com")));
        assert!(listed.allow(Some(b"null")));
        for origin in ["http://example.com", "https://example.com:444", "http://localhost"] {
            assert!(!listed.allow(Some(origin.as_bytes())), "{origin}");
        }
    }

    #[test]
    fn who_names_no_origin_is_no_browser() {
        for origins in [Origins::Loopback, Origins::Listed(Vec::new()), Origins::Any] {
            assert!(origins.allow(None));
        }
        assert!(Origins::Any.allow(Some(b"https://example.com")));
    }
}
