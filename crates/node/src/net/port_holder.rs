//! Who has a TCP port: the kernel's table of sockets gives an inode, and the descriptors of the processes say whose
//! it is.
//!
//! Only Linux tells, and only about processes of the same user unless we are root; everywhere else the answer is
//! that nobody knows. The files change while they are read, so that nothing found missing is an error.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Who listens there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A process we may look at.
    Process {
        /// Its number.
        pid: u32,
        /// Its short name, at most 15 bytes.
        program: String,
    },
    /// A process of another user.
    OtherUser {
        /// The number of that user.
        uid: u32,
    },
}

/// Who keeps `address` from us. `proc` is where the kernel shows its state, `/proc`.
pub fn find(proc: &Path, address: SocketAddr) -> Option<Holder> {
    let socket = ["net/tcp", "net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(proc.join(table)).ok()?;
        table
            .lines()
            .skip(1)
            .take(SOCKETS_MAX)
            .filter_map(listening)
            .find(|socket| socket.is_in_the_way_of(address))
    })?;
    Some(owner(proc, socket.inode).unwrap_or(Holder::OtherUser { uid: socket.uid }))
}

struct Listening {
    address: SocketAddr,
    uid: u32,
    inode: u64,
}

impl Listening {
    fn is_in_the_way_of(&self, wanted: SocketAddr) -> bool {
        let (ours, theirs) = (wanted.ip().to_canonical(), self.address.ip().to_canonical());
        self.address.port() == wanted.port()
            && (ours == theirs || ours.is_unspecified() || theirs.is_unspecified())
    }
}

/// A row such as `0: 0100007F:075B 00000000:0000 0A … uid timeout inode …`, when its socket listens.
fn listening(row: &str) -> Option<Listening> {
    let columns: Vec<&str> = row.split_whitespace().collect();
    if *columns.get(3)? != STATE_LISTEN {
        return None;
    }
    let (ip, port) = columns.get(1)?.split_once(':')?;
    Some(Listening {
        address: SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?),
        uid: columns.get(7)?.parse().ok()?,
        inode: columns.get(9)?.parse().ok()?,
    })
}

/// The kernel prints each word of 32 bits as a number in the machine's order; the bytes are in the network's.
fn address(hex: &str) -> Option<IpAddr> {
    if !hex.is_ascii() {
        return None;
    }
    let word = |i: usize| u32::from_str_radix(hex.get(i * 8..i * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

fn owner(proc: &Path, inode: u64) -> Option<Holder> {
    let link = format!("socket:[{inode}]");
    for process in fs::read_dir(proc).ok()?.flatten().take(PROCESSES_MAX) {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = descriptors.flatten().take(DESCRIPTORS_MAX).any(|descriptor| {
            fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == &*link)
        });
        if holds {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let program = program.trim().escape_debug().to_string();
            return Some(Holder::Process {
                pid,
                program: if program.is_empty() { "a program".into() } else { program },
            });
        }
    }
    None
}

const STATE_LISTEN: &str = "0A";
/// Bounds of a search that only improves a message.
const SOCKETS_MAX: usize = 1_000_000;
const PROCESSES_MAX: usize = 100_000;
const DESCRIPTORS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        for any in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(any).unwrap();
            let port = listener.local_addr().unwrap().port();
            let holder = find(Path::new("/proc"), SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
            let Some(Holder::Process { pid, program }) = holder else { panic!("{holder:?}") };
            assert_eq!(pid, std::process::id());
            assert_eq!(program, fs::read_to_string("/proc/self/comm").unwrap().trim());
        }
    }

    #[test]
    fn a_free_port_has_no_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(find(Path::new("/proc"), address), None);
    }

    /// A `/proc` with mosquitto on 127.0.0.1:1883 and something of user 105 on [::]:8883.
    fn proc() -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir_all(proc.path().join("net")).unwrap();
        fs::create_dir_all(proc.path().join("412/fd")).unwrap();
        let loopback = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
        let tcp = format!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: {loopback}:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 7001 1 0\n   \
             1: {loopback}:075C {loopback}:9999 01 00000000:00000000 00:00000000 00000000   104        0 7002 1 0\n"
        );
        let tcp6 = format!(
            "  sl  local_address remote_address st\n   0: {:032}:22B3 {:032}:0000 0A 00000000:00000000 \
             00:00000000 00000000   105        0 7003 1 0\n",
            0, 0
        );
        fs::write(proc.path().join("net/tcp"), tcp).unwrap();
        fs::write(proc.path().join("net/tcp6"), tcp6).unwrap();
        fs::write(proc.path().join("412/comm"), "mosquitto\n").unwrap();
        symlink("socket:[7001]", proc.path().join("412/fd/5")).unwrap();
        proc
    }

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let proc = proc();
        let find = |address: &str| find(proc.path(), address.parse().unwrap());
        let mosquitto = Some(Holder::Process { pid: 412, program: "mosquitto".into() });
        assert_eq!(find("127.0.0.1:1883"), mosquitto);
        assert_eq!(find("0.0.0.0:1883"), mosquitto, "all addresses include the one that is taken");
        assert_eq!(find("10.0.0.1:1883"), None);
        assert_eq!(find("127.0.0.1:1884"), None, "a connection does not hold its port");
        assert_eq!(find("[::1]:8883"), Some(Holder::OtherUser { uid: 105 }));
        assert_eq!(super::find(&proc.path().join("none"), "127.0.0.1:1883".parse().unwrap()), None);
    }
}
