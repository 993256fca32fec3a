//! Time: the one place that reads a clock. Everything else is given instants.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A wall time as milliseconds since 1970 (UTC): what processes tell each other, and what
/// decisions are given. A wall clock may be set back; whoever compares two of these bears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// So much later; the end of time is not passed.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; nothing when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// As [`rfc3339`] writes it.
    pub fn rfc3339(self) -> String {
        rfc3339(UNIX_EPOCH.checked_add(Duration::from_millis(self.0)).unwrap_or(UNIX_EPOCH))
    }

    /// A file's time, as the system tells it.
    pub fn of(time: SystemTime) -> Self {
        Self::default().plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// Now, as the wall shows it, for decisions.
pub fn millis() -> Millis {
    Millis::of(wall())
}

/// Now, for measuring.
#[allow(clippy::disallowed_methods, reason = "this is the room for time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, as the wall shows it.
#[allow(clippy::disallowed_methods, reason = "this is the room for time")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Rests this thread. For the rare place where there is nothing to wait for, such as an accept
/// that failed because the process has no file descriptors left.
#[allow(clippy::disallowed_methods, reason = "this is the room for time")]
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Seconds since 1970 of a wall time; 0 before it.
pub fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// `2026-11-21T10:15:30.123Z`, the form used in logs and files (RFC 3339).
pub fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i128::try_from(since.as_nanos()).unwrap_or(0);
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp_nanos(nanos) else {
        return "1970-01-01T00:00:00.000Z".to_owned();
    };
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    let fields = [
        (u32::try_from(year).unwrap_or_default(), 4, '-'),
        (u32::from(u8::from(month)), 2, '-'),
        (u32::from(day), 2, 'T'),
        (u32::from(hour), 2, ':'),
        (u32::from(minute), 2, ':'),
        (u32::from(second), 2, '.'),
        (u32::from(milli), 3, 'Z'),
    ];
    // Each request has a time or two to write, and `format!` takes four times as long.
    let mut text = String::with_capacity(24);
    for (number, digits, end) in fields {
        for place in (0..digits).rev() {
            text.extend(char::from_digit(number / 10_u32.pow(place) % 10, 10));
        }
        text.push(end);
    }
    text
}

/// How long until an HTTP date (RFC 9110, 5.6.7); `None` when it is not one or is past.
pub fn until_http_date(text: &str, now: SystemTime) -> Option<Duration> {
    httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_do_not_wrap() {
        let (early, late) = (Millis(5), Millis(5).plus(Duration::from_secs(2)));
        assert_eq!(late, Millis(2005));
        assert_eq!((late.since(early), early.since(late)), (Duration::from_secs(2), Duration::ZERO));
        assert_eq!(late.plus(Duration::MAX), Millis(u64::MAX));
        assert!(millis() > Millis(1_700_000_000_000));
    }

    #[test]
    fn times_are_written_and_read() {
        let at = UNIX_EPOCH + Duration::from_millis(1_794_999_330_123);
        assert_eq!(rfc3339(at), "2026-11-18T10:55:30.123Z");
        assert_eq!(rfc3339(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(unix_seconds(at), 1_794_999_330);
        let date = "Wed, 18 Nov 2026 10:55:40 GMT";
        assert_eq!(until_http_date(date, at), Some(Duration::from_millis(9877)));
        assert_eq!(until_http_date("soon", at), None);
    }
}
