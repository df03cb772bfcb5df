//! Working memory that each thread keeps, for what is made only to be copied.

use std::cell::Cell;

/// Two buffers. Whoever has them writes before he reads: what stands in them is left from somebody else.
#[derive(Default)]
pub(crate) struct Scratch {
    /// What stands between a stored form and the plain one.
    #[cfg(any(feature = "compression", feature = "encryption"))]
    pub(crate) coded: Vec<u8>,
    pub(crate) plain: Vec<u8>,
}

thread_local! {
    /// What is in no hand at the moment. In a box, so that it costs a pointer's move to take it and to give it back.
    static KEPT: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A longer buffer is not kept.
const MOST: usize = 256 * 1024;

impl Scratch {
    /// Runs `work` with the buffers of this thread. Within it they are other ones.
    #[inline]
    pub(crate) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        // A thread that is about to end has none any more.
        let mut scratch = KEPT.try_with(Cell::take).ok().flatten().unwrap_or_default();
        let result = work(&mut scratch);
        scratch.forget_long();
        let _ = KEPT.try_with(|kept| kept.set(Some(scratch)));
        result
    }

    #[inline]
    fn forget_long(&mut self) {
        #[cfg(any(feature = "compression", feature = "encryption"))]
        if self.coded.len() > MOST {
            self.coded = Vec::new();
        }
        if self.plain.len() > MOST {
            self.plain = Vec::new();
        }
    }
}

/// So many bytes of the buffer, whatever they are. It is never made shorter, so that it is seldom made longer.
#[inline]
pub(crate) fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        *buffer = vec![0; if len < MOST { len.next_power_of_two() } else { len }];
    }
    &mut buffer[..len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_used_again_and_what_is_long_is_not_kept() {
        let len = || Scratch::with(|scratch| scratch.plain.len());
        Scratch::with(|scratch| assert_eq!(room(&mut scratch.plain, 1000).len(), 1000));
        assert_eq!(len(), 1024);
        Scratch::with(|scratch| assert_eq!(room(&mut scratch.plain, 10).len(), 10));
        assert_eq!(len(), 1024, "not made shorter");
        Scratch::with(|scratch| room(&mut scratch.plain, MOST + 1).fill(1));
        assert_eq!(len(), 0);
        Scratch::with(|scratch| room(&mut scratch.plain, MOST - 1).fill(1));
        assert_eq!(len(), MOST);
    }

    #[test]
    fn one_within_another_has_buffers_of_its_own() {
        Scratch::with(|outer| {
            room(&mut outer.plain, 4).copy_from_slice(b"mine");
            Scratch::with(|inner| room(&mut inner.plain, 4).copy_from_slice(b"your"));
            assert_eq!(&outer.plain[..4], b"mine");
        });
    }
}
