//! The account with the ACME server: made once, its key kept for its user only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{Account, AccountCredentials, BodyWrapper, NewAccount};
use rustls::{ClientConfig, RootCertStore};

use super::AcmeSettings;
use super::order::Failure;
use crate::folder;
use crate::pem_file;
use crate::provider::provider;
use crate::whole_file::{self, Secrecy};

/// The account in `folder`, or a new one when there is none with this server.
pub(super) async fn open(settings: &AcmeSettings, folder: &Path) -> Result<Account, Failure> {
    let file = file(folder);
    let builder = Account::builder_with_http(Box::new(http(settings)?));
    if let Some(credentials) = stored(&file, &settings.directory) {
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&new, settings.directory.clone(), None).await?;
    let text = serde_json::to_string(&credentials).map_err(|error| Failure::new(error.to_string()))?;
    whole_file::write(&file, &text, Secrecy::Secret).map_err(|trouble| Failure::new(trouble.to_string()))?;
    Ok(account)
}

/// Forgets the account, because the server does not know it any more.
pub(super) fn forget(folder: &Path) {
    let file = file(folder);
    // Kept aside rather than removed: it is a key, and the server may be wrong.
    let _nothing_to_keep = std::fs::rename(&file, file.with_extension("json.unknown"));
}

fn stored(file: &Path, directory: &str) -> Option<AccountCredentials> {
    let text = std::fs::read(file).ok()?;
    // The credentials do not tell their server; their text does.
    let fields: serde_json::Value = serde_json::from_slice(&text).ok()?;
    (fields.get("directory")?.as_str()? == directory).then(|| serde_json::from_slice(&text).ok())?
}

type Http = Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>;

fn http(settings: &AcmeSettings) -> Result<Http, Failure> {
    let failed = |why: String| Failure::new(why);
    let builder = HttpsConnectorBuilder::new();
    let builder = match &settings.server_ca {
        None => builder
            .with_provider_and_platform_verifier(Arc::clone(provider()))
            .map_err(|error| failed(format!("the CAs of this machine cannot be read: {error}")))?,
        Some(file) => {
            let read = pem_file::read(file).and_then(|bytes| pem_file::certificates(file, &bytes));
            let mut roots = RootCertStore::empty();
            for der in read.map_err(|trouble| failed(trouble.to_string()))? {
                roots.add(der).map_err(|error| failed(error.to_string()))?;
            }
            let config = ClientConfig::builder_with_provider(Arc::clone(provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| failed(error.to_string()))?;
            builder.with_tls_config(config.with_root_certificates(roots).with_no_client_auth())
        }
    };
    Ok(Client::builder(TokioExecutor::new()).build(builder.https_only().enable_http1().build()))
}

fn file(folder: &Path) -> PathBuf {
    folder::acme(folder).join("account.json")
}
