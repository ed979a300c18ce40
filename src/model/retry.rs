//! Which faults deserve another try, and after how long.

use super::ModelError;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Tries in all, the first included.
pub const TRIES: u32 = 5;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A server that asks for more than this is not waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long to wait before try number `next` (from 2); `None` when another try is no use.
pub fn wait(next: u32, error: &ModelError) -> Option<Duration> {
    // A fresh hasher of the standard library is seeded at random; 16 bits of it are enough to spread.
    let seed = RandomState::new().hash_one(next) & 0xffff;
    wait_with(next, error, u16::try_from(seed).unwrap_or_default())
}

/// The same with a given jitter: 0 halves the wait, `u16::MAX` leaves it whole. A wait the server asked
/// for is kept to the millisecond.
pub fn wait_with(next: u32, error: &ModelError, jitter: u16) -> Option<Duration> {
    if next > TRIES {
        return None;
    }
    match error {
        ModelError::Busy { retry_after: Some(asked), .. } if *asked > PATIENCE => None,
        ModelError::Busy { retry_after: Some(asked), .. } if !asked.is_zero() => Some(*asked),
        ModelError::Busy { .. } | ModelError::Unreachable { .. } | ModelError::Cut(_) => {
            let whole = FIRST.saturating_mul(1 << next.saturating_sub(2).min(16)).min(LONGEST);
            Some(whole / 2 + (whole / 2) * u32::from(jitter) / u32::from(u16::MAX))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(retry_after: Option<u64>) -> ModelError {
        ModelError::Busy {
            status: 429,
            reason: "slow down".into(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn waits_double_and_spread_between_half_and_whole() {
        for (next, whole) in [(2, 500), (3, 1000), (4, 2000), (5, 4000)] {
            let check = |jitter, expected| {
                let got = wait_with(next, &busy(None), jitter).unwrap();
                assert_eq!(got.as_millis(), expected, "try {next}, jitter {jitter}");
            };
            check(0, whole / 2);
            check(u16::MAX, whole);
            let random = wait(next, &busy(None)).unwrap().as_millis();
            assert!((whole / 2..=whole).contains(&random), "try {next}: {random} ms");
        }
    }

    #[test]
    fn gives_up_after_five_tries() {
        assert_eq!(wait(6, &busy(None)), None);
        assert_eq!(wait(6, &busy(Some(1))), None);
    }

    #[test]
    fn honours_what_the_server_asks_for_up_to_a_minute() {
        assert_eq!(wait(2, &busy(Some(7))), Some(Duration::from_secs(7)));
        assert_eq!(wait(2, &busy(Some(60))), Some(Duration::from_mins(1)));
        assert_eq!(wait(2, &busy(Some(61))), None);
        assert_eq!(wait_with(2, &busy(Some(0)), 0), Some(Duration::from_millis(250)));
    }

    #[test]
    fn only_passing_faults_are_tried_again() {
        let reason = || "x".to_owned();
        let host = || "h:1".to_owned();
        for passing in [
            ModelError::Unreachable { host: host(), reason: reason() },
            ModelError::Cut(reason()),
            busy(None),
        ] {
            assert!(wait(2, &passing).is_some(), "{passing}");
        }
        for lasting in [
            ModelError::Auth(reason()),
            ModelError::Rejected { status: 400, reason: reason() },
            ModelError::Overflow(reason()),
            ModelError::Quota(reason()),
            ModelError::Protocol { host: host(), reason: reason() },
            ModelError::Unusable(reason()),
        ] {
            assert_eq!(wait(2, &lasting), None, "{lasting}");
        }
    }
}
