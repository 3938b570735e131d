//! The server certificate of the local CA: made at the first start, kept as long as it fits, made anew before it expires
//! or when the names of this broker have changed.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use time::{Duration, OffsetDateTime};

use crate::authority::{self, Authority};
use crate::certificate::{Certificate, Facts, chain_facts};
use crate::clock;
use crate::folder;
use crate::issuing::{AlternativeName, Request, Usage, is_host};
use crate::pem_file;
use crate::trouble::Trouble;
use crate::whole_file::{self, Secrecy};

/// Makes sure that there is a server certificate that fits. Returns whether it was made now.
pub(crate) fn keep_server_certificate(
    authority: &Authority,
    names: &[AlternativeName],
    now: OffsetDateTime,
) -> Result<bool, Trouble> {
    let folder = authority.folder();
    let _alone = authority::lock(folder)?;
    let (file, key_file) = (folder::server_certificate(folder), folder::server_key(folder));
    let why = match judge(authority, names, now)? {
        Verdict::Fits | Verdict::OfTheOperator => return Ok(false),
        // What cannot be made better stays in use.
        Verdict::Renew(why) if !authority.can_sign() && file.exists() => {
            return Err(Trouble::new(
                &file,
                format!("should be made anew ({why}), and the key of the local CA is not there"),
                "put ca.key back; or name certificates of your own in the configuration",
            ));
        }
        Verdict::Renew(why) => why,
        Verdict::Unusable(trouble) => {
            let aside = file.with_extension("pem.unusable");
            fs::rename(&file, &aside).map_err(|error| Trouble::writing(&aside, &error))?;
            tracing::warn!("TLS: moved to {}, and made anew: {trouble}", aside.display());
            "it could not be used"
        }
    };
    let issued = authority.issue(&Request {
        usage: Usage::Server,
        common_name: common_name(names),
        names: names.to_vec(),
        days: LIFETIME_DAYS,
    })?;
    // The key first: a crash between leaves two files that do not belong together, which the next start notices.
    whole_file::write(&key_file, &issued.key, Secrecy::Secret)?;
    whole_file::write(&file, &issued.certificate, Secrecy::Public)?;
    let until = clock::text(issued.not_after);
    tracing::info!("TLS: {} was made by the local CA ({why}), valid until {until}", file.display());
    Ok(true)
}

enum Verdict {
    Fits,
    /// Somebody put their own there.
    OfTheOperator,
    Renew(&'static str),
    Unusable(Trouble),
}

fn judge(authority: &Authority, names: &[AlternativeName], now: OffsetDateTime) -> Result<Verdict, Trouble> {
    let folder = authority.folder();
    let (file, key_file) = (folder::server_certificate(folder), folder::server_key(folder));
    if !file.exists() {
        return Ok(Verdict::Renew("there was none"));
    }
    let chain = match pem_file::read(&file).and_then(|bytes| pem_file::certificates(&file, &bytes)) {
        Ok(chain) => chain,
        Err(trouble) => return Ok(Verdict::Unusable(trouble)),
    };
    let facts = match chain_facts(&file, &chain) {
        Ok(facts) => facts,
        Err(trouble) => return Ok(Verdict::Unusable(trouble)),
    };
    let first = chain.first().map(|der| &der[..]).unwrap_or_default();
    Ok(match () {
        () if !authority::is_of_a_local_ca(first) => Verdict::OfTheOperator,
        () if !authority.has_signed(first) => Verdict::Renew("another CA had signed it"),
        () if Certificate::read(&file, &key_file).is_err() => Verdict::Renew("its key did not fit"),
        () if facts.not_after - now < RENEW_BEFORE => Verdict::Renew("it would have expired"),
        () if said(&facts) != wanted(names) => Verdict::Renew("the names have changed"),
        () => Verdict::Fits,
    })
}

fn said(facts: &Facts) -> BTreeSet<String> {
    facts.names.iter().cloned().chain(facts.addresses.iter().map(ToString::to_string)).collect()
}

fn wanted(names: &[AlternativeName]) -> BTreeSet<String> {
    let text = |name: &AlternativeName| match name {
        AlternativeName::Address(address) => address.to_string(),
        AlternativeName::Dns(name) | AlternativeName::Uri(name) | AlternativeName::Email(name) => {
            name.to_ascii_lowercase()
        }
    };
    names.iter().map(text).collect()
}

/// The names of the configuration, and what this machine is called anyway.
pub(crate) fn server_names(folder: &Path, configured: &[String]) -> Result<Vec<AlternativeName>, Trouble> {
    let mut names = Vec::new();
    for name in configured {
        match AlternativeName::parse(name) {
            Ok(name @ (AlternativeName::Dns(_) | AlternativeName::Address(_))) => names.push(name),
            Ok(_) | Err(_) => {
                let what = format!("cannot hold the server name `{name}`");
                let help = "name hosts and IP addresses by which clients reach this broker";
                return Err(Trouble::new(&folder::server_certificate(folder), what, help));
            }
        }
    }
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    for name in [host.as_str(), "localhost"] {
        if is_host(name) {
            names.push(AlternativeName::Dns(name.into()));
        }
    }
    names.push(AlternativeName::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    names.push(AlternativeName::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(format!("{name:?}")));
    Ok(names)
}

fn common_name(names: &[AlternativeName]) -> String {
    let short = names.iter().find_map(|name| match name {
        AlternativeName::Dns(name) if name.len() <= 64 => Some(name.clone()),
        _ => None,
    });
    short.unwrap_or_else(|| "tidegate".into())
}

/// Some clients believe no server certificate that is longer valid: Apple's since 2020, 398 days.
const LIFETIME_DAYS: u32 = 397;
/// Early enough for a broker that is off for a month.
const RENEW_BEFORE: Duration = Duration::days(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_certificate_is_made_anew_two_months_before_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path()).unwrap();
        let names = server_names(folder.path(), &[]).unwrap();
        let after = |days| clock::now() + Duration::days(days);
        assert!(keep_server_certificate(&authority, &names, after(0)).unwrap());
        assert!(!keep_server_certificate(&authority, &names, after(336)).unwrap());
        assert!(keep_server_certificate(&authority, &names, after(338)).unwrap());
    }

    #[test]
    fn a_new_ca_makes_a_new_server_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let names = server_names(folder.path(), &[]).unwrap();
        let keep = || {
            let authority = Authority::open_or_create(folder.path()).unwrap();
            keep_server_certificate(&authority, &names, clock::now()).unwrap()
        };
        assert!(keep() && !keep());
        fs::remove_file(folder::ca_certificate(folder.path())).unwrap();
        fs::remove_file(folder::ca_key(folder.path())).unwrap();
        assert!(keep() && !keep());
    }
}
