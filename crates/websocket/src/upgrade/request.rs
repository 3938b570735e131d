//! The head of one request, and the rules it must keep, in the order in which a client should hear of them.

use httparse::{EMPTY_HEADER, Error, Header, Request as Parser, Status};

use super::refusal::Refusal;
use super::{Rules, Subprotocol};

/// A request line and header fields that are HTTP. Borrows from the bytes of the head.
pub(super) struct Request<'a> {
    method: &'a str,
    target: &'a str,
    version: u8,
    fields: [Header<'a>; FIELDS_MAX],
    fields_len: usize,
}

/// A request that keeps all rules: what the answer needs to know of it.
pub(super) struct Accepted<'a> {
    pub(super) key: &'a [u8],
    pub(super) subprotocol: Option<Subprotocol>,
}

/// Browsers and proxies together send some two dozen.
const FIELDS_MAX: usize = 64;

/// Reads a head that is whole.
pub(super) fn read(head: &[u8]) -> Result<Request<'_>, Refusal> {
    let mut fields = [EMPTY_HEADER; FIELDS_MAX];
    let mut parser = Parser::new(&mut fields);
    match parser.parse(head) {
        Ok(Status::Complete(_)) => {}
        Err(Error::TooManyHeaders) => return Err(Refusal::TooManyFields),
        Err(Error::Version) => return Err(Refusal::HttpVersion),
        Ok(Status::Partial) | Err(_) => return Err(Refusal::NotHttp),
    }
    let (Some(method), Some(target), Some(version)) = (parser.method, parser.path, parser.version) else {
        return Err(Refusal::NotHttp);
    };
    let fields_len = parser.headers.len();
    Ok(Request { method, target, version, fields, fields_len })
}

impl<'a> Request<'a> {
    /// Section 4.2.1, and what section 4.2.2 says of the choices of a server.
    pub(super) fn check(&self, rules: &Rules) -> Result<Accepted<'a>, Refusal> {
        let keep = |kept: bool, refusal: Refusal| if kept { Ok(()) } else { Err(refusal) };
        keep(self.method == "GET", Refusal::Method)?;
        keep(self.version == 1, Refusal::OldHttp)?;
        keep(rules.paths.iter().any(|path| path == self.path()), Refusal::Path)?;
        keep(self.only("Host").is_some(), Refusal::Host)?;
        let has_body =
            self.any("Transfer-Encoding") || self.values("Content-Length").any(|value| value != b"0");
        keep(!has_body, Refusal::Body)?;
        keep(self.lists("Upgrade", "websocket"), Refusal::NoUpgrade)?;
        keep(self.lists("Connection", "Upgrade"), Refusal::Connection)?;
        keep(self.only("Sec-WebSocket-Version") == Some(b"13"), Refusal::Version)?;
        let key = self.only("Sec-WebSocket-Key").filter(|key| is_key(key)).ok_or(Refusal::Key)?;
        let origin = self.only("Origin");
        keep(rules.origins.allow(origin) && origin.is_some() == self.any("Origin"), Refusal::Origin)?;
        Ok(Accepted { key, subprotocol: self.choose_subprotocol()? })
    }

    /// The target without its query, and without the scheme and authority that a proxy may put before it.
    fn path(&self) -> &'a str {
        let target = self.target.split('?').next().unwrap_or_default();
        match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |slash| &rest[slash..]),
            _ => target,
        }
    }

    fn choose_subprotocol(&self) -> Result<Option<Subprotocol>, Refusal> {
        if !self.any(PROTOCOL) {
            return Ok(None);
        }
        let offered = |one: &Subprotocol| self.elements(PROTOCOL).any(|name| name == one.name().as_bytes());
        let chosen = [Subprotocol::Mqtt, Subprotocol::MqttV31].into_iter().find(offered);
        chosen.map(Some).ok_or(Refusal::Subprotocol)
    }

    /// The values of all fields of a name; names have no case.
    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let fields = &self.fields[..self.fields_len];
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }

    fn any(&self, name: &'static str) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a field that may be there once.
    fn only(&self, name: &'static str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// The elements of a list, which may go on over several fields (RFC 9110, section 5.6.1).
    fn elements(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }

    fn lists(&self, name: &'static str, element: &str) -> bool {
        self.elements(name).any(|found| found.eq_ignore_ascii_case(element.as_bytes()))
    }
}

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// 16 bytes in Base64: 22 characters and two that fill up. Bits of the 22nd that mean nothing are not looked at, as the
/// key is never decoded.
fn is_key(key: &[u8]) -> bool {
    let Some(characters) = key.strip_suffix(b"==") else { return false };
    characters.len() == 22
        && characters.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
