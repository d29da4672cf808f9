//! Pauses between looks at what somebody else is working on.

/// Pauses that grow. Each look takes the line from whoever writes it, who then waits for it to come back; seldom looked
/// at, the other side does many short operations in a row, and so does this one when its turn comes.
pub(crate) struct Pauses {
    /// So many more of one hint.
    close: u32,
    next: u32,
    left: u32,
}

/// Looks one hint apart before the pauses grow, for [`Pauses::from_one_to_one`].
const CLOSE: u32 = 6;

/// The longest pause, in processor hints: less than a microsecond.
const LONGEST: u32 = 16;

impl Pauses {
    /// As many as make `total` processor hints.
    pub(crate) const fn new(total: u32) -> Pauses {
        Pauses { close: 0, next: 1, left: total }
    }

    /// As [`new`](Self::new), where one waits for one: an answer that is under way takes as long as a line of memory.
    pub(crate) const fn from_one_to_one(total: u32) -> Pauses {
        Pauses { close: CLOSE, next: 1, left: total }
    }

    /// Pauses; false: all pauses are over, it is time to sleep.
    #[inline]
    pub(crate) fn pause(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        let hints = self.next.min(self.left);
        (0..hints).for_each(|_| std::hint::spin_loop());
        self.left -= hints;
        match self.close {
            0 => self.next = (self.next * 2).min(LONGEST),
            _ => self.close -= 1,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut pauses = Pauses::new(100);
        // 1 + 2 + 4 + 8 + 16 * 5 + 5
        let count = (0..100).take_while(|_| pauses.pause()).count();
        assert_eq!(count, 10);
        assert!(!pauses.pause());
    }
}
