//! A broker under measurement: started as a child for one run, or already running elsewhere.
//!
//! What it needs to start, and where it listens, its own module says.

mod child;
mod echo;
mod tidegate;

use crate::affinity::{Cores, Placement};
use crate::certificate::Certificate;
use crate::clock;
use crate::door::{Door, Doors, Entrance, Records};
use crate::fault::Fault;
use crate::mosquitto;
use crate::usage::{self, Usage};
use child::Child;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

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
    /// Where it listens; plain TCP first.
    entrances: Vec<Entrance>,
    /// Its process, if it can be observed.
    pub process: Option<u32>,
    /// A folder of this run on the file system where the broker keeps what must survive; none if it keeps nothing, or
    /// elsewhere.
    pub durable_folder: Option<PathBuf>,
    child: Option<Child>,
    cores: Cores,
    placement: Placement,
}

impl Broker {
    /// Starts `contestant` on its core with these `doors`, or finds the one that runs already.
    pub fn start(
        contestant: &Contestant,
        programs: &Programs,
        cores: &Cores,
        placement: Placement,
        doors: Doors,
    ) -> Result<Self, Fault> {
        let broker = |entrances, process, child| Self {
            entrances,
            process,
            durable_folder: None,
            child,
            cores: cores.clone(),
            placement,
        };
        if let Contestant::External { address, process } = contestant {
            cores.hold_generator(placement)?;
            return Ok(broker(vec![Entrance::tcp(*address)], *process, None));
        }
        let (entrances, certificate) = entrances(doors)?;
        let child = cores.around(placement, || {
            Child::start(|folder| command(contestant, programs, folder, &entrances, certificate.as_ref()))
        })?;
        let child = child.until_it_accepts(&entrances)?;
        let durable_folder = match contestant {
            Contestant::Tidegate { .. } => Some(child.folder().to_owned()),
            Contestant::Mosquitto | Contestant::External { .. } => None,
        };
        Ok(Self { durable_folder, ..broker(entrances, Some(child.id()), Some(child)) })
    }

    /// The program that echoes what a journal has written; see [`crate::echo`]. It is held where `beside` is held, and
    /// writes to the same file system.
    pub fn start_echo(beside: &Self, record_bytes: usize) -> Result<Self, Fault> {
        let child = beside.on_its_cores(|| Child::start(|folder| echo::command(folder, record_bytes)))?;
        let (child, address) = child.until_it_prints(echo::listening_address)?;
        Ok(Self {
            entrances: vec![Entrance::tcp(address)],
            process: Some(child.id()),
            durable_folder: None,
            child: Some(child),
            cores: beside.cores.clone(),
            placement: beside.placement,
        })
    }

    /// Kills it as a crash would, and starts it again with the same files. Returns when the new process was begun, and
    /// does not wait until it listens.
    pub fn crash_and_start(&mut self) -> Result<u64, Fault> {
        let child = self.child.as_mut().ok_or_else(|| {
            Fault::Broker("a broker that somebody else started cannot be started again".into())
        })?;
        child.kill()?;
        let begin = clock::nanos();
        self.cores.around(self.placement, || child.start_again())?;
        self.process = Some(child.id());
        Ok(begin)
    }

    /// Does something where the broker is held.
    pub fn on_its_cores<T>(&self, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        self.cores.around(self.placement, work)
    }

    /// Where clients come in by `door`.
    pub fn entrance(&self, door: Door) -> Result<&Entrance, Fault> {
        self.entrances
            .iter()
            .find(|entrance| entrance.door == door)
            .ok_or_else(|| Fault::Broker(format!("the broker was started without a listener for {door:?}")))
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

/// A listener for each door, on ports that were free a moment ago: mosquitto cannot choose them itself.
fn entrances(doors: Doors) -> Result<(Vec<Entrance>, Option<Certificate>), Fault> {
    let (doors, certificate) = match doors {
        Doors::TcpOnly => (&Door::ALL[..1], None),
        Doors::All => (&Door::ALL[..], Some(Certificate::issue()?)),
    };
    // All are held until the last is known, so that they differ.
    let listeners = doors
        .iter()
        .map(|&door| Ok((door, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?)))
        .collect::<io::Result<Vec<_>>>()
        .map_err(Fault::io("finding a free port"))?;
    let entrance = |(door, listener): &(Door, TcpListener)| {
        let tls = certificate.as_ref().filter(|_| door.is_tls()).map(Certificate::client);
        Ok(Entrance { address: listener.local_addr()?, door: *door, tls, records: Records::Joined })
    };
    let entrances = listeners.iter().map(entrance).collect::<io::Result<Vec<_>>>();
    Ok((entrances.map_err(Fault::io("finding a free port"))?, certificate))
}

fn command(
    contestant: &Contestant,
    programs: &Programs,
    folder: &Path,
    entrances: &[Entrance],
    certificate: Option<&Certificate>,
) -> Result<Command, Fault> {
    let files = certificate.map(|certificate| certificate.write(folder)).transpose()?;
    match contestant {
        Contestant::Tidegate { shards } => {
            tidegate::command(programs, folder, *shards, entrances, files.as_ref())
        }
        _ => mosquitto::command(&programs.mosquitto, folder, entrances, files.as_ref()),
    }
}
