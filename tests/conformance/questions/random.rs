//! A random number generator whose numbers are the same on every machine and for ever: splitmix64.

/// Everything random in a question comes from here.
pub(crate) struct Random {
    state: u64,
    /// Whether the author of the moment makes mistakes at all; see [`Random::mishap`].
    careless: bool,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, careless: true }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`; the slight bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// Lets a new author work, who is careful in so many of a hundred cases.
    pub(crate) fn author(&mut self, careful: usize) {
        self.careless = !self.percent(careful);
    }

    /// True in so many of a hundred cases, but never for a careful author.
    pub(crate) fn mishap(&mut self, share: usize) -> bool {
        self.percent(share) && self.careless
    }

    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}
