//! Kinds of principals: how one proves itself, and what it may do.

use std::collections::BTreeMap;

use crate::pattern::Pattern;
use crate::problem::Problem;
use crate::source::{Section, unknown};
use crate::template::Template;

use super::client_id::ClientIdRule;
use super::secret::{Secret, Store};
use super::session::SessionPolicy;
use super::violation::Violations;
use crate::duration::seconds;

/// One kind of principal: data, whatever platform it is of.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What grants and routes call it.
    pub name: Box<str>,
    /// Where it may prove itself.
    pub protocols: Vec<Protocol>,
    /// Over which transports; empty: over all.
    pub transports: Vec<Transport>,
    /// What the credential is looked up by, tried in this order.
    pub find_by: Vec<FindBy>,
    /// What the User Name must be, if it matters.
    pub username: Option<Template>,
    /// What the Password must be, if there is one.
    pub password: Option<Template>,
    /// HTTP header lines that carry the secret.
    pub headers: Vec<Template>,
    /// What the secret looks like; `None`: there is none, as with certificates.
    pub secret: Option<Secret>,
    /// Which Client Identifiers it may use.
    pub client_id: ClientIdRule,
    /// How long a new credential lasts unless its maker says otherwise, in seconds.
    pub expires_secs: Option<u32>,
    /// What stands before each of its topics on the wire, and nowhere else.
    pub mount: Option<Template>,
    /// Its sessions, where they differ from the platform's.
    pub session: SessionPolicy,
    /// What it may subscribe to.
    pub read: Vec<Scoped>,
    /// What it may publish to.
    pub write: Vec<Scoped>,
    /// What becomes of a subscription that asks for more.
    pub outside: Outside,
    /// What broken rules lead to, where it differs from the platform's.
    pub on: Violations,
}

/// A right of a kind, perhaps for some of its credentials only.
#[derive(Clone, Debug)]
pub struct Scoped {
    /// Only credentials that were made with this scope have it; `None`: all.
    pub scope: Option<Box<str>>,
    /// What it is a right to.
    pub pattern: Pattern,
}

/// Where a principal proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// In a CONNECT.
    Mqtt,
    /// With a request.
    Http,
}

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

/// What a credential is found by: one look-up in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindBy {
    /// The keyed hash of the secret itself.
    Secret,
    /// The User Name.
    Username,
    /// The Client Identifier.
    ClientId,
    /// Issuer and subject of the client's certificate.
    Certificate,
}

/// What becomes of a subscription that asks for more than its owner may read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// It is a violation.
    #[default]
    Refuse,
    /// It gets what is inside.
    Narrow,
}

impl Kind {
    pub(super) fn read(section: Section<'_, '_>) -> Option<Self> {
        let name = section.required_text("name", "\"device\"")?;
        let protocols = [("mqtt", Protocol::Mqtt), ("http", Protocol::Http)];
        let transports = [
            ("tcp", Transport::Tcp),
            ("tls", Transport::Tls),
            ("ws", Transport::Ws),
            ("wss", Transport::Wss),
        ];
        let keys = [
            ("secret", FindBy::Secret),
            ("username", FindBy::Username),
            ("client_id", FindBy::ClientId),
            ("certificate", FindBy::Certificate),
        ];
        let aliases = section.section("let", "`let`").map(aliases).unwrap_or_default();
        let rights = |key| {
            let patterns = section.list(key, |text| expand(text, &aliases)).unwrap_or_default();
            patterns.into_iter().flatten().collect::<Vec<_>>()
        };
        let kind = Self {
            name: name.into(),
            protocols: words(&section, "protocols", &protocols).unwrap_or(vec![Protocol::Mqtt]),
            transports: words(&section, "transports", &transports).unwrap_or_default(),
            find_by: words(&section, "find_by", &keys).unwrap_or_default(),
            username: section.parsed("username", Template::parse),
            password: section.parsed("password", Template::parse),
            headers: section.list("header", Template::parse).unwrap_or_default(),
            secret: section.section("secret", "`secret`").map(Secret::read),
            client_id: section
                .section("client_id", "`client_id`")
                .map(ClientIdRule::read)
                .unwrap_or_default(),
            expires_secs: section.parsed("expires", seconds),
            mount: section.parsed("mount", Template::parse),
            session: section.section("session", "`session`").map(SessionPolicy::read).unwrap_or_default(),
            read: rights("read"),
            write: rights("write"),
            outside: section
                .choice("outside", &[("refuse", Outside::Refuse), ("narrow", Outside::Narrow)])
                .unwrap_or_default(),
            on: section.section("on", "`on`").map(Violations::read).unwrap_or_default(),
        };
        kind.check(&section);
        section.end();
        Some(kind)
    }

    /// Rules between keys.
    fn check(&self, section: &Section<'_, '_>) {
        if self.find_by.is_empty() {
            section.report_here(Problem::new(
                format!("nothing says what a credential of kind `{}` is found by", self.name),
                "add `find_by`, such as `find_by = \"username\"`; there are: secret, username, client_id, certificate",
            ));
        }
        let is_hashed = self.secret.as_ref().is_some_and(|secret| secret.store != Store::Argon2);
        if self.find_by.contains(&FindBy::Secret) && !is_hashed {
            section.report_here(Problem::new(
                format!("a credential of kind `{}` cannot be found by its secret", self.name),
                "only a secret with `store = \"hash\"` or `\"sealed\"` has an index entry",
            ));
        }
        let uses_secret = |template: &Template| template.paths().any(|path| path == "secret");
        let templates = self.username.iter().chain(&self.password).chain(&self.headers).chain(&self.mount);
        if self.secret.is_none() && templates.into_iter().any(uses_secret) {
            section.report_here(Problem::new(
                format!("kind `{}` uses `{{secret}}` and has none", self.name),
                "add `secret = { format = \"{random:32:alnum}\" }`",
            ));
        }
    }
}

/// A list of words out of a few.
fn words<T: Copy>(
    section: &Section<'_, '_>,
    key: &'static str,
    known: &[(&'static str, T)],
) -> Option<Vec<T>> {
    section.list(key, |text| {
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, word)| *word);
        found.ok_or_else(|| {
            unknown(&format!("`{key}` names `{text}`"), text, known.iter().map(|(name, _)| *name))
        })
    })
}

/// What a name stands for at the beginning of a right: each of these, for all credentials or for those of one scope.
type Aliases = BTreeMap<Box<str>, Vec<(Option<Box<str>>, String)>>;

/// `let = { base = ["a", "b"], scope = { all = "x/#", site = "x/{site.id}/#" } }`
fn aliases(section: Section<'_, '_>) -> Aliases {
    use toml::de::DeValue;
    let mut aliases = Aliases::new();
    for (name, value) in section.entries() {
        let mut texts = Vec::new();
        let mut wrong = false;
        match value.get_ref() {
            DeValue::Array(values) => {
                for value in values.iter() {
                    match value.get_ref() {
                        DeValue::String(text) => texts.push((None, text.to_string())),
                        _ => wrong = true,
                    }
                }
            }
            DeValue::Table(scopes) => {
                for (scope, value) in scopes {
                    match value.get_ref() {
                        DeValue::String(text) => {
                            texts.push((Some((&**scope.get_ref()).into()), text.to_string()))
                        }
                        _ => wrong = true,
                    }
                }
            }
            _ => wrong = true,
        }
        if wrong || texts.is_empty() {
            section.report(
                value,
                Problem::new(
                    format!("`{name}` stands for no topics"),
                    "write a list, `base = [\"a/{device.id}\"]`, or one text for each scope, `scope = { all = \"a/#\" }`",
                ),
            );
        }
        aliases.insert(name.into(), texts);
    }
    aliases
}

/// The patterns of one right: a name that stands for several multiplies it.
fn expand(text: &str, aliases: &Aliases) -> Result<Vec<Scoped>, Problem> {
    let alias = aliases.iter().find_map(|(name, stands_for)| {
        let behind = text.strip_prefix('{')?.strip_prefix(&**name)?.strip_prefix('}')?;
        Some((behind, stands_for))
    });
    let Some((behind, stands_for)) = alias else {
        return Ok(vec![Scoped { scope: None, pattern: Pattern::parse(text)? }]);
    };
    let scoped = stands_for.iter().map(|(scope, before)| {
        let pattern = Pattern::parse(&format!("{before}{behind}"))?;
        Ok(Scoped { scope: scope.clone(), pattern })
    });
    scoped.collect()
}
