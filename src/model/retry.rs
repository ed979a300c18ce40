//! Which faults deserve another try, and after how long.

use super::ModelError;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

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

/// First and longest pause between two looks whether the network is back.
const LOOK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));
/// So long the network may be away.
pub const OFFLINE: Duration = Duration::from_mins(10);

/// Whether this machine has no network, as the system's own words for it tell: not a server that refuses.
pub fn is_offline(error: &ModelError) -> bool {
    let ModelError::Unreachable { reason, .. } = error else { return false };
    let reason = reason.to_lowercase();
    ["network is unreachable", "network is down", "no route to host", "temporary failure in name resolution"]
        .iter()
        .any(|words| reason.contains(words))
}

/// A stretch without network.
#[derive(Debug, Default)]
pub struct Offline {
    since: Option<Instant>,
    looks: u32,
}

/// How long to wait for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub time: Duration,
    /// Whether the network has just gone.
    pub is_first: bool,
}

impl Offline {
    /// How long to wait before the next look; `None` when `error` is another one or the network has been away
    /// for [`OFFLINE`].
    pub fn wait(&mut self, error: &ModelError, now: Instant) -> Option<Pause> {
        if !is_offline(error) {
            *self = Self::default();
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= OFFLINE {
            return None;
        }
        let time = LOOK.0.saturating_mul(1 << self.looks.min(8)).min(LOOK.1);
        self.looks += 1;
        Some(Pause { time, is_first: self.looks == 1 })
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
    fn being_offline_is_waited_for_and_not_for_ever() {
        let error = |reason: &str| ModelError::Unreachable { host: "h:1".into(), reason: reason.into() };
        let away = error("Network is unreachable (os error 101)");
        let (mut offline, begun) = (Offline::default(), Instant::now());
        let pause = |secs, is_first| Some(Pause { time: Duration::from_secs(secs), is_first });
        assert_eq!(offline.wait(&away, begun), pause(2, true));
        assert_eq!(offline.wait(&away, begun), pause(4, false));
        for _ in 0..100 {
            offline.wait(&away, begun);
        }
        assert_eq!(offline.wait(&away, begun), pause(15, false));
        assert_eq!(offline.wait(&away, begun + OFFLINE), None);
        assert_eq!(offline.wait(&error("Connection refused (os error 111)"), begun), None);
        assert_eq!(offline.wait(&away, begun + OFFLINE), pause(2, true), "another stretch");
        let dns = "failed to lookup address information: Temporary failure in name resolution";
        assert!(is_offline(&error(dns)));
        assert!(!is_offline(&error("failed to lookup address information: Name or service not known")));
        assert!(!is_offline(&ModelError::Cut("network is unreachable".into())));
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
