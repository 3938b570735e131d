//! What lies where in the folder of the local CA and of ACME.
//!
//! ```text
//! <data_dir>/tls/
//!   ca.pem       the local CA: give it to clients as --cafile
//!   ca.key       its key; whoever has it can make certificates that clients believe
//!   server.pem   the server certificate of the local CA
//!   server.key
//!   crl.pem      what `tidegate cert revoke` has revoked
//!   issued/      a copy of each certificate that `tidegate cert` has made, to revoke it by name
//!   acme/        account, and the certificate that ACME obtained with its key
//! ```

use std::path::{Path, PathBuf};

/// The certificate of the local CA, below the folder of all TLS files.
pub fn ca_certificate(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

pub(crate) fn ca_key(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

pub(crate) fn server_certificate(folder: &Path) -> PathBuf {
    folder.join("server.pem")
}

pub(crate) fn server_key(folder: &Path) -> PathBuf {
    folder.join("server.key")
}

/// The revocation list of the local CA, below the folder of all TLS files.
pub fn revocation_list(folder: &Path) -> PathBuf {
    folder.join("crl.pem")
}

pub(crate) fn issued(folder: &Path) -> PathBuf {
    folder.join("issued")
}

pub(crate) fn acme(folder: &Path) -> PathBuf {
    folder.join("acme")
}

/// Key and chain in one file, so that both change in one moment.
pub(crate) fn acme_certificate(folder: &Path) -> PathBuf {
    acme(folder).join("certificate.pem")
}
