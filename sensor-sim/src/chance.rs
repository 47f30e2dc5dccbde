//! Seeded chance: a stream of its own for each device and purpose, the same bits on every machine.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::Rng;

/// A stream of chance.
#[derive(Clone, Debug)]
pub struct Chance {
    generator: Pcg64,
    spare: Option<f64>,
}

impl Chance {
    /// The stream of `device` for `purpose` under `seed`. It is the same whoever else is simulated.
    #[must_use]
    pub fn new(seed: u64, device: &str, purpose: &str) -> Self {
        let mut state = mix(seed);
        for text in [device, purpose] {
            // The length keeps ("ab", "c") apart from ("a", "bc").
            state = mix(state ^ text.len() as u64);
            for byte in text.bytes() {
                state = mix(state ^ u64::from(byte));
            }
        }
        let high = u128::from(mix(state ^ 1)) << 64;
        let stream = u128::from(mix(state ^ 2));
        Self {
            generator: Pcg64::new(high | u128::from(state), stream),
            spare: None,
        }
    }

    /// Any 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// A number of 0.0..1.0, all equally likely.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.bits() >> 11) as f64 * STEP
    }

    /// A number between `low` and `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// A normal number with mean 0 and deviation 1 (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// How long until the next event of a kind that comes every `mean` on average.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -libm::log(1.0 - self.unit()) * mean
    }
}

/// The finishing steps of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input moves half of the output.
const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_device_and_purpose() {
        let first = |seed, device, purpose| Chance::new(seed, device, purpose).bits();
        let base = first(1, "ab", "c");
        assert_eq!(base, first(1, "ab", "c"));
        for other in [
            first(2, "ab", "c"),
            first(1, "a", "bc"),
            first(1, "ab", "d"),
        ] {
            assert_ne!(base, other);
        }
    }

    /// The number was written down once; another machine or build must find the same.
    #[test]
    fn a_stream_is_the_same_everywhere() {
        let mut chance = Chance::new(7, "pump", "noise");
        let bits = (0..1000).fold(0_u64, |sum, _| {
            sum.rotate_left(7) ^ chance.normal().to_bits()
        });
        assert_eq!(bits, GOLDEN, "{bits:#x}");
    }

    const GOLDEN: u64 = 0xAFCA_F711_97A3_7548;

    #[test]
    fn numbers_have_the_promised_moments() {
        let mut chance = Chance::new(3, "d", "moments");
        let count = 200_000;
        let mut moments = |mut draw: Box<dyn FnMut(&mut Chance) -> f64>| {
            let all: Vec<f64> = (0..count).map(|_| draw(&mut chance)).collect();
            let mean = all.iter().sum::<f64>() / f64::from(count);
            let square = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(count);
            (mean, square.sqrt())
        };
        let near = |got: (f64, f64), mean: f64, deviation: f64| {
            assert!((got.0 - mean).abs() < 0.02 * deviation, "{got:?}");
            assert!((got.1 / deviation - 1.0).abs() < 0.02, "{got:?}");
        };
        near(moments(Box::new(Chance::normal)), 0.0, 1.0);
        near(
            moments(Box::new(Chance::unit)),
            0.5,
            (1.0_f64 / 12.0).sqrt(),
        );
        near(moments(Box::new(|chance| chance.wait(5.0))), 5.0, 5.0);
        near(
            moments(Box::new(|chance| chance.below(3) as f64)),
            1.0,
            (2.0_f64 / 3.0).sqrt(),
        );
    }
}
