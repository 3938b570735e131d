//! The CAs and revocation lists of an endpoint and their files: what is in force, and what is wrong with what is on the
//! disk.

use std::sync::Arc;

use super::Patience;
use crate::clock;
use crate::trouble::Trouble;
use crate::trust::{ClientCertificates, Trust};
use crate::watched::Watched;

pub(super) struct Trusted {
    clients: ClientCertificates,
    owner: String,
    watched: Watched,
    good: Arc<Trust>,
    refused: Option<Trouble>,
    doubtful: bool,
}

impl Trusted {
    pub(super) fn open(clients: &ClientCertificates, owner: String) -> Result<Self, Trouble> {
        let files = clients.files().into_iter().flat_map(|files| files.ca.iter().chain(&files.crl).cloned());
        let mut watched = Watched::new(files);
        let good = Arc::new(Trust::read(clients)?);
        let doubtful = watched.changed();
        Ok(Self { clients: clients.clone(), owner, watched, good, refused: None, doubtful })
    }

    pub(super) fn good(&self) -> Arc<Trust> {
        Arc::clone(&self.good)
    }

    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Whether there is something new to check clients against.
    pub(super) fn refresh(&mut self, patience: Patience) -> bool {
        let changed = self.watched.changed();
        if !changed && !self.doubtful && patience == Patience::OneMoreLook {
            return false;
        }
        match Trust::read(&self.clients) {
            Ok(new) => {
                let same = new.says_the_same_as(&self.good);
                (self.good, self.refused, self.doubtful) = (Arc::new(new), None, false);
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

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.refused.clone().or_else(|| self.good.trouble(clock::now()))
    }
}
