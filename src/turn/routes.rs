//! Where an allocation's packets may go: its permissions and channels, as a table that both directions read without a
//! lock. Pure: time is an argument.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// RFC 8656, 9: a permission lives for 300 seconds.
const PERMISSION_LIFETIME: Duration = Duration::from_mins(5);

/// RFC 8656, 12: a channel lives for 600 seconds.
const CHANNEL_LIFETIME: Duration = Duration::from_mins(10);

/// Most permissions, and most channels, of one allocation: a browser makes one for each candidate of the other side,
/// of which there are seldom ten.
pub(super) const MOST: usize = 64;

/// A channel's number: 0x4000 to 0x7FFF. RFC 8656 ends the range at 0x4FFF; clients of its predecessor go further.
pub(super) type Channel = u16;

/// The table. Changed by copying it: changes are rare, packets are not.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<(Channel, SocketAddr, Instant)>,
}

/// Why a route was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// As many as there may be.
    Full,
    /// The channel has another peer, or the peer another channel.
    Taken,
}

impl Routes {
    /// Lets packets from and to this address pass, for a while.
    pub(super) fn permit(&mut self, ip: IpAddr, now: Instant) -> Result<(), NoRoute> {
        self.forget_expired(now);
        let until = now + PERMISSION_LIFETIME;
        if let Some(permission) = self.permissions.iter_mut().find(|permission| permission.0 == ip) {
            permission.1 = until;
        } else if self.permissions.len() < MOST {
            self.permissions.push((ip, until));
        } else {
            return Err(NoRoute::Full);
        }
        Ok(())
    }

    /// Gives a peer a channel, or prolongs it. Implies the permission (RFC 8656, 12.2).
    pub(super) fn bind(&mut self, channel: Channel, peer: SocketAddr, now: Instant) -> Result<(), NoRoute> {
        self.forget_expired(now);
        let until = now + CHANNEL_LIFETIME;
        let known = self.channels.iter().position(|bound| bound.0 == channel || bound.1 == peer);
        match known {
            Some(at) if (self.channels[at].0, self.channels[at].1) != (channel, peer) => return Err(NoRoute::Taken),
            None if self.channels.len() >= MOST => return Err(NoRoute::Full),
            _ => self.permit(peer.ip(), now)?,
        }
        match known {
            Some(at) => self.channels[at].2 = until,
            None => self.channels.push((channel, peer, until)),
        }
        Ok(())
    }

    /// The peer behind a channel. A channel whose permission has run out has none (RFC 8656, 12.6).
    pub(super) fn peer(&self, channel: Channel, now: Instant) -> Option<SocketAddr> {
        let (_, peer, until) = self.channels.iter().find(|bound| bound.0 == channel)?;
        (*until > now && self.permits(peer.ip(), now)).then_some(*peer)
    }

    /// The channel of a peer.
    pub(super) fn channel(&self, peer: SocketAddr, now: Instant) -> Option<Channel> {
        self.channels.iter().find(|bound| bound.1 == peer && bound.2 > now).map(|bound| bound.0)
    }

    /// Whether packets from and to this address may pass.
    pub(super) fn permits(&self, ip: IpAddr, now: Instant) -> bool {
        self.permissions.iter().any(|permission| permission.0 == ip && permission.1 > now)
    }

    fn forget_expired(&mut self, now: Instant) {
        self.permissions.retain(|permission| permission.1 > now);
        self.channels.retain(|bound| bound.2 > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn later(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_permission_is_for_an_address_and_five_minutes() {
        let (mut routes, start) = (Routes::default(), Instant::now());
        routes.permit(peer("8.8.8.8:1").ip(), start).unwrap();
        assert!(routes.permits(peer("8.8.8.8:2").ip(), later(start, 299)));
        assert!(!routes.permits(peer("8.8.8.8:2").ip(), later(start, 300)));
        assert!(!routes.permits(peer("8.8.4.4:1").ip(), start));
    }

    #[test]
    fn a_channel_is_for_one_peer_and_ten_minutes_while_it_is_permitted() {
        let (mut routes, start) = (Routes::default(), Instant::now());
        routes.bind(0x4000, peer("8.8.8.8:1"), start).unwrap();
        assert_eq!(routes.peer(0x4000, later(start, 299)), Some(peer("8.8.8.8:1")));
        assert_eq!(routes.channel(peer("8.8.8.8:1"), later(start, 599)), Some(0x4000));
        assert_eq!(routes.peer(0x4000, later(start, 300)), None, "without its permission");
        routes.permit(peer("8.8.8.8:1").ip(), later(start, 500)).unwrap();
        assert!(routes.peer(0x4000, later(start, 599)).is_some());
        assert_eq!(routes.peer(0x4000, later(start, 600)), None);
    }

    #[test]
    fn a_channel_never_changes_its_peer_nor_a_peer_its_channel() {
        let (mut routes, start) = (Routes::default(), Instant::now());
        routes.bind(0x4000, peer("8.8.8.8:1"), start).unwrap();
        assert_eq!(routes.bind(0x4000, peer("8.8.8.8:2"), start), Err(NoRoute::Taken));
        assert_eq!(routes.bind(0x4001, peer("8.8.8.8:1"), start), Err(NoRoute::Taken));
        assert_eq!(routes.bind(0x4000, peer("8.8.8.8:1"), later(start, 599)), Ok(()));
        assert_eq!(routes.bind(0x4000, peer("8.8.8.8:2"), later(start, 1200)), Ok(()), "after it has run out");
    }

    #[test]
    fn permissions_and_channels_are_bounded() {
        let (mut routes, start) = (Routes::default(), Instant::now());
        for port in 1..=MOST {
            let port = u16::try_from(port).unwrap();
            routes.bind(0x4000 + port, peer(&format!("8.8.8.8:{port}")), start).unwrap();
            routes.permit(peer(&format!("8.8.4.{port}:1")).ip(), start).err();
        }
        assert_eq!(routes.bind(0x5000, peer("8.8.8.8:5000"), start), Err(NoRoute::Full));
        assert_eq!(routes.permit(peer("9.9.9.9:1").ip(), start), Err(NoRoute::Full));
        assert!(routes.permissions.len() <= MOST && routes.channels.len() <= MOST);
    }
}
