//! What holds where nothing is said (SPEC 4.2).

use std::time::Duration;

use super::{
    Breaker, Cooldown, Ledger, Limits, Log, LogLevel, RetriedFailures, Retry, Rotate, State, Store, Timeouts,
    Trace, UsageLog,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 1024,
            queue: 128,
            connections: 2048,
            request_body: 32 * MIB,
            response_body: 64 * MIB,
            error_body: 64 * KIB,
            sse_frame: 8 * MIB,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            buffered: Duration::from_secs(600),
            stream_idle: Duration::from_secs(300),
            total: Duration::from_secs(3600),
            keepalive: Duration::from_secs(15),
            commit_after: Duration::from_secs(15),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            total: 6,
            base_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(3),
            max_wait: Duration::from_secs(30),
            policy_fallback: false,
        }
    }
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            rate_limit: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(24 * 3600),
            quota: Duration::from_secs(15 * 60),
            auth: Duration::from_secs(10 * 60),
            not_found: Duration::from_secs(45),
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            enabled: true,
            threshold: 5,
            window: Duration::from_secs(120),
            cooldown: Duration::from_secs(30),
            max_cooldown: Duration::from_secs(300),
            retried_failures: RetriedFailures::Log,
            signal: "[LLM_PROXY_PROVIDER_DEGRADED]".to_owned(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            file: None,
            rotate: Rotate::default(),
            mask: true,
            requests_dir: None,
            errors_dir: None,
            bodies: false,
        }
    }
}

impl Default for Rotate {
    fn default() -> Self {
        Self { daily: true, max_size: 100 * 1024 * 1024, keep: 7 }
    }
}

impl Default for UsageLog {
    fn default() -> Self {
        Self { ledger: Ledger::StateDir, session_budget: None, day_budget: None, hook: None }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self { file: None, max_text: 16384 }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { store: Store::File, file: None, url: None, ttl: Duration::from_secs(24 * 3600) }
    }
}
