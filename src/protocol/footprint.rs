//! What an allocation really takes of memory. Pure.

/// The classes between two powers of two.
const CLASSES: usize = 4;

/// Up to here allocations are rounded up to multiples of [`QUANTUM`].
const SMALL: usize = 128;
const QUANTUM: usize = 16;

/// The bytes of memory behind an allocation of `bytes`: the size class that jemalloc rounds it up to, four of which lie
/// between two powers of two (jemalloc(3), "IMPLEMENTATION NOTES").
#[must_use]
pub fn allocated(bytes: usize) -> usize {
    let step = match bytes {
        0 => return 0,
        1..=SMALL => QUANTUM,
        // The largest power of two below, in four.
        _ => (1 << (bytes - 1).ilog2()) / CLASSES,
    };
    bytes.checked_next_multiple_of(step).unwrap_or(usize::MAX)
}

/// The bytes of memory behind an `Arc<str>` or `Arc<[u8]>` of this length: two counts precede it.
#[must_use]
pub fn shared(bytes: usize) -> usize {
    allocated(bytes.saturating_add(2 * size_of::<usize>()))
}

/// The bytes of memory behind a list, which has up to twice the room that it needs where it grew by doubling.
pub(super) fn list<T>(list: &Vec<T>) -> usize {
    allocated(list.capacity() * size_of::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of jemalloc(3).
    #[test]
    fn an_allocation_takes_the_next_size_class() {
        for (bytes, class) in [
            (0, 0),
            (1, 16),
            (16, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (160, 160),
            (161, 192),
            (257, 320),
            (1016, 1024),
            (1025, 1280),
            (60_000, 65_536),
            (65_552, 81_920),
        ] {
            assert_eq!(allocated(bytes), class, "{bytes}");
        }
    }
}
