//! Random order.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng as _;

/// Shuffles the list (Fisher and Yates).
pub fn shuffle<T>(list: &mut [T], random: &mut Xoshiro256PlusPlus) {
    for last in (1..list.len()).rev() {
        let chosen = (random.next_u64() % (last as u64 + 1)) as usize;
        list.swap(last, chosen);
    }
}
