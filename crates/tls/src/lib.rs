//! Certificates and TLS settings: everything a listener needs to speak TLS, but for the bytes.
//!
//! [`Certificates`] stands for all files of one broker: the local CA and its server certificate, which are made at the
//! first start ([`Authority`]), and one [`Endpoint`] for each listener. It looks after the files on a thread of its own:
//! what is new and fits is taken, what is new and bad is not, and an alarm says so until it is mended.
//!
//! It knows no sockets, no MQTT, and no configuration file. How a listener uses it:
//!
//! ```no_run
//! use std::sync::Arc;
//! use rustls::ServerConnection;
//! use tidegate_tls::{ALPN_MQTT, Arrival, Certificates, ClientCertificates, EndpointSettings, IdentityRule};
//! use tidegate_tls::{OldestVersion, TlsSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // At the start. Refusals are `Trouble`: a file, a sentence, and what to do.
//! let certificates = Certificates::open(&TlsSettings { folder: "data/tls".into(), names: vec![], acme: None })?;
//! let endpoint = certificates.endpoint(EndpointSettings {
//!     name: "127.0.0.1:8883".into(),
//!     certificates: vec![], // the local one
//!     clients: ClientCertificates::Off,
//!     identity: IdentityRule::CommonName,
//!     alpn: vec![ALPN_MQTT],
//!     oldest: OldestVersion::Tls12,
//! })?;
//! let watching = certificates.watch(|| { /* tell the shards: see below */ })?;
//!
//! // For each connection: first the generation, then the configuration.
//! let generation = endpoint.generation();
//! let mut connection = ServerConnection::new(endpoint.current())?;
//! // … when its handshake is done, once:
//! match endpoint.arrived(&connection, generation) {
//!     Ok(Arrival::Client(identity)) => { /* serve; the name goes to authentication */ }
//!     Ok(Arrival::AcmeCheck) | Err(_) => { /* end the connection */ }
//! }
//!
//! // When `endpoint.generation()` has moved: everybody who is connected.
//! let chain = connection.peer_certificates().unwrap_or_default();
//! if endpoint.still_valid(chain).is_err() { /* end the connection */ }
//! # Ok(()) }
//! ```
//!
//! At SIGHUP: [`Certificates::reload`]. For `$SYS`: [`Certificates::alarms`]. For listeners that speak HTTP:
//! [`Challenges::http_answer`].

mod acme;
mod alarms;
mod authority;
mod by_name;
mod certificate;
mod certificates;
mod challenges;
mod clock;
mod endpoint;
pub mod folder;
mod identity;
mod issuing;
mod local;
mod pem_file;
mod provider;
mod revocation;
mod trouble;
mod trust;
mod watched;
mod whole_file;

pub use acme::{AcmeProof, AcmeSettings};
pub use authority::Authority;
pub use certificate::CertificateSource;
pub use certificates::{Certificates, TlsSettings, Watching};
pub use challenges::{ACME_HTTP_PATH, ACME_TLS_ALPN, Challenges};
pub use endpoint::{ALPN_HTTP, ALPN_MQTT, Arrival, Endpoint, EndpointSettings, NotAdmitted, OldestVersion};
pub use identity::{IdentityRule, Unnamed};
pub use issuing::{AlternativeName, Issued, Known, Request, Usage};
pub use revocation::Revocation;
pub use trouble::Trouble;
pub use trust::{ClientCertificates, TrustFiles};
