//! How long to wait: between two tries of one target (SPEC 6.2), and before a target that failed
//! is asked again (SPEC 6.4).

use std::time::Duration;

use crate::policy::class::Class;

/// Delays between two tries of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Before the first retry; doubled for each further one.
    pub base: Duration,
    /// Before any retry.
    pub max: Duration,
}

/// How long a target rests after a failure (SPEC 6.4). Zero is not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// After a 429 without Retry-After.
    pub rate_limit: Duration,
    /// The longest Retry-After that is believed.
    pub max_retry_after: Duration,
    /// After a spent quota.
    pub quota: Duration,
    /// After a refused key.
    pub auth: Duration,
    /// After a missing model.
    pub not_found: Duration,
}

/// The delay before retry `number` (1, 2, ...) of the same target. `draw` gives numbers of 0.0..1.0:
/// many clients that failed together must not come back together.
pub fn delay(
    number: u32,
    settings: &Settings,
    retry_after: Option<Duration>,
    draw: &mut dyn FnMut() -> f64,
) -> Duration {
    let doubled = settings.base.saturating_mul(2_u32.saturating_pow(number.saturating_sub(1)));
    let share = 0.5 + 0.5 * draw().clamp(0.0, 1.0);
    doubled.min(settings.max).mul_f64(share).max(retry_after.unwrap_or_default())
}

/// How long a target (with `auth` its whole provider) rests after a failure of that class.
pub fn cooldown(class: Class, retry_after: Option<Duration>, settings: &Cooldown) -> Option<Duration> {
    let time = match class {
        Class::RateLimit => retry_after.unwrap_or(settings.rate_limit).min(settings.max_retry_after),
        Class::Quota => settings.quota,
        Class::Auth => settings.auth,
        Class::Forbidden | Class::NotFound => settings.not_found,
        Class::Context
        | Class::Policy
        | Class::TooLarge
        | Class::BadRequest
        | Class::Transient
        | Class::Network
        | Class::Timeout
        | Class::BadUpstream
        | Class::Cut
        | Class::Gone => Duration::ZERO,
    };
    (!time.is_zero()).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::words::Words as _;

    const SETTINGS: Settings = Settings { base: Duration::from_millis(250), max: Duration::from_secs(3) };
    const COOLDOWN: Cooldown = Cooldown {
        rate_limit: Duration::from_secs(30),
        max_retry_after: Duration::from_secs(24 * 3600),
        quota: Duration::from_secs(900),
        auth: Duration::from_secs(600),
        not_found: Duration::from_secs(45),
    };

    #[test]
    fn delays_double_up_to_the_largest() {
        let delay = |number, share| delay(number, &SETTINGS, None, &mut || share).as_millis();
        assert_eq!([1, 2, 3, 4, 5, 99].map(|number| delay(number, 1.0)), [250, 500, 1000, 2000, 3000, 3000]);
        assert_eq!((delay(1, 0.0), delay(2, 0.5), delay(u32::MAX, 0.0)), (125, 375, 1500));
    }

    #[test]
    fn retry_after_is_the_lower_bound() {
        let delay = |seconds| delay(1, &SETTINGS, Some(Duration::from_secs(seconds)), &mut || 1.0);
        assert_eq!(delay(7), Duration::from_secs(7));
        assert_eq!(delay(0), Duration::from_millis(250));
    }

    #[test]
    fn nothing_to_wait_is_no_delay() {
        let none = Settings { base: Duration::ZERO, max: Duration::ZERO };
        assert_eq!(delay(3, &none, None, &mut || 0.7), Duration::ZERO);
    }

    #[test]
    fn each_class_rests_as_the_table_says() {
        for &class in Class::CHOICES {
            let expected = match class.name() {
                "quota" => 900,
                "rate_limit" => 30,
                "auth" => 600,
                "forbidden" | "not_found" => 45,
                _ => 0,
            };
            let time = cooldown(class, None, &COOLDOWN).map_or(0, |time| time.as_secs());
            assert_eq!(time, expected, "{}", class.name());
        }
    }

    #[test]
    fn a_retry_after_counts_for_rate_limits_up_to_a_day() {
        let after = |class, seconds| cooldown(class, Some(Duration::from_secs(seconds)), &COOLDOWN);
        assert_eq!(after(Class::RateLimit, 7), Some(Duration::from_secs(7)));
        assert_eq!(after(Class::RateLimit, 1_000_000), Some(Duration::from_secs(24 * 3600)));
        assert_eq!(after(Class::RateLimit, 0), None);
        assert_eq!(after(Class::Quota, 7), Some(Duration::from_secs(900)));
        let off = Cooldown { rate_limit: Duration::ZERO, ..COOLDOWN };
        assert_eq!(cooldown(Class::RateLimit, None, &off), None);
    }
}
