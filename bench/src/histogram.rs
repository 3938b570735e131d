//! A histogram of nanoseconds with constant relative precision.
//!
//! Each power of two is cut into 32 buckets, so that a quantile is at most 3.2 % above the truth, and
//! recording is a shift and an increment.

const PRECISION_BITS: u32 = 5;
const BUCKETS_PER_OCTAVE: usize = 1 << PRECISION_BITS;
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 1) * BUCKETS_PER_OCTAVE;

/// Counts of values, kept by magnitude.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into_boxed_slice(), count: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.buckets[bucket_of(value)] += 1;
        self.count += 1;
    }

    /// Forgets everything recorded.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }

    /// The smallest bucket bound that at least `share` of the values do not exceed; `None` without values.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        self.buckets.iter().enumerate().find_map(|(bucket, &count)| {
            seen += count;
            (seen >= rank).then(|| upper_bound(bucket))
        })
    }
}

/// Values below 32 have a bucket each; above, the five bits after the leading one choose the bucket of the
/// octave.
#[inline]
fn bucket_of(value: u64) -> usize {
    let magnitude = (64 - value.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    magnitude as usize * BUCKETS_PER_OCTAVE + (value >> magnitude) as usize
}

fn upper_bound(bucket: usize) -> u64 {
    if bucket < 2 * BUCKETS_PER_OCTAVE {
        return bucket as u64;
    }
    let magnitude = bucket / BUCKETS_PER_OCTAVE - 1;
    let mantissa = (bucket - magnitude * BUCKETS_PER_OCTAVE) as u128;
    u64::try_from(((mantissa + 1) << magnitude) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_no_more_than_a_thirtysecond_above_it() {
        let mut value = 1_u64;
        while value < u64::MAX / 3 {
            for near in [value - 1, value, value + 1, value + value / 3] {
                let bound = upper_bound(bucket_of(near));
                assert!(bound >= near && bound - near <= near / 32, "{near} → {bound}");
            }
            value *= 2;
        }
        assert_eq!(upper_bound(bucket_of(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_follow_the_ranks() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|value| histogram.record(value));
        for (share, exact) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let found = histogram.quantile(share).unwrap();
            assert!(found >= exact && found <= exact + exact / 32, "{share}: {found}");
        }
    }

    #[test]
    fn an_empty_histogram_has_no_quantile() {
        let mut histogram = Histogram::default();
        histogram.record(5);
        histogram.clear();
        assert_eq!(histogram.quantile(0.5), None);
    }
}
