//! One certificate of an endpoint and its files: what is in force, and what is wrong with what is on the disk.

use std::path::PathBuf;

use time::{Duration, OffsetDateTime};

use super::{Patience, Surroundings};
use crate::certificate::{Certificate, CertificateSource};
use crate::clock;
use crate::folder;
use crate::trouble::Trouble;
use crate::watched::Watched;

pub(super) struct Pair {
    source: CertificateSource,
    folder: PathBuf,
    owner: String,
    watched: Watched,
    good: Certificate,
    /// Why the files are not in force.
    refused: Option<Trouble>,
    /// They did not fit at the last look, and nobody was told yet.
    doubtful: bool,
}

impl Pair {
    /// One that is out of date is taken: there is nothing better, and clients that do not look at dates are served.
    pub(super) fn open(
        source: &CertificateSource,
        surroundings: &Surroundings,
        owner: String,
    ) -> Result<Self, Trouble> {
        let folder = surroundings.folder.clone();
        let mut watched = Watched::new(files(source, &folder));
        let good = read(source, &folder)?;
        // Read again at the first look, should it have changed between.
        let doubtful = watched.changed();
        Ok(Self { source: source.clone(), folder, owner, watched, good, refused: None, doubtful })
    }

    pub(super) fn good(&self) -> &Certificate {
        &self.good
    }

    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether there is a new one.
    pub(super) fn refresh(&mut self, patience: Patience) -> bool {
        let changed = self.watched.changed();
        if !changed && !self.doubtful && patience == Patience::OneMoreLook {
            return false;
        }
        let read = read(&self.source, &self.folder).and_then(|new| self.better(new));
        match read {
            Ok(new) => {
                let same = new.certified.cert == self.good.certified.cert;
                (self.good, self.refused, self.doubtful) = (new, None, false);
                !same
            }
            Err(_) if changed && patience == Patience::OneMoreLook => {
                self.doubtful = true;
                false
            }
            Err(trouble) => {
                (self.refused, self.doubtful) = (Some(trouble), false);
                false
            }
        }
    }

    /// A certificate that cannot be used today does not replace one that can.
    fn better(&self, new: Certificate) -> Result<Certificate, Trouble> {
        let now = clock::now();
        match new.out_of_date(now) {
            Some(why) if self.good.out_of_date(now).is_none() => Err(Trouble::new(
                &self.certificate_file(),
                format!("{why}; the one before it is still used"),
                "put a valid certificate there",
            )),
            _ => Ok(new),
        }
    }

    /// What a person should know of it now.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.refused.clone().or_else(|| self.date_trouble(clock::now()))
    }

    fn date_trouble(&self, now: OffsetDateTime) -> Option<Trouble> {
        let Certificate { not_before, not_after, .. } = self.good;
        if let Some(why) = self.good.out_of_date(now) {
            let what = format!("{why}; clients that look at the date refuse it");
            return Some(Trouble::new(
                &self.certificate_file(),
                what,
                "renew it, or check the clock of this machine",
            ));
        }
        // Whoever renews by machine does so earlier; a certificate of hours has minutes left.
        let soon = EXPIRES_SOON.min((not_after - not_before) / 10);
        let source_renews = self.source == CertificateSource::Local;
        (not_after - now < soon && !source_renews).then(|| {
            let what = format!("expires on {}", clock::text(not_after));
            Trouble::new(&self.certificate_file(), what, "renew it; new files are taken without a restart")
        })
    }

    fn certificate_file(&self) -> PathBuf {
        paths(&self.source, &self.folder).0
    }
}

fn read(source: &CertificateSource, folder: &std::path::Path) -> Result<Certificate, Trouble> {
    let (certificate, key) = paths(source, folder);
    Certificate::read(&certificate, &key)
}

/// The certificate's file and the key's.
fn paths(source: &CertificateSource, folder: &std::path::Path) -> (PathBuf, PathBuf) {
    match source {
        CertificateSource::Files { certificate, key } => (certificate.clone(), key.clone()),
        CertificateSource::Acme => {
            let both = folder::acme_certificate(folder);
            if both.exists() { (both.clone(), both) } else { paths(&CertificateSource::Local, folder) }
        }
        CertificateSource::Local => (folder::server_certificate(folder), folder::server_key(folder)),
    }
}

fn files(source: &CertificateSource, folder: &std::path::Path) -> Vec<PathBuf> {
    match source {
        CertificateSource::Files { certificate, key } => vec![certificate.clone(), key.clone()],
        CertificateSource::Local => vec![folder::server_certificate(folder), folder::server_key(folder)],
        CertificateSource::Acme => {
            let mut all = files(&CertificateSource::Local, folder);
            all.push(folder::acme_certificate(folder));
            all
        }
    }
}

/// Time for a person to renew by hand. A tenth of the lifetime where that is shorter.
const EXPIRES_SOON: Duration = Duration::days(14);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::authority::Authority;
    use crate::issuing::{Request, Usage};

    fn write(authority: &Authority, folder: &Path) -> [String; 2] {
        let request =
            Request { usage: Usage::Server, common_name: "a.example".into(), names: vec![], days: 90 };
        let issued = authority.issue(&request).unwrap();
        fs::write(folder.join("a.pem"), &issued.certificate).unwrap();
        [issued.certificate, issued.key]
    }

    #[test]
    fn the_second_file_of_a_change_may_come_a_look_later_and_nobody_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path()).unwrap();
        let key_file = folder.path().join("a.key");
        let [_, key] = write(&authority, folder.path());
        fs::write(&key_file, key).unwrap();
        let surroundings = Surroundings {
            folder: folder.path().into(),
            alarms: Default::default(),
            challenges: Default::default(),
        };
        let source =
            CertificateSource::Files { certificate: folder.path().join("a.pem"), key: key_file.clone() };
        let mut pair = Pair::open(&source, &surroundings, "a".into()).unwrap();

        let [_, key] = write(&authority, folder.path());
        assert!(!pair.refresh(Patience::OneMoreLook) && pair.trouble().is_none());
        fs::write(&key_file, key).unwrap();
        assert!(pair.refresh(Patience::OneMoreLook) && pair.trouble().is_none());

        let [_, key] = write(&authority, folder.path());
        assert!(!pair.refresh(Patience::OneMoreLook) && pair.trouble().is_none());
        assert!(!pair.refresh(Patience::OneMoreLook), "still half of a change");
        assert!(pair.trouble().unwrap().what.contains("does not belong to the certificate"));
        fs::write(&key_file, key).unwrap();
        assert!(pair.refresh(Patience::OneMoreLook) && pair.trouble().is_none());
    }
}
