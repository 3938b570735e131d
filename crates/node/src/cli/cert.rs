//! `tidegate cert`: certificates of the local CA, for development.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tidegate_tls::{AlternativeName, Authority, Known, Request, Revocation, Trouble, Usage, folder};

use super::{ConfigFile, UNUSABLE};
use crate::config::load::load;
use crate::terminal;

#[derive(Subcommand)]
pub(super) enum Cert {
    /// Make a certificate with which a client proves who it is
    Client(New),
    /// Make a certificate for another server, signed by the same CA
    Server(New),
    /// List the local CA and what it has signed
    Show(ConfigFile),
    /// Revoke a certificate that the local CA has signed
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct New {
    /// The common name: what the broker takes for the client's identity, unless its listener says otherwise
    #[arg(long, value_name = "CN")]
    name: String,
    /// A further name, may be given several times: a host, an IP address, a URI or a mail address
    #[arg(long, value_name = "NAME", value_parser = AlternativeName::parse)]
    san: Vec<AlternativeName>,
    /// How long it is valid
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Where NAME.pem and NAME.key are written; nothing is overwritten
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The file of the certificate; or its common name or serial number, as `tidegate cert show` lists them
    certificate: String,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) const HELP: &str = "\
The local CA lies in `tls` in the data directory: ca.pem, ca.key and crl.pem. It is made when it is not there yet.

Examples:
  tidegate cert client --name pump-7
      Make pump-7.pem and pump-7.key in this folder.
  mosquitto_pub -p 8883 --cafile tidegate-data/tls/ca.pem --cert pump-7.pem --key pump-7.key …
      Use them where a listener asks for client certificates of this CA.
  tidegate cert revoke pump-7
      Revoke what was made for this name. A running broker notices.

Exit codes: 0 done, 1 it could not be done, 2 the command line or the configuration is wrong.";

/// What is to be done in the folder of the CA, and the text to be shown then.
type Work = Box<dyn FnOnce(&Path) -> Result<String, Trouble>>;

pub(super) fn execute(command: Cert) -> ExitCode {
    let (config, work): (ConfigFile, Work) = match command {
        Cert::Client(new) => new.work(Usage::Client),
        Cert::Server(new) => new.work(Usage::Server),
        Cert::Show(config) => (config, Box::new(show)),
        Cert::Revoke(Revoke { certificate, config }) => {
            (config, Box::new(move |folder| revoke(folder, &certificate)))
        }
    };
    let folder = match tls_folder(config) {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match work(&folder) {
        Ok(text) => {
            terminal::say(text);
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            terminal::complain(trouble);
            ExitCode::FAILURE
        }
    }
}

fn tls_folder(config: ConfigFile) -> Result<PathBuf, ExitCode> {
    let config = load(&config.source()).map_err(|reasons| {
        terminal::complain(reasons);
        ExitCode::from(UNUSABLE)
    })?;
    Ok(config.config.data_dir.join("tls"))
}

impl New {
    fn work(self, usage: Usage) -> (ConfigFile, Work) {
        let Self { name, mut san, days, out, config } = self;
        // Clients do not look at the common name of a server any more.
        if usage == Usage::Server && san.is_empty() {
            san.extend(AlternativeName::parse(&name));
        }
        let request = Request { usage, common_name: name, names: san, days };
        (config, Box::new(move |folder| make(folder, &out, &request)))
    }
}

fn make(folder: &Path, out: &Path, request: &Request) -> Result<String, Trouble> {
    let authority = Authority::open_or_create(folder)?;
    let (certificate, key, issued) = authority.issue_into(out, request)?;
    Ok(format!(
        "{} and {}\n  serial {}, valid until {}\n  signed by the CA in {}",
        certificate.display(),
        key.display(),
        issued.serial,
        issued.valid_until(),
        folder::ca_certificate(folder).display()
    ))
}

fn show(folder: &Path) -> Result<String, Trouble> {
    let authority = Authority::open(folder)?;
    let key = if authority.can_sign() { "" } else { "; its key is not there, so it signs nothing" };
    let mut text = format!(
        "{} in {}, valid until {}{key}",
        authority.subject(),
        folder::ca_certificate(folder).display(),
        authority.valid_until()
    );
    let known = authority.issued()?;
    if known.is_empty() {
        text.push_str("\nIt has signed nothing yet but the server certificate of this broker");
    }
    for known in &known {
        let Known { subject, serial, revoked, .. } = known;
        let state = if *revoked { "revoked".to_owned() } else { format!("until {}", known.valid_until()) };
        text.push_str(&format!("\n  {subject}  {serial}  {state}"));
    }
    Ok(text)
}

fn revoke(folder: &Path, certificate: &str) -> Result<String, Trouble> {
    let authority = Authority::open(folder)?;
    let named = PathBuf::from(certificate);
    let file = if named.is_file() { named } else { authority.issued_as(certificate)? };
    let list = folder::revocation_list(folder);
    Ok(match authority.revoke(&file)? {
        Revocation::Done { serial, subject } => {
            format!("{subject} with serial {serial} is revoked, in {}", list.display())
        }
        Revocation::Already { serial } => {
            format!("serial {serial} was revoked before, in {}", list.display())
        }
    })
}
