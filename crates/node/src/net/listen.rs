//! Binding the listeners: all of them, or none and every reason.
//!
//! An address that is taken is never exchanged for another in silence.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::port_holder::{Holder, find};
use crate::config::load::reason;
use crate::refusal::{Code, Place, Refusal, Refusals};

/// Sockets that listen on these addresses, in their order, and do not block.
///
/// # Errors
/// One refusal for each address that cannot be had.
pub fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Refusals> {
    let mut listeners = Vec::new();
    let mut reasons = Vec::new();
    for address in addresses {
        match bind(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => reasons.push(refusal(*address, &error)),
        }
    }
    Refusals::of(reasons)?;
    Ok(listeners)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Without it a restart would wait minutes for connections of the last run that linger in the kernel.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` must not also take the IPv4 port: the configuration names each address that is open.
        socket.set_only_v6(address.ip().to_canonical().is_ipv6())?;
    }
    // What the kernel completes before a shard accepts inherits it too.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn refusal(address: SocketAddr, error: &io::Error) -> Refusal {
    let place = Place::Nowhere;
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let (held, stop) = match find(Path::new("/proc"), address) {
                Some(Holder::Process { pid, program }) => {
                    (format!(" by {program} (pid {pid})"), "stop it, or ")
                }
                Some(Holder::OtherUser { uid }) => {
                    (format!(" by a process of user id {uid}, which `sudo ss -ltnp` names"), "stop it, or ")
                }
                None => (String::new(), ""),
            };
            let other = SocketAddr::new(address.ip(), port.checked_add(1).unwrap_or(1883));
            Refusal {
                code: Code::AddressTaken,
                place,
                message: format!("{address} is held{held}"),
                help: format!(
                    "{stop}set another address: `[[listener]] address = \"{other}\"` in the file, or \
                     TIDEGATE_LISTENER={other}"
                ),
            }
        }
        io::ErrorKind::PermissionDenied => Refusal {
            code: Code::CannotListen,
            place,
            message: format!("this user may not listen on {address}"),
            help: "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; 1883 needs neither"
                .into(),
        },
        io::ErrorKind::AddrNotAvailable => Refusal {
            code: Code::CannotListen,
            place,
            message: format!("this machine does not have the address {}", address.ip()),
            help: "`ip address` lists those it has; 127.0.0.1 is always among them".into(),
        },
        _ => Refusal {
            code: Code::CannotListen,
            place,
            message: format!("cannot listen on {address}: {}", reason(error)),
            help: "set another `[[listener]] address`".into(),
        },
    }
}

/// Connections the kernel completes while no shard has accepted them; it lowers the number to its own bound. Large
/// enough for a fleet that comes back at once.
const BACKLOG: i32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_bound_and_known() {
        let listeners = listen(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        assert_ne!(listeners[0].local_addr().unwrap().port(), 0);
    }

    #[test]
    fn a_taken_port_names_its_holder_and_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let refusals = listen(&[address]).unwrap_err();
        let program = std::fs::read_to_string("/proc/self/comm").unwrap();
        let other = format!("127.0.0.1:{}", address.port() + 1);
        assert_eq!(
            refusals.iter().next().unwrap().to_string(),
            format!(
                "N0201 {address} is held by {} (pid {})\n  help: stop it, or set another address: \
                 `[[listener]] address = \"{other}\"` in the file, or TIDEGATE_LISTENER={other}",
                program.trim(),
                std::process::id(),
            )
        );
    }

    #[test]
    fn all_addresses_that_cannot_be_had_are_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        // 203.0.113.0/24 is reserved for documentation: no machine has it.
        let refusals =
            listen(&[taken.local_addr().unwrap(), "203.0.113.1:1883".parse().unwrap()]).unwrap_err();
        let codes: Vec<_> = refusals.iter().map(|refusal| refusal.code).collect();
        assert!(codes.contains(&Code::AddressTaken) && codes.contains(&Code::CannotListen), "{refusals}");
    }
}
