//! The errors that a peer may still have to be told: one for each of its messages that is accepted and not acknowledged.

use std::sync::Arc;

use parking_lot::Mutex;

use super::budget::Gauge;

/// Counts the debts to one peer; or to one of another node, which is told once there is none any more.
#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: Gauge,
    elsewhere: Option<Box<Settlement>>,
}

/// What another node wants to know.
#[derive(Debug)]
struct Settlement {
    ledger: Arc<Ledger>,
    token: u64,
}

/// What is settled of what peers of one other node have said here.
// Bounded by what was put into mailboxes since it was read last.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Vec<u64>>);

impl Ledger {
    /// Takes the tokens of all that was settled.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Owed {
    /// To a peer of another node, which knows by this token what it is about.
    pub(super) fn elsewhere(ledger: &Arc<Ledger>, token: u64) -> Arc<Self> {
        let settlement = Settlement { ledger: Arc::clone(ledger), token };
        Arc::new(Self { debts: Gauge::default(), elsewhere: Some(Box::new(settlement)) })
    }

    pub(super) fn used(&self) -> usize {
        self.debts.used()
    }
}

/// One of the errors that a peer may still have to be told: there is room for it as long as this lives.
#[derive(Debug)]
pub(super) struct Debt(Arc<Owed>);

impl Debt {
    pub(super) fn new(owed: &Arc<Owed>) -> Self {
        owed.debts.add(1);
        Self(Arc::clone(owed))
    }

    /// Whether it is told the same way: here, or by the same node.
    pub(super) fn is_like(&self, owed: &Arc<Owed>) -> bool {
        match (&self.0.elsewhere, &owed.elsewhere) {
            (None, None) => Arc::ptr_eq(&self.0, owed),
            (Some(own), Some(other)) => Arc::ptr_eq(&own.ledger, &other.ledger),
            _ => false,
        }
    }

    /// Whether it is to a peer of another node.
    pub(super) fn is_others(&self) -> bool {
        self.0.elsewhere.is_some()
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        let left = self.0.debts.subtract(1);
        if let Some(Settlement { ledger, token }) = self.0.elsewhere.as_deref()
            && left == 0
        {
            // Order: a mailbox may be locked; the ledger is locked before nothing.
            ledger.0.lock().push(*token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_node_is_told_once_the_last_debt_is_settled() {
        let ledger: Arc<Ledger> = Arc::default();
        let owed = Owed::elsewhere(&ledger, 7);
        let [first, second] = [Debt::new(&owed), Debt::new(&owed)];
        drop(first);
        assert!(ledger.take().is_empty());
        drop(second);
        assert_eq!((ledger.take(), ledger.take()), (vec![7], vec![]));
    }

    #[test]
    fn what_is_owed_by_one_node_is_not_owed_by_another() {
        let [ledger, other] = [(); 2].map(|()| Arc::<Ledger>::default());
        let here = Arc::<Owed>::default();
        let [debt, local] = [Debt::new(&Owed::elsewhere(&ledger, 1)), Debt::new(&here)];
        assert!(debt.is_like(&Owed::elsewhere(&ledger, 2)) && local.is_like(&here));
        assert!(!debt.is_like(&Owed::elsewhere(&other, 1)) && !debt.is_like(&here));
        assert!(!local.is_like(&Arc::default()) && !local.is_like(&Owed::elsewhere(&ledger, 1)));
    }
}
