//! How many connections the process has, altogether and from each address. All shards share it: a connection is let in on
//! the first one and may end on any.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// See the module.
pub(crate) struct Doorkeeper {
    /// 0 is as many as there are descriptors.
    connections_max: usize,
    /// 0 does not count addresses.
    connections_per_address_max: usize,
    open: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Doorkeeper {
    pub(crate) fn new(connections_max: usize, connections_per_address_max: usize) -> Self {
        let (open, by_address) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
        Self { connections_max, connections_per_address_max, open, by_address }
    }

    /// Counts a new connection, or says which bound keeps it out.
    pub(crate) fn admit(&self, peer: IpAddr) -> Result<(), &'static str> {
        if self.connections_per_address_max > 0 {
            let mut by_address = self.addresses();
            let open = by_address.entry(place_of(peer)).or_default();
            if *open >= self.connections_per_address_max {
                return Err("limits.connections_per_address_max is reached for this address");
            }
            *open += 1;
        }
        let open = self.open.fetch_add(1, Ordering::Relaxed);
        if self.connections_max > 0 && open >= self.connections_max {
            self.leave(peer);
            return Err("limits.connections_max is reached");
        }
        Ok(())
    }

    /// An admitted connection is gone.
    pub(crate) fn leave(&self, peer: IpAddr) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if self.connections_per_address_max == 0 {
            return;
        }
        let mut by_address = self.addresses();
        let place = place_of(peer);
        if let Some(open) = by_address.get_mut(&place) {
            *open -= 1;
            if *open == 0 {
                by_address.remove(&place);
            }
        }
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Each holder changes one number: it is whole whenever one could panic.
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address. Whoever has an IPv6 address has the 2^64 of its subnet.
fn place_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let subnet = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(subnet))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_at_its_bound_keeps_nobody_else_out_and_gets_in_again_when_one_has_left() {
        let door = Doorkeeper::new(0, 2);
        let (greedy, other) = (address("192.0.2.1"), address("192.0.2.2"));
        assert!(door.admit(greedy).is_ok() && door.admit(greedy).is_ok());
        assert!(door.admit(greedy).is_err());
        assert!(door.admit(address("::ffff:192.0.2.1")).is_err(), "the same address in other clothes");
        assert!(door.admit(other).is_ok());
        door.leave(greedy);
        assert!(door.admit(greedy).is_ok());
        assert!(door.admit(greedy).is_err());
    }

    #[test]
    fn the_subnet_of_an_ipv6_address_counts_as_one() {
        let door = Doorkeeper::new(0, 2);
        assert!(door.admit(address("2001:db8::1")).is_ok());
        assert!(door.admit(address("2001:db8::2")).is_ok());
        assert!(door.admit(address("2001:db8::3")).is_err());
        assert!(door.admit(address("2001:db8:0:1::3")).is_ok());
    }

    #[test]
    fn who_is_kept_out_by_the_bound_of_all_does_not_count_for_its_address() {
        let door = Doorkeeper::new(1, 5);
        let peer = address("192.0.2.1");
        assert!(door.admit(peer).is_ok());
        for _ in 0..10 {
            assert_eq!(door.admit(peer), Err("limits.connections_max is reached"));
        }
        door.leave(peer);
        assert!(door.addresses().is_empty(), "nothing is remembered of those who are gone");
        assert!(door.admit(peer).is_ok());
    }
}
