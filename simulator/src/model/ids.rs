//! Ids made by the simulator. They depend on the seed and on nothing else.

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";

/// A source of ids: the same seed gives the same ids in the same order.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn seeded(seed: u64) -> Ids {
        Ids { state: seed }
    }

    /// SplitMix64: one addition and three mixes, evenly spread, which is all that ids need.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[(self.next() % alphabet.len() as u64) as usize])).collect()
    }

    /// A number below `limit`; 0 where there is none.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or_default()
    }

    /// Lower-case letters and digits: guardrail ids, `configId`s, what follows `car-` and `h-`.
    pub(crate) fn lower(&mut self, length: usize) -> String {
        self.text(LOWER, length)
    }

    /// Capital letters and the digits 2 to 7: access keys and unique ids of roles.
    pub(crate) fn upper(&mut self, length: usize) -> String {
        self.text(UPPER, length)
    }

    /// A UUID in form; version 4 in its digits.
    pub(crate) fn uuid(&mut self) -> String {
        let (a, b, c, d) = (self.text(HEX, 8), self.text(HEX, 4), self.text(HEX, 3), self.text(HEX, 3));
        let e = self.text(HEX, 12);
        format!("{a}-{b}-4{c}-8{d}-{e}")
    }

    /// Twelve digits that don't start with 0: the id of a new account.
    pub(crate) fn account(&mut self) -> String {
        format!("{}", 100_000_000_000 + self.next() % 900_000_000_000)
    }
}
