//! A request that is handed on as it is, to one provider (SPEC 3.3, 10.5): no plan, no translation,
//! no budget, no second try. What the provider answers goes back byte by byte.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::base::clock;
use crate::base::cut::cut;
use crate::base::id::RequestId;
use crate::base::secret::{Secret, mask_known};
use crate::config::Provider;
use crate::gateway::attempt::read_up_to;
use crate::gateway::headers;
use crate::gateway::inbound::{forwarded_query, is_unfit};
use crate::gateway::line::{Headers, SharedClient};
use crate::gateway::live::Live;
use crate::gateway::outgoing_headers;
use crate::gateway::trouble::call_failed;
use crate::observe::log::harmless;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::{Protocol, Task};
use crate::upstream::{self, Call, Hook, Incoming, Patience, Speech, Stop};

/// An answer of an announced length up to this goes back whole, a longer one as it comes.
const SHORT: usize = 64 * 1024;
const LONGEST_READ: usize = 16 * 1024;
/// What the provider says of the answer's bytes.
const OF_THE_BODY: [&str; 3] = ["content-type", "content-encoding", "content-disposition"];

/// A request to hand on.
pub struct Errand<'a> {
    /// Its id.
    pub id: &'a RequestId,
    /// Who gets it.
    pub provider: &'a Provider,
    /// The protocol that its path belongs to.
    pub protocol: Protocol,
    /// The method.
    pub method: &'a str,
    /// The path below the provider's base URL.
    pub path: &'a str,
    /// The query as it came.
    pub query: Option<&'a str>,
    /// The client's headers that may go upstream, names in lower case.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Whose key goes along.
    pub key: Key,
    /// The body.
    pub body: Vec<u8>,
}

/// Whose key goes along.
pub enum Key {
    /// The provider's, with the headers that are configured for it.
    Ours,
    /// The client's own, if it has one; nothing of ours.
    Clients(Option<Secret>),
}

impl Errand<'_> {
    /// Runs it, to the last byte of the answer and the log line.
    ///
    /// # Errors
    /// Nothing was answered yet; the client is to be told.
    pub fn run(&self, live: &Live, client: &SharedClient) -> Result<(), Fault> {
        let mut incoming = self.call(live, client)?;
        let (id, status) = (self.id, incoming.status);
        let (method, path, provider) = (self.method, harmless(self.path), &self.provider.name);
        log::info!("{id} {method} {path} handed on to {provider}: {status}");
        if matches!(status, 300..=399) {
            let message = format!("{provider} answered with a redirect ({status}), which is never followed.");
            return Err(Fault::new(FaultKind::BadUpstream, message));
        }
        if status < 200 {
            let message = format!("{provider} switched protocols ({status}), which nobody asked for.");
            return Err(Fault::new(FaultKind::BadUpstream, message));
        }
        let mut headers = headers::returned(&incoming);
        headers.push("x-llmgate-request-id", id.as_str());
        for name in OF_THE_BODY {
            if let Some(value) = incoming.header(name) {
                headers.push(name, value);
            }
        }
        let length = incoming.header("content-length").and_then(|length| length.parse::<usize>().ok());
        // RFC 9110, 15.3.5: a 204 has no body, and so no length.
        if matches!(status, 204 | 400..) || length.is_some_and(|length| length <= SHORT) {
            return self.whole(live, &mut incoming, &headers, client);
        }
        if let Err(failure) = relay(&mut incoming, &headers, client) {
            log::warn!("{id} {provider}: {failure}");
        }
        Ok(())
    }

    fn call(&self, live: &Live, client: &SharedClient) -> Result<Incoming, Fault> {
        let provider = self.provider;
        let agent = live
            .agent(&provider.name)
            .filter(|agent| !agent.is_demo())
            .ok_or_else(|| Fault::new(FaultKind::Endpoint, format!("{} has no such path.", provider.name)))?;
        let query = self.query.and_then(|query| forwarded_query(query, &["key", "llm_proxy_test_mode"]));
        let mut url = format!("{}{}", provider.base_url, self.path);
        if let Some(query) = query {
            url.push('?');
            url.push_str(&query);
        }
        if climbs(self.path) || url.contains(is_unfit) {
            return Err(Fault::new(FaultKind::BadRequest, "The path cannot be handed on as it is written."));
        }
        let headers = outgoing_headers::of_errand(self);
        outgoing_headers::check_lines(&url, &headers)?;
        let timeouts = &provider.timeouts;
        let call = Call {
            method: self.method,
            url: &url,
            headers: &headers,
            body: &self.body,
            patience: Patience {
                connect: timeouts.connect,
                head: timeouts.buffered,
                idle: timeouts.stream_idle,
            },
            speech: Speech { codec: self.protocol.codec(), model: "", stream: false, task: Task::Answer },
        };
        let hook: Rc<dyn Hook> = Rc::new(Watch {
            client: Rc::clone(client),
            until: clock::now() + live.config().timeouts.total,
            cut_off: live.cut_off_switch(),
        });
        upstream::send(agent, &call, &hook).map_err(|failure| call_failed(&failure, &provider.name))
    }

    /// An error, whose text may quote a key; or a short answer.
    fn whole(
        &self,
        live: &Live,
        incoming: &mut Incoming,
        headers: &Headers,
        client: &SharedClient,
    ) -> Result<(), Fault> {
        let own = match &self.key {
            Key::Ours => &[],
            Key::Clients(key) => key.as_slice(),
        };
        let limit = live.config().limits.error_body.max(SHORT);
        // A key that lies across the limit must be seen whole to be masked.
        let longest = own.iter().map(|key| key.expose().len()).fold(live.longest_secret(), usize::max);
        let (mut body, _) = read_up_to(incoming, limit + longest)
            .map_err(|failure| call_failed(&failure, &self.provider.name))?;
        if incoming.status >= 400 {
            let text = String::from_utf8_lossy(&body);
            let masked = live.masked(&text);
            body = cut(&mask_known(&masked, own), limit).as_bytes().to_vec();
        }
        // A client that cannot be written to has left.
        let _ = client.borrow_mut().whole(incoming.status, &headers.borrowed(), &body);
        Ok(())
    }
}

/// Would a provider that takes `..` for a step up be led out of its base URL? What else the path holds
/// does not matter, be it UTF-8 when it is decoded or not.
fn climbs(path: &str) -> bool {
    let signs = [("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/")];
    let plain = signs.iter().fold(path.to_ascii_lowercase(), |path, (code, sign)| path.replace(code, sign));
    plain.split('/').any(|part| matches!(part, "." | ".."))
}

/// The answer as it comes. One that breaks is not ended, and so is seen to be cut.
fn relay(incoming: &mut Incoming, headers: &Headers, client: &SharedClient) -> Result<(), upstream::Failure> {
    let gone = |_| upstream::Failure::Stopped(Stop::Gone);
    client.borrow_mut().start(incoming.status, &headers.borrowed()).map_err(gone)?;
    let mut part = vec![0; LONGEST_READ];
    loop {
        let count = incoming.read(&mut part)?;
        let mut client = client.borrow_mut();
        if count == 0 {
            return client.end().map_err(gone);
        }
        client.bytes(part.get(..count).unwrap_or_default());
        client.flush().map_err(gone)?;
    }
}

/// Goes on while the client is there and the time for a request has not run out.
struct Watch {
    client: SharedClient,
    until: Instant,
    cut_off: Arc<AtomicBool>,
}

impl Hook for Watch {
    fn go_on(&self) -> Result<(), Stop> {
        if self.client.borrow().is_gone() {
            Err(Stop::Gone)
        } else if self.cut_off.load(Ordering::Relaxed) {
            Err(Stop::Shutdown)
        } else if clock::now() >= self.until {
            Err(Stop::Total)
        } else {
            Ok(())
        }
    }
}
