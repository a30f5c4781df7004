//! Who runs on which core.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A core of this machine, by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core(usize);

impl Core {
    /// One for the server and one for the load: the first and the last that we may use.
    pub(crate) fn two() -> [Self; 2] {
        let allowed = sched_getaffinity(None).expect("Linux says which cores are ours");
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let first = cores.next().expect("we run on one");
        [Self(first), Self(cores.next_back().expect("a second core, for the load"))]
    }

    /// Does this on it, and comes back to where this thread was. What is started on the way stays there.
    pub(crate) fn run<T>(self, on_it: impl FnOnce() -> T) -> T {
        let before = sched_getaffinity(None).expect("Linux says which cores are ours");
        self.stay();
        let done = on_it();
        sched_setaffinity(None, &before).expect("they were ours");
        done
    }

    /// Keeps this thread, and what it starts, on it.
    pub(crate) fn stay(self) {
        let mut only = CpuSet::new();
        only.set(self.0);
        sched_setaffinity(None, &only).expect("it is one of ours");
    }
}
