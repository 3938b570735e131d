//! When to renew, and how long to wait after a failure. Numbers only.

use ring::digest::{SHA256, digest};
use time::{Duration, OffsetDateTime};

/// A third of the lifetime before the end, as Let's Encrypt asks; of brokers that got theirs in the same hour, each at
/// another time. The same certificate always has the same moment, however often the broker is started.
pub(super) fn renewal(
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    certificate: &[u8],
) -> OffsetDateTime {
    let lifetime = (not_after - not_before).max(Duration::ZERO);
    let jitter = lifetime / JITTER_PART;
    not_after - lifetime / 3 - jitter * fraction(certificate)
}

/// Longer with each failure in a row. Let's Encrypt allows five failed proofs of a name in an hour; with these pauses
/// there are four tries in the first hour, then fewer.
pub(super) fn pause_after(failures: u32, now: OffsetDateTime) -> Duration {
    let doubled = PAUSE_MIN * 2_i32.saturating_pow(failures.saturating_sub(1).min(20));
    let pause = doubled.min(PAUSE_MAX);
    // Up to a fifth more, so that brokers that failed together do not come back together.
    pause + pause / 5 * fraction(&now.unix_timestamp_nanos().to_be_bytes())
}

/// Between 0 and 1, as if by chance, and the same for the same bytes.
fn fraction(bytes: &[u8]) -> f64 {
    let digest = digest(&SHA256, bytes);
    let mut first = [0; 4];
    first.copy_from_slice(&digest.as_ref()[..4]);
    f64::from(u32::from_be_bytes(first)) / f64::from(u32::MAX)
}

const PAUSE_MIN: Duration = Duration::minutes(10);
/// Twice a day, as Let's Encrypt recommends.
pub(super) const PAUSE_MAX: Duration = Duration::hours(12);
/// Renewals are spread over this part of the lifetime: three days of ninety.
const JITTER_PART: i32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(day)
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left_or_a_little_earlier() {
        let mut moments = Vec::new();
        for certificate in 0..50_u8 {
            let moment = renewal(day(0), day(90), &[certificate]);
            assert!(moment <= day(60) && moment >= day(57), "{moment}");
            assert_eq!(moment, renewal(day(0), day(90), &[certificate]), "a restart changes nothing");
            moments.push(moment);
        }
        moments.sort();
        moments.dedup();
        assert!(moments.len() > 40, "they are spread");
        let short = renewal(day(0), day(6), b"x");
        assert!(short <= day(4) && short > day(3), "{short}");
    }

    #[test]
    fn no_hour_sees_more_than_four_tries_and_no_day_of_failures_more_than_ten() {
        let mut tries = vec![day(0)];
        for failures in 1..200 {
            let last = tries.last().copied().unwrap();
            tries.push(last + pause_after(failures, last));
        }
        for begin in &tries {
            let within = |length| tries.iter().filter(|at| *at >= begin && **at - *begin < length).count();
            assert!(within(Duration::HOUR) <= 4);
            assert!(within(Duration::DAY) <= 10);
        }
        let pauses: Vec<_> = tries.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(pauses.iter().all(|pause| *pause <= PAUSE_MAX * 1.2), "it goes on to try");
    }
}
