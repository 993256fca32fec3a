//! What an answer costs, and whether there is money left (SPEC 7.5).

/// USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Uncached input.
    pub input: f64,
    /// Output.
    pub output: f64,
    /// Input read from the cache; missing means the input price.
    pub cache_read: Option<f64>,
    /// Input written to the cache; missing means the input price.
    pub cache_write: Option<f64>,
    /// What large requests cost, if it is something else.
    pub above: Option<Above>,
}

/// The price of a request whose input is larger than a size. What is missing is as below that size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Above {
    /// The size: so many input tokens are not above it yet.
    pub tokens: u64,
    /// See [`Price::input`].
    pub input: Option<f64>,
    /// See [`Price::output`].
    pub output: Option<f64>,
    /// See [`Price::cache_read`].
    pub cache_read: Option<f64>,
    /// See [`Price::cache_write`].
    pub cache_write: Option<f64>,
}

/// The tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input, with what was read from and written to the cache.
    pub input: u64,
    /// Input read from the cache.
    pub cached: u64,
    /// Input written to the cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
}

/// How spent money stands to its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// There is enough.
    Free,
    /// Most of it is spent: this share, 0.8 to 1.0.
    Warn(f64),
    /// All of it is spent.
    Spent,
}

/// From this share on a warning is due.
const WARN_FROM: f64 = 0.8;

/// The cost of an answer in USD. Cached tokens are part of the input and are paid once.
pub fn cost(tokens: &Tokens, price: &Price) -> f64 {
    let price = price.of(tokens.input);
    let uncached = tokens.input.saturating_sub(tokens.cached).saturating_sub(tokens.cache_write);
    let sum = uncached as f64 * price.input
        + tokens.cached as f64 * price.cache_read.unwrap_or(price.input)
        + tokens.cache_write as f64 * price.cache_write.unwrap_or(price.input)
        + tokens.output as f64 * price.output;
    sum / 1_000_000.0
}

/// A sum as it is shown: rounded up at four decimals, so that little is not nothing.
pub fn shown(usd: f64) -> String {
    // What a sum of binary fractions is off by must not become a digit.
    let slack = 1e-6;
    // Saturates: less than nothing is nothing.
    let units = (usd * 10_000.0 - slack).ceil() as u64;
    format!("{}.{:04}", units / 10_000, units % 10_000)
}

impl Budget {
    /// How `spent` stands to `limit`, both in USD.
    pub fn check(spent: f64, limit: f64) -> Self {
        // Nothing to spend is spent at once.
        if spent >= limit {
            return Self::Spent;
        }
        let share = spent / limit;
        if share >= WARN_FROM { Self::Warn(share) } else { Self::Free }
    }
}

impl Price {
    /// What a request of so many input tokens pays.
    fn of(self, input: u64) -> Self {
        let Some(above) = self.above.filter(|above| input > above.tokens) else { return self };
        Self {
            input: above.input.unwrap_or(self.input),
            output: above.output.unwrap_or(self.output),
            cache_read: above.cache_read.or(self.cache_read),
            cache_write: above.cache_write.or(self.cache_write),
            above: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price =
        Price { input: 3.0, output: 15.0, cache_read: Some(0.3), cache_write: Some(3.75), above: None };

    #[track_caller]
    fn check(tokens: [u64; 4], price: &Price, usd: f64) {
        let [input, cached, cache_write, output] = tokens;
        let cost = cost(&Tokens { input, cached, cache_write, output }, price);
        assert!((cost - usd).abs() < 1e-12, "{cost} is not {usd}");
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        check([1_000_000, 0, 0, 0], &PRICE, 3.0);
        check([0, 0, 0, 1_000_000], &PRICE, 15.0);
        // 1000 x 3 + 8000 x 0.3 + 1000 x 3.75 + 500 x 15 = 3000 + 2400 + 3750 + 7500.
        check([10_000, 8000, 1000, 500], &PRICE, 0.016_65);
        check([0, 0, 0, 0], &PRICE, 0.0);
    }

    #[test]
    fn cached_tokens_are_paid_once() {
        // With the cached tokens counted twice it would be 0.003 x 1000 + 0.0003 x 1000.
        check([1000, 1000, 0, 0], &PRICE, 0.0003);
        // More cached than there is input: nothing is left to pay, and nothing is paid back.
        check([100, 1000, 50, 0], &PRICE, (300.0 + 187.5) / 1e6);
    }

    #[test]
    fn a_missing_cache_price_is_the_input_price() {
        let price = Price { cache_read: None, cache_write: None, ..PRICE };
        check([10_000, 8000, 1000, 0], &price, 0.03);
    }

    #[test]
    fn a_large_request_has_its_own_price() {
        let above = Above {
            tokens: 200_000,
            input: Some(6.0),
            output: None,
            cache_read: Some(0.6),
            cache_write: None,
        };
        let price = Price { above: Some(above), ..PRICE };
        check([200_000, 0, 0, 1000], &price, 0.6 + 0.015);
        // 100 001 x 6 + 100 000 x 0.6 + 1000 x 15.
        check([200_001, 100_000, 0, 1000], &price, 0.600_006 + 0.06 + 0.015);
        let no_cache = Price { cache_read: None, cache_write: None, ..price };
        let no_cache = Price { above: Some(Above { cache_read: None, ..above }), ..no_cache };
        check([300_000, 100_000, 100_000, 0], &no_cache, 1.8);
    }

    #[test]
    fn a_sum_is_shown_rounded_up() {
        for (usd, text) in [
            (0.0, "0.0000"),
            (0.000_000_1, "0.0001"),
            (0.0001, "0.0001"),
            (0.0007, "0.0007"),
            (0.1 + 0.2, "0.3000"),
            (0.000_701, "0.0008"),
            (12.345_61, "12.3457"),
        ] {
            assert_eq!(shown(usd), text, "{usd}");
        }
    }

    #[test]
    fn a_budget_warns_before_it_is_spent() {
        assert_eq!(Budget::check(0.0, 1.0), Budget::Free);
        assert_eq!(Budget::check(7.99, 10.0), Budget::Free);
        assert_eq!(Budget::check(8.0, 10.0), Budget::Warn(0.8));
        assert_eq!(Budget::check(7.5, 8.0), Budget::Warn(0.9375));
        assert_eq!(Budget::check(10.0, 10.0), Budget::Spent);
        assert_eq!(Budget::check(11.0, 10.0), Budget::Spent);
        assert_eq!(Budget::check(0.0, 0.0), Budget::Spent);
    }
}
