//! Randomness that can be asked for any status at any time: a generator per (seed, purpose, place). `[pure]`

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream of random numbers is for; two purposes never share numbers.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// When a status comes, by whom, and what becomes of it.
    Plan = 1,
    /// What accompanies it: media, poll, card.
    Dress = 2,
    /// An account.
    Author = 3,
    /// The words of a version; the version's number is added.
    Text = 16,
}

/// The random numbers of one purpose at one place of the timeline.
pub(super) fn random(seed: u64, purpose: u64, place: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    random.set_stream(place);
    random
}

/// One of `items`, each as likely.
pub(super) fn pick<'a, T: ?Sized>(random: &mut ChaCha8Rng, items: &[&'a T]) -> &'a T {
    items[random.random_range(0..items.len())]
}

/// One of `items`, the first more likely than the second and so on (1/rank).
pub(super) fn pick_zipf<'a, T: ?Sized>(random: &mut ChaCha8Rng, items: &[&'a T]) -> &'a T {
    items[zipf(random, items.len(), 1.0)]
}

/// A rank from 0 to `n` − 1 with probability falling as `1 / (rank + 1)^exponent`.
pub(super) fn zipf(random: &mut ChaCha8Rng, n: usize, exponent: f64) -> usize {
    match rand_distr::Zipf::new(n as f64, exponent) {
        Ok(law) => (random.sample(law) as usize).clamp(1, n) - 1,
        Err(_) => 0,
    }
}

/// True with probability `p`.
pub(super) fn chance(random: &mut ChaCha8Rng, p: f64) -> bool {
    random.random_bool(p)
}
