//! What is written of requests: ledger, usage hook, trace, a file for each. A reload changes it in
//! place; what stays the same goes on.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::base::env::Env;
use crate::base::pen;
use crate::config::{self, Config, UsageHook};
use crate::observe::hook::{Hook, Post};
use crate::observe::ledger::{Entry, Ledger, Place};
use crate::observe::record::Record;
use crate::observe::recorder::{Recorder, Wants};
use crate::observe::trace::Exchange;

/// What is written. Without a configuration it is nothing.
#[derive(Debug, Default)]
pub struct Files(RwLock<Arc<Open>>);

#[derive(Debug, Default)]
struct Open {
    ledger: Option<(Place, Arc<Ledger>)>,
    hook: Option<(UsageHook, Arc<Hook>)>,
    recorder: Option<Arc<Recorder>>,
}

impl Files {
    /// From now on it is written as this configuration says; `post` makes what posts to a hook. What
    /// cannot be begun is told in the log and left out.
    pub fn change(&self, config: &Config, env: &Env, post: &dyn Fn(&UsageHook) -> Option<Post>) {
        let before = self.open();
        let place = place(&config.usage.ledger, env);
        let ledger = place.map(|place| match &before.ledger {
            Some((known, ledger)) if *known == place => (place, Arc::clone(ledger)),
            Some(_) | None => (place.clone(), Arc::new(Ledger::new(place))),
        });
        let hook = config.usage.hook.clone().and_then(|hook| match &before.hook {
            Some((known, running)) if *known == hook => Some((hook, Arc::clone(running))),
            Some(_) | None => {
                let started = post(&hook).and_then(|post| told("usage.hook", Hook::start(post)));
                started.map(|running| (hook, Arc::new(running)))
            }
        });
        let recorder = Wants::of(config).and_then(|wants| match &before.recorder {
            Some(recorder) if *recorder.wants() == wants => Some(Arc::clone(recorder)),
            Some(_) | None => told("trace", Recorder::start(wants)).map(Arc::new),
        });
        *self.0.write() = Arc::new(Open { ledger, hook, recorder });
    }

    /// A request is over.
    pub fn tell(&self, record: &Record) {
        let open = self.open();
        if open.ledger.is_none() && open.hook.is_none() {
            return;
        }
        let mut line = pen::written(&Entry::of(record)).into_bytes();
        line.push(b'\n');
        if let Some((_, ledger)) = &open.ledger {
            ledger.add(&line, record.at);
        }
        if let Some((_, hook)) = &open.hook {
            hook.post(line);
        }
    }

    /// Who wants to know what goes over the wire, if somebody does.
    pub fn recorder(&self) -> Option<Arc<Recorder>> {
        self.0.read().recorder.clone()
    }

    /// Keeps what went over the wire for a request.
    pub fn keep(&self, exchange: Box<Exchange>) {
        if let Some(recorder) = self.recorder() {
            recorder.keep(exchange);
        }
    }

    fn open(&self) -> Arc<Open> {
        Arc::clone(&self.0.read())
    }

    /// Waits until what was told is written and posted; not for long.
    pub fn finish(&self) {
        let open = self.open();
        if let Some((_, ledger)) = &open.ledger {
            ledger.finish();
        }
        if let Some(recorder) = &open.recorder {
            recorder.finish();
        }
        if let Some((_, hook)) = &open.hook {
            hook.finish();
        }
    }
}

/// Where the ledger is; without a home there is no place for it.
pub fn place(ledger: &config::Ledger, env: &Env) -> Option<Place> {
    match ledger {
        config::Ledger::Off => None,
        config::Ledger::StateDir => env.state_dir().map(Place::Folder),
        config::Ledger::File(path) => Some(Place::File(path.clone())),
    }
}

fn told<T>(what: &str, started: std::io::Result<T>) -> Option<T> {
    started.inspect_err(|error| log::error!("no {what}: the system gives no thread: {error}")).ok()
}
