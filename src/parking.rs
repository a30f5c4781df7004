//! Sessions that have lost their connection and wait for their client: how many may, and which has to go where one more
//! comes. Counting, no IO.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::admission::{AdmissionLimits, Overload};
use crate::net::network;

/// The sessions that wait at the moment. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Parking {
    limits: AdmissionLimits,
    lots: Arc<Mutex<Lots>>,
}

#[derive(Debug, Default)]
struct Lots {
    /// The sessions of each address, the oldest first. Dropping a sender revokes a permit.
    // Invariant: an address is here exactly while it has sessions, and as often as it has in `by_count`
    // (`an_address_without_sessions_is_forgotten`).
    by_network: HashMap<IpAddr, VecDeque<(u64, oneshot::Sender<()>)>>,
    by_count: BTreeSet<(usize, IpAddr)>,
    all: usize,
    /// How many there ever were.
    made: u64,
}

/// The right to wait, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ParkingPermit {
    lots: Arc<Mutex<Lots>>,
    network: IpAddr,
    number: u64,
    revoked: oneshot::Receiver<()>,
}

impl Parking {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self { limits, lots: Arc::default() }
    }

    /// How many wait.
    pub(crate) fn count(&self) -> usize {
        self.lots.lock().all
    }

    /// A permit for a session of this address. Where there are as many as may be, the oldest of the address that has the
    /// most goes, if that is fairer: else a few addresses could end the sessions of all others.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<ParkingPermit, Overload> {
        let network = network(address);
        let mut lots = self.lots.lock();
        let own = lots.count(network);
        if self.limits.per_address.is_some_and(|limit| own >= limit.get()) {
            return Err(Overload::Address);
        }
        if self.limits.all.is_some_and(|limit| lots.all >= limit.get()) && !lots.make_room(own) {
            return Err(Overload::All);
        }
        let (number, revoked) = lots.add(network);
        Ok(ParkingPermit { lots: Arc::clone(&self.lots), network, number, revoked })
    }
}

impl Lots {
    fn count(&self, network: IpAddr) -> usize {
        self.by_network.get(&network).map_or(0, VecDeque::len)
    }

    fn add(&mut self, network: IpAddr) -> (u64, oneshot::Receiver<()>) {
        let (revoke, revoked) = oneshot::channel();
        let number = self.made;
        self.made += 1;
        self.all += 1;
        self.change(network, |sessions| sessions.push_back((number, revoke)));
        (number, revoked)
    }

    /// Takes the permit of another address's oldest session, for an address with so many. Says whether it did.
    fn make_room(&mut self, own: usize) -> bool {
        let Some(&(most, busiest)) = self.by_count.last() else { return false };
        let is_fairer = most > own + 1;
        if is_fairer {
            self.all -= 1;
            self.change(busiest, |sessions| drop(sessions.pop_front()));
        }
        is_fairer
    }

    fn remove(&mut self, network: IpAddr, number: u64) {
        let mut is_there = false;
        self.change(network, |sessions| {
            let before = sessions.len();
            sessions.retain(|(other, _)| *other != number);
            is_there = sessions.len() < before;
        });
        self.all -= usize::from(is_there);
    }

    /// Changes an address's sessions, and how many it is known to have.
    fn change(&mut self, network: IpAddr, change: impl FnOnce(&mut VecDeque<(u64, oneshot::Sender<()>)>)) {
        let sessions = self.by_network.entry(network).or_default();
        self.by_count.remove(&(sessions.len(), network));
        change(sessions);
        if sessions.is_empty() {
            self.by_network.remove(&network);
        } else {
            self.by_count.insert((sessions.len(), network));
        }
    }
}

impl ParkingPermit {
    /// Waits until another address needs the permit more.
    pub(crate) async fn revoked(&mut self) {
        // Its sender is dropped, and never used.
        let _ = (&mut self.revoked).await;
    }
}

impl Drop for ParkingPermit {
    fn drop(&mut self) {
        self.lots.lock().remove(self.network, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn parking(all: usize, per_address: usize) -> Parking {
        let (all, per_address) = (NonZeroUsize::new(all), NonZeroUsize::new(per_address));
        Parking::new(AdmissionLimits { all, per_address, newcomers: None })
    }

    fn enter(parking: &Parking, address: &str) -> Result<ParkingPermit, Overload> {
        parking.enter(address.parse().unwrap())
    }

    fn is_revoked(permit: &mut ParkingPermit) -> bool {
        permit.revoked.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn an_address_has_a_limit_of_its_own_and_an_ipv6_customer_is_one_address() {
        let parking = parking(0, 1);
        let one = enter(&parking, "2001:db8::1").unwrap();
        assert_eq!(enter(&parking, "2001:db8::2").unwrap_err(), Overload::Address);
        assert!(enter(&parking, "2001:db8:0:1::1").is_ok());
        drop(one);
        assert!(enter(&parking, "2001:db8::2").is_ok());
    }

    #[test]
    fn where_there_are_too_many_the_oldest_of_the_address_with_the_most_goes() {
        let parking = parking(4, 0);
        let mut many = [(); 4].map(|()| enter(&parking, "192.0.2.1").unwrap());
        let mut late = enter(&parking, "192.0.2.2").unwrap();
        assert_eq!(many.each_mut().map(is_revoked), [true, false, false, false]);
        let _second = enter(&parking, "192.0.2.2").unwrap();
        assert_eq!(many.each_mut().map(is_revoked), [true, true, false, false]);
        assert_eq!(enter(&parking, "192.0.2.2").unwrap_err(), Overload::All, "two and two");
        assert_eq!(enter(&parking, "192.0.2.1").unwrap_err(), Overload::All);
        let mut third = enter(&parking, "192.0.2.3").unwrap();
        assert!(is_revoked(&mut late) != is_revoked(&mut many[2]) && !is_revoked(&mut third), "one of them alone");
        assert_eq!(parking.count(), 4);
    }

    #[test]
    fn a_session_goes_for_none_of_an_address_that_has_as_many() {
        let parking = parking(2, 0);
        let _sessions = ["192.0.2.1", "192.0.2.2"].map(|address| enter(&parking, address).unwrap());
        assert_eq!(enter(&parking, "192.0.2.3").unwrap_err(), Overload::All);
    }

    #[test]
    fn an_address_without_sessions_is_forgotten() {
        let parking = parking(1, 0);
        let mut permits: Vec<_> = (0..2).filter_map(|_| enter(&parking, "192.0.2.1").ok()).collect();
        assert_eq!(permits.len(), 1);
        permits.clear();
        let lots = parking.lots.lock();
        assert_eq!((lots.by_network.len(), lots.by_count.len(), lots.all), (0, 0, 0));
    }
}
