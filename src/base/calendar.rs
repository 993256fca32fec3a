//! Days and months in UTC: the calendar maths that windows and day sums need.

use time::{Date, Month, OffsetDateTime, Time};

use crate::base::clock::Millis;

/// The day as `2026-11-21`, the name under which a day's sums are kept.
pub fn day(at: Millis) -> String {
    let (year, month, day) = date(at).to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

/// The first moment of the next day.
pub fn next_day(at: Millis) -> Millis {
    const DAY: u64 = 24 * 3600 * 1000;
    Millis((at.0 / DAY + 1).saturating_mul(DAY))
}

/// Whole months since January 1970.
pub fn month(at: Millis) -> u64 {
    let date = date(at);
    let years = u64::try_from(date.year() - 1970).unwrap_or(0);
    years * 12 + u64::from(u8::from(date.month())) - 1
}

/// The first moment of a month, counted from January 1970.
pub fn month_start(month: u64) -> Millis {
    // Beyond the year 9999 the last month that the calendar knows is good enough.
    let year = i32::try_from(month / 12).unwrap_or(i32::MAX).saturating_add(1970).min(9999);
    let name = u8::try_from(month % 12 + 1).ok().and_then(|number| Month::try_from(number).ok());
    let first = Date::from_calendar_date(year, name.unwrap_or(Month::January), 1);
    let seconds = first.map_or(0, |first| first.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp());
    Millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}

fn date(at: Millis) -> Date {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or(Date::MAX, OffsetDateTime::date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_those_of_the_calendar() {
        for (seconds, name, months) in [
            (0, "1970-01-01", 0),
            (951_782_399, "2000-02-28", 361),
            (951_782_400, "2000-02-29", 361),
            (1_798_761_599, "2026-12-31", 683),
            (1_798_761_600, "2027-01-01", 684),
        ] {
            let at = Millis(seconds * 1000 + 999);
            assert_eq!((day(at).as_str(), month(at)), (name, months), "{seconds}");
            assert!(day(next_day(at)) > day(at) && day(Millis(next_day(at).0 - 1)) == day(at));
        }
    }

    #[test]
    fn a_month_starts_where_the_one_before_it_ends() {
        for number in 0..1200 {
            let start = month_start(number);
            assert_eq!(month(start), number);
            assert_eq!(number.checked_sub(1), start.0.checked_sub(1).map(|before| month(Millis(before))));
        }
    }

    #[test]
    fn no_time_is_too_late() {
        assert_eq!(day(Millis(u64::MAX)), "9999-12-31");
        assert_eq!(month_start(u64::MAX), month_start((9999 - 1970) * 12 + 3));
    }
}
