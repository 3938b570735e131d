//! A broker under measurement: started as a child for one run, or already running elsewhere.

mod child;
mod tidegate;

use crate::affinity::{Cores, Placement};
use crate::fault::Fault;
use crate::mosquitto;
use crate::usage::{self, Usage};
use child::Child;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Who is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// Debian's mosquitto, configured not to drop.
    Mosquitto,
    /// Tidegate with this many shards.
    Tidegate {
        /// Threads that own connections.
        shards: u32,
    },
    /// A broker that somebody else started.
    External {
        /// Where it listens.
        address: SocketAddr,
        /// Its process on this machine, if it is to be observed.
        process: Option<u32>,
    },
}

impl Contestant {
    /// The name in tables and in the JSON file.
    pub fn name(&self) -> String {
        match self {
            Self::Mosquitto => "mosquitto".to_owned(),
            Self::Tidegate { shards: 1 } => "tidegate".to_owned(),
            Self::Tidegate { shards } => format!("tidegate-{shards}-shards"),
            Self::External { address, .. } => address.to_string(),
        }
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The `tidegate` binary.
    pub tidegate: PathBuf,
    /// Lines put at the head of Tidegate's configuration.
    pub tidegate_settings: Vec<String>,
    /// The folder with the unpacked packages of mosquitto.
    pub mosquitto: PathBuf,
}

/// A broker that accepts connections. A child ends when this is dropped.
#[derive(Debug)]
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, if it can be observed.
    pub process: Option<u32>,
    /// A folder of this run on the file system where the broker keeps what must survive; none if it keeps nothing, or
    /// elsewhere.
    pub durable_folder: Option<PathBuf>,
    _child: Option<Child>,
}

impl Broker {
    /// Starts `contestant` on its core, or finds the one that runs already.
    pub fn start(
        contestant: &Contestant,
        programs: &Programs,
        cores: &Cores,
        placement: Placement,
    ) -> Result<Self, Fault> {
        let (child, address) = match contestant {
            Contestant::External { address, process } => {
                cores.hold_generator(placement)?;
                return Ok(Self { address: *address, process: *process, durable_folder: None, _child: None });
            }
            Contestant::Mosquitto => {
                let address = free_address()?;
                let child = cores.around(placement, || {
                    Child::start(|folder| mosquitto::command(&programs.mosquitto, folder, address))
                })?;
                (child.until_it_accepts(address)?, address)
            }
            Contestant::Tidegate { shards } => {
                let child = cores.around(placement, || {
                    Child::start(|folder| tidegate::command(programs, folder, *shards))
                })?;
                child.until_it_prints(tidegate::listening_address)?
            }
        };
        let durable_folder = match contestant {
            Contestant::Tidegate { .. } => Some(child.folder().to_owned()),
            Contestant::Mosquitto | Contestant::External { .. } => None,
        };
        Ok(Self { address, process: Some(child.id()), durable_folder, _child: Some(child) })
    }

    /// The CPU counters of this moment; none without a process to look at.
    pub fn usage(&self) -> Result<Option<Usage>, Fault> {
        self.process.map(Usage::of).transpose()
    }

    /// Resident bytes; none without a process to look at.
    pub fn resident_bytes(&self) -> Result<Option<u64>, Fault> {
        self.process.map(usage::resident_bytes).transpose()
    }
}

/// A loopback address whose port was free a moment ago: mosquitto cannot choose one itself.
fn free_address() -> Result<SocketAddr, Fault> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Fault::io("finding a free port"))
}
