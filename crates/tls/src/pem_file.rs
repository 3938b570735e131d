//! Reading PEM: certificates, one private key, revocation lists. Everything that can be wrong with a file is a
//! [`Trouble`] that names it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::trouble::Trouble;

/// The bytes of a file, unless it is larger than any file of certificates.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let opened = File::open(file).and_then(|opened| {
        // A device or a pipe would be read for ever, or block.
        if !opened.metadata()?.is_file() {
            return Ok(None);
        }
        opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map(Some)
    });
    match opened {
        Err(error) => Err(Trouble::reading(file, &error)),
        Ok(None) => Err(Trouble::new(file, "is not a file", "name a file in PEM")),
        Ok(Some(_)) if bytes.len() as u64 > FILE_BYTES_MAX => Err(Trouble::new(
            file,
            format!("is larger than {} MiB", FILE_BYTES_MAX >> 20),
            "name a file of certificates in PEM",
        )),
        Ok(Some(_)) => Ok(bytes),
    }
}

/// All certificates in `bytes`, at least one.
pub(crate) fn certificates(file: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let found = all::<CertificateDer<'static>>(file, bytes)?;
    if found.is_empty() {
        return Err(nothing(file, bytes, "certificate", "-----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}

/// All revocation lists in `bytes`, at least one.
pub(crate) fn revocation_lists(
    file: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, Trouble> {
    let found = all::<CertificateRevocationListDer<'static>>(file, bytes)?;
    if found.is_empty() {
        return Err(nothing(file, bytes, "revocation list", "-----BEGIN X509 CRL-----"));
    }
    Ok(found)
}

/// The one private key in `bytes`.
pub(crate) fn private_key(file: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Trouble> {
    if contains(bytes, b"ENCRYPTED") {
        return Err(Trouble::new(
            file,
            "holds an encrypted private key",
            "decrypt it: openssl pkey -in FILE -out NEW; and keep it readable for the broker only",
        ));
    }
    let mut found = all::<PrivateKeyDer<'static>>(file, bytes)?;
    match (found.pop(), found.len()) {
        (None, _) => Err(nothing(file, bytes, "private key", "-----BEGIN PRIVATE KEY-----")),
        (Some(key), 0) => Ok(key),
        (Some(_), _) => Err(Trouble::new(
            file,
            "holds more than one private key",
            "leave the key of this certificate only",
        )),
    }
}

fn all<T: PemObject>(file: &Path, bytes: &[u8]) -> Result<Vec<T>, Trouble> {
    T::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| {
        let what = match error {
            pem::Error::MissingSectionEnd { .. } => "ends in the middle of a section".to_owned(),
            pem::Error::Base64Decode(_) => "has a section that is not base64".to_owned(),
            other => format!("is not PEM: {other}"),
        };
        Trouble::new(file, what, "write the file anew; it may have been copied only in part")
    })
}

fn nothing(file: &Path, bytes: &[u8], what: &str, marker: &str) -> Trouble {
    let help = match bytes {
        [] => "the file is empty; write it again".to_owned(),
        // What a DER file begins with.
        [0x30, 0x80..=0x84, ..] => {
            "this looks like DER; convert it: openssl x509 -inform der -in FILE -out NEW".to_owned()
        }
        _ => format!("it should have a section that begins with {marker}"),
    };
    Trouble::new(file, format!("holds no {what} in PEM"), help)
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// The largest bundle in use, that of all public authorities, is 0.3 MiB; revocation lists of large authorities have
/// a few. What is longer is refused.
const FILE_BYTES_MAX: u64 = 16 << 20;
