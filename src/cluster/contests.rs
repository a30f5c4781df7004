//! Clients of other nodes that want names of this one: they wait until the holder has given a sign of life, or has had its time.

use std::time::Instant;

use super::Cluster;
use super::envelope::{Envelope, Outcome, Token};
use crate::hub::{Contested, Holder};
use crate::protocol::{ErrorCode, NodeId, PeerId, Secret};

/// A client of another node waits for a name of ours.
#[derive(Debug)]
pub(super) struct Contest {
    id: PeerId,
    node: NodeId,
    token: Token,
    holder: Holder,
}

/// At a time, and of these for one name: who knows a few names can't take the places of those who want others.
const MAX_CONTESTS: usize = 1024;
const MAX_CONTESTS_FOR_ONE: usize = 8;

impl Cluster {
    /// A client of another node wants a name of ours.
    pub(super) fn hear_contest(
        &self,
        node: NodeId,
        token: Token,
        id: PeerId,
        (secret, subject): (Option<&Secret>, Option<&str>),
    ) {
        let Some(hub) = self.hub() else { return };
        let outcome = match hub.contest_for(id, secret, subject, Instant::now()) {
            Contested::Free => Outcome::Done { parked: false },
            Contested::Kept => Outcome::refused(ErrorCode::PeerBusy),
            Contested::Asked(holder) => {
                let mut contests = self.contests.lock();
                let for_it = contests.iter().filter(|contest| contest.id == id).count();
                if contests.len() < MAX_CONTESTS && for_it < MAX_CONTESTS_FOR_ONE {
                    return contests.push(Contest { id, node, token, holder });
                }
                Outcome::refused(ErrorCode::ClusterUnavailable)
            }
        };
        self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome });
    }

    /// Answers those whose holders have had their time, or have given a sign of life.
    pub(super) fn judge_contests(&self) {
        let Some(hub) = self.hub() else { return };
        let now = Instant::now();
        let verdict = |contest: &mut Contest| hub.judge(&contest.holder, now);
        let mut judged = Vec::new();
        self.contests.lock().retain_mut(|contest| match verdict(contest) {
            None => true,
            Some(is_free) => {
                judged.push((contest.node, contest.token, is_free));
                false
            }
        });
        for (node, token, is_free) in judged {
            let outcome = if is_free { Outcome::Done { parked: false } } else { Outcome::refused(ErrorCode::PeerBusy) };
            self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{Node, carry, error, node, pass, two};
    use super::*;
    use crate::hub::{Ask, Claim, Claimed, Elsewhere};
    use crate::protocol::{Address, Realm, ServerMessage};

    fn name(secret: &str) -> Claim {
        let address = Address::named(Realm::PeerJs, "alice").unwrap();
        Claim { realm: Realm::PeerJs, address, secret: Some(Secret(secret.to_owned())) }
    }

    /// What other nodes say to a claim that is repeated as long as it is worth it at once.
    fn claimed(nodes: &[Node], at: &Node, claim: &Claim, now: Instant) -> Option<Claimed> {
        loop {
            let mut claiming = Elsewhere::claim(&*at.cluster, claim, None);
            carry(nodes, now);
            match claiming.try_recv().ok() {
                Some(Claimed::Free) => {}
                claimed => return claimed,
            }
        }
    }

    #[test]
    fn a_name_is_one_peers_of_all_nodes_and_its_secret_brings_it_to_another() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        assert_eq!(claimed(&nodes, a, &name("secret"), now), Some(Claimed::Granted));
        let holder = a.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        // It is asked for a sign of life.
        assert_eq!(claimed(&nodes, b, &name("other"), now), None);
        let _ = holder.hear(Ask::Control, 0, Instant::now(), Vec::new);
        let mut claiming = Elsewhere::claim(&*b.cluster, &name("other"), None);
        carry(&nodes, now);
        assert_eq!(claiming.try_recv(), Ok(Claimed::Taken), "it has just given one");
        assert_eq!(claimed(&nodes, b, &name("secret"), now), Some(Claimed::Granted));
        assert_eq!(a.hub.peers(), 0);
        let newer = b.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        drop(newer);
        carry(&nodes, now);
        assert_eq!(claimed(&nodes, a, &name("other"), now), Some(Claimed::Granted), "it was left");
    }

    #[test]
    fn names_of_all_nodes_are_listed_in_one_question_and_without_those_of_a_node_that_is_gone() {
        let (nodes, mut now) = two();
        let [a, b] = &nodes;
        let claim = |number: usize| {
            let address = Address::named(Realm::PeerJs, &format!("peer-{number}")).unwrap();
            b.hub.claim(Claim { address, ..name("secret") }, None).unwrap()
        };
        let sent = || a.cluster.figures().sent.messages;
        for peers in [0, 1, 600] {
            let _peers: Vec<_> = (0..peers).map(claim).collect();
            carry(&nodes, now);
            let before = sent();
            let mut asked = [(); 3].map(|()| Elsewhere::names(&*a.cluster, Realm::PeerJs));
            carry(&nodes, now);
            assert_eq!(sent() - before, 1, "for all who ask at once");
            for names in &mut asked {
                let mut names = names.try_recv().unwrap();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), peers);
            }
        }
        let mut asked = Elsewhere::names(&*a.cluster, Realm::PeerJs);
        let [a, _] = nodes;
        pass(&[a], &mut now, 3500);
        assert_eq!(asked.try_recv().unwrap(), [""; 0]);
    }

    #[test]
    fn so_many_clients_of_another_node_wait_for_a_name_and_for_all_and_no_more() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        let claim = |number: usize, secret: &str| {
            let address = Address::named(Realm::PeerJs, &format!("peer-{number}")).unwrap();
            Claim { address, ..name(secret) }
        };
        let holders = MAX_CONTESTS / MAX_CONTESTS_FOR_ONE + 1;
        let _holders: Vec<_> = (0..holders).map(|number| a.hub.claim(claim(number, "secret"), None).unwrap()).collect();
        carry(&nodes, now);
        let mut asked = Vec::new();
        let mut refused = |number: usize, times: usize| {
            let claims: Vec<_> =
                (0..times).map(|_| Elsewhere::claim(&*b.cluster, &claim(number, "other"), None)).collect();
            carry(&nodes, now);
            asked.extend(claims);
            asked.iter_mut().filter_map(|claiming| claiming.try_recv().ok()).collect::<Vec<_>>()
        };
        assert_eq!(refused(0, MAX_CONTESTS_FOR_ONE + 3), [Claimed::NotNow; 3], "the others wait for a sign of life");
        for number in 1..holders - 1 {
            assert_eq!(refused(number, MAX_CONTESTS_FOR_ONE), []);
        }
        assert_eq!(refused(holders - 1, 1), [Claimed::NotNow]);
        assert_eq!(a.cluster.contests.lock().len(), MAX_CONTESTS);
    }

    #[test]
    fn a_name_that_two_nodes_want_at_once_is_one_s() {
        let (nodes, now) = two();
        let mut claims = nodes.each_ref().map(|node| Elsewhere::claim(&*node.cluster, &name("secret"), None));
        carry(&nodes, now);
        let mut claims = claims.each_mut().map(|claiming| claiming.try_recv().unwrap());
        claims.sort_by_key(|claimed| *claimed == Claimed::NotNow);
        assert_eq!(claims, [Claimed::Granted, Claimed::NotNow]);
    }

    #[test]
    fn what_waits_for_a_name_goes_to_the_node_on_which_it_is_claimed_and_what_is_said_then_comes_after_it() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        let caller = Claim { address: Address::named(Realm::PeerJs, "caller").unwrap(), ..name("x") };
        let caller = a.hub.claim(caller, None).unwrap();
        let offer = |payload: &str| {
            let message = crate::protocol::ClientMessage::Relay {
                kind: crate::protocol::Kind::Offer,
                to: "alice".into(),
                payload: Some(payload),
            };
            let request = crate::protocol::Request { reference: None, message };
            let ask = Ask::Frame(Ok(request), caller.answer_permit().unwrap());
            assert_eq!(caller.hear(ask, 0, Instant::now(), Vec::new).refused, None);
        };
        offer("1");
        offer("2");
        let alice = b.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        assert_eq!(a.hub.awaited(), 0);
        offer("3");
        carry(&nodes, now);
        let heard = std::iter::from_fn(|| alice.try_next()).map(|frame| match frame.message() {
            ServerMessage::Relayed { from, payload: Some(payload), .. } => {
                assert_eq!(from.to_string(), "caller");
                payload.to_string()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(heard.collect::<Vec<_>>(), ["1", "2", "3"]);
        // It leaves without having acknowledged anything, and comes no more.
        drop(alice);
        carry(&nodes, now);
        assert_eq!(error(&caller), ErrorCode::Undelivered);
        offer("4");
        assert_eq!(a.hub.awaited(), 1, "until it is claimed again");
    }

    /// Nodes that did not see each other have both let a client have it.
    #[test]
    fn of_two_that_have_a_name_the_one_that_came_later_keeps_it() {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 1, now)];
        let _older = nodes[0].hub.claim(name("older"), None).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let newer = nodes[1].hub.claim(name("newer"), None).unwrap();
        pass(&nodes, &mut now, 3000);
        assert_eq!(nodes.each_ref().map(|node| node.hub.peers()), [0, 1]);
        assert!(newer.answer_permit().is_some());
    }
}
