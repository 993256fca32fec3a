//! Durations, sizes and windows as people write them (SPEC 4.3).

use std::time::Duration;

use super::{Window, WindowUnit};

/// The longest duration: with it no sum of instants can overflow.
const MAX_DURATION: Duration = Duration::from_secs(366 * 86_400);

/// Reads `250ms`, `10s`, `5m`, `1h`, `15d`; `0` needs no unit. At most 366 days.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (count, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let duration = Duration::from_millis(count.checked_mul(millis)?);
    (duration <= MAX_DURATION).then_some(duration)
}

/// Reads `64KiB`, `32MiB`, `1GiB` as bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (count, unit) = split(text)?;
    let bytes = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    count.checked_mul(bytes)
}

/// Reads `1s`, `1m`, `5h`, `1d`, `1w`, `1mo`, `month:1`, `hour:5`, `7day`.
pub(super) fn window(text: &str) -> Option<Window> {
    let (count, unit) = match text.split_once(':') {
        Some((unit, count)) => (digits(count)?, unit),
        None => split(text)?,
    };
    let unit = match unit.strip_suffix('s').filter(|u| u.len() > 1).unwrap_or(unit) {
        "s" | "sec" | "second" => WindowUnit::Second,
        "m" | "min" | "minute" => WindowUnit::Minute,
        "h" | "hour" => WindowUnit::Hour,
        "d" | "day" => WindowUnit::Day,
        "w" | "week" => WindowUnit::Week,
        "mo" | "month" => WindowUnit::Month,
        _ => return None,
    };
    let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
    Some(Window { count, unit })
}

/// A duration as [`duration`] reads it, in the largest unit that fits.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    show(millis, &units, "ms")
}

/// A size as [`size`] reads it; bytes when it is no whole number of KiB.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes.into(), &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")], "")
}

/// A window as [`window`] reads it.
pub(super) fn show_window(window: Window) -> String {
    let unit = match window.unit {
        WindowUnit::Second => "s",
        WindowUnit::Minute => "m",
        WindowUnit::Hour => "h",
        WindowUnit::Day => "d",
        WindowUnit::Week => "w",
        WindowUnit::Month => "mo",
    };
    format!("{}{unit}", window.count)
}

fn show(count: u128, units: &[(u128, &str)], least: &str) -> String {
    if count == 0 {
        return "0".to_owned();
    }
    let whole = units.iter().find(|(size, _)| count.is_multiple_of(*size));
    match whole {
        Some((size, unit)) => format!("{}{unit}", count / size),
        None => format!("{count}{least}"),
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(end);
    Some((digits(count)?, unit.trim_start()))
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_bound() {
        let good = [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000)];
        for (text, millis) in good {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(millis));
            assert_eq!(show_duration(read), text);
        }
        assert_eq!(duration("15d").map(show_duration).as_deref(), Some("15d"));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        for bad in ["", "10", "s", "-1s", "1.5s", "1y", "367d", "99999999999999999999s", "1s1"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size("64KiB"), Some(65536));
        assert_eq!(size("32 MiB").map(show_size).as_deref(), Some("32MiB"));
        for bad in ["", "64", "64kb", "1MB", "18446744073709551615KiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn windows_have_several_spellings() {
        let pairs = [
            ("1s", "1s"),
            ("1m", "1m"),
            ("5h", "5h"),
            ("1d", "1d"),
            ("1w", "1w"),
            ("1mo", "1mo"),
            ("month:1", "1mo"),
            ("hour:5", "5h"),
            ("7day", "7d"),
            ("2 weeks", "2w"),
        ];
        for (text, shown) in pairs {
            assert_eq!(window(text).map(show_window).as_deref(), Some(shown), "{text}");
        }
        for bad in ["", "0m", "m", "month", "month:", "month:0", "1y", "1:m", "9999999999s"] {
            assert_eq!(window(bad), None, "{bad}");
        }
    }
}
