//! One request on its way: from a head to the endpoint's answer.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::clock;
use crate::base::id::RequestId;
use crate::base::json::Members;
use crate::base::splice::{self, Edit};
use crate::config::{ClientAuth, Config, ResponseHeaders};
use crate::gateway;
use crate::gateway::headers::is_forwarded;
use crate::gateway::inbound::{Envelope, Inbound, TestMode, Wishes, parameter};
use crate::gateway::line::Client;
use crate::gateway::live::Live;
use crate::gateway::trouble::Trouble;
use crate::protocol::fault::{Fault, FaultKind};
use crate::protocol::{Protocol, Task, listing, tap};
use crate::server::access::{self, Visitor};
use crate::server::admin;
use crate::server::body::{BodyError, BodyReader};
use crate::server::debug;
use crate::server::endpoint::{self, Endpoint};
use crate::server::guest::Guest;
use crate::server::head::{Head, Method};
use crate::server::models;
use crate::server::site::Site;
use crate::server::slots::Refuse;

/// Headers that name a session, best first (SPEC 5.5).
const SESSION_HEADERS: [&str; 5] =
    ["x-llmgate-session", "x-claude-code-session-id", "session-id", "x-session-affinity", "x-session-id"];

/// Where a fault is asked for in test mode (SPEC 6.8).
const TEST_HEADER: &str = "x-llm-proxy-test-mode";
const TEST_PARAMETER: &str = "llm_proxy_test_mode";

/// One request and what it may use.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) live: &'a Live,
    pub(super) head: &'a Head,
    pub(super) visitor: Visitor<'a>,
    pub(super) guest: Rc<RefCell<Guest>>,
    pub(super) id: RequestId,
}

impl Visit<'_> {
    pub(super) fn serve(&self, endpoint: &Endpoint, body: &mut BodyReader<'_>) -> Result<(), Fault> {
        let config = self.live.config();
        if self.is_upgrade() {
            return Err(self.upgrade());
        }
        let credential = access::check(config, endpoint, self.visitor)?;
        if !endpoint.takes(&self.head.method) {
            let message = format!("{} takes {} only.", self.head.path, endpoint.allow());
            self.guest.borrow_mut().add_header("allow", endpoint.allow());
            return Err(Fault::new(FaultKind::Method, message));
        }
        let credential = credential.filter(|_| config.client_auth == ClientAuth::ClientKey);
        // Looked for once more only where something is counted by it.
        let key = if config.client_buckets.is_empty() { None } else { self.visitor.key(config, endpoint) };
        match endpoint {
            Endpoint::Generate { protocol, task, model, stream } => {
                let envelope = Envelope {
                    task: *task,
                    model: model.clone(),
                    stream: *stream,
                    credential,
                    key,
                    ..self.envelope(*protocol)?
                };
                self.generate(envelope, self.body(body)?)
            }
            Endpoint::Any => {
                let (envelope, body) = self.any(self.body(body)?)?;
                self.generate(Envelope { credential, key, ..envelope }, body)
            }
            Endpoint::Count { protocol, model } => {
                let envelope = Envelope {
                    model: model.clone(),
                    stream: Some(false),
                    credential,
                    ..self.envelope(*protocol)?
                };
                let inbound = Inbound::read(envelope, self.id.clone(), self.body(body)?)?;
                gateway::count::answer(self.live, &inbound, self.client());
                Ok(())
            }
            Endpoint::Stored { protocol, .. } => self.fetch_stored(*protocol, credential, body),
            Endpoint::Passed(_) => self.pass_on(endpoint, body),
            Endpoint::Models { protocol, id } => {
                self.json(200, &models::answer(&self.live.snapshot, self.head, *protocol, id.as_deref())?);
                Ok(())
            }
            Endpoint::Unknown(_) => Err(self.unknown()),
            Endpoint::Status | Endpoint::Metrics | Endpoint::Dashboard => self.show(endpoint),
            Endpoint::Health
            | Endpoint::Ready
            | Endpoint::Hello
            | Endpoint::Routes
            | Endpoint::State
            | Endpoint::Reload
            | Endpoint::Stop => self.operate(endpoint),
        }
    }

    /// What is asked of the process rather than of a model.
    fn operate(&self, endpoint: &Endpoint) -> Result<(), Fault> {
        let config = self.live.config();
        match endpoint {
            Endpoint::Health => {
                // From elsewhere a key of ours is needed: any credential is none.
                let tells = self.visitor.is_local() || self.visitor.key(config, endpoint).is_some();
                self.json(200, &admin::health(self.live, tells));
            }
            Endpoint::Ready => {
                let (status, body) = admin::ready(config, self.site.draining.load(Ordering::Relaxed));
                self.json(status, &body);
            }
            Endpoint::Hello => {
                self.json(200, &admin::hello());
            }
            Endpoint::Routes => {
                let (kind, body) = admin::routes(self.live, self.head.query.as_deref())?;
                self.answer(200, kind, &body);
            }
            Endpoint::State => {
                self.json(200, &admin::state(self.live));
            }
            Endpoint::Reload => {
                let (status, body) = admin::reload(self.site);
                self.json(status, &body);
            }
            Endpoint::Stop => {
                self.json(202, "{\"status\":\"stopping\"}");
                self.site.ask_to_stop();
            }
            // Asked of a model, or by those who look on; [`Visit::serve`] has answered them.
            Endpoint::Generate { .. }
            | Endpoint::Count { .. }
            | Endpoint::Models { .. }
            | Endpoint::Any
            | Endpoint::Stored { .. }
            | Endpoint::Passed(_)
            | Endpoint::Status
            | Endpoint::Metrics
            | Endpoint::Dashboard
            | Endpoint::Unknown(_) => {}
        }
        Ok(())
    }

    /// What is shown of the process to those who look on (SPEC 11.3, 11.4, 11.7).
    fn show(&self, endpoint: &Endpoint) -> Result<(), Fault> {
        let query = self.head.query.as_deref();
        let view = debug::view(self.site, self.live, endpoint, query).ok_or_else(|| self.unknown())?;
        let headers = [
            ("content-type", view.kind),
            ("content-security-policy", view.policy.as_str()),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-llmgate-request-id", self.id.as_str()),
        ];
        // A client that cannot be written to has left.
        let _ = self.guest.borrow_mut().whole(200, &headers, view.body.as_bytes());
        Ok(())
    }

    fn envelope(&self, protocol: Protocol) -> Result<Envelope, Fault> {
        let headers = &self.head.headers;
        let forwarded = headers.iter().filter(|(name, _)| is_forwarded(name));
        let mut named = SESSION_HEADERS.iter().filter_map(|name| headers.first(name));
        let session = named.find(|session| !session.is_empty());
        Ok(Envelope {
            protocol,
            model: None,
            stream: None,
            headers: forwarded.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: self.head.query.clone(),
            credential: None,
            key: None,
            session: session.map(str::to_owned),
            client: headers.first("user-agent").and_then(product),
            tell_all: tells_all(self.live.config()),
            task: Task::Answer,
            wishes: self.wishes()?,
        })
    }

    /// What is asked of the request beside an answer: faults in test mode (SPEC 6.8), and from this
    /// machine alone to ignore what rests, or less patience.
    fn wishes(&self) -> Result<Wishes, Fault> {
        let headers = &self.head.headers;
        let mut wishes = Wishes::default();
        let asked =
            headers.first(TEST_HEADER).or_else(|| parameter(self.head.query.as_deref(), TEST_PARAMETER));
        if let Some(name) = asked.filter(|_| self.live.config().test_mode) {
            let known = || TestMode::NAMES.map(|(name, _)| name).join(", ");
            wishes.test = Some(TestMode::named(name).ok_or_else(|| {
                Fault::new(FaultKind::BadRequest, format!("{TEST_HEADER}: {name:?} is none of {}.", known()))
            })?);
        }
        if self.visitor.is_local() {
            wishes.bypass = headers.first("x-llmgate-bypass-circuit") == Some("1");
            let limit = headers.first("x-llmgate-timeout-ms").and_then(|value| value.parse().ok());
            wishes.total = limit.map(Duration::from_millis);
        }
        Ok(wishes)
    }

    /// The whole body.
    pub(super) fn body(&self, body: &mut BodyReader<'_>) -> Result<Vec<u8>, Fault> {
        let limit = self.live.config().limits.request_body;
        body.read_all(limit).map_err(|error| body_fault(&error, limit))
    }

    /// A request whose path belongs to no protocol (SPEC 3.1), and its body. Where a protocol has model
    /// and stream in its path, they are taken out of the body.
    fn any(&self, body: Vec<u8>) -> Result<(Envelope, Vec<u8>), Fault> {
        let has_header = |name: &str| self.head.headers.first(name).is_some();
        let read = std::str::from_utf8(&body).ok().and_then(|text| Some((text, Members::read(text).ok()?)));
        // What is no JSON is refused as any such body is.
        let Some((text, members)) = read else { return Ok((self.envelope(Protocol::OpenaiChat)?, body)) };
        let protocol = tap::spoken(text, &members, has_header);
        let envelope = self.envelope(protocol)?;
        if protocol.codec().model_field().is_some() {
            return Ok((envelope, body));
        }
        let stream = Some(members.get(text, "stream") == Some("true"));
        let envelope = Envelope { model: members.string(text, "model"), stream, ..envelope };
        let edits = ["model", "stream"].map(Edit::remove_dotted);
        let text = splice::apply_known(text, &members, &edits).map(String::into_bytes);
        Ok((envelope, text.unwrap_or(body)))
    }

    pub(super) fn client(&self) -> Rc<RefCell<dyn Client>> {
        Rc::clone(&self.guest) as Rc<RefCell<dyn Client>>
    }

    fn generate(&self, envelope: Envelope, body: Vec<u8>) -> Result<(), Fault> {
        let inbound = Inbound::read(envelope, self.id.clone(), body)?;
        let _pin = self.live.sinks.board.pin(&inbound.run);
        let total = inbound.total(&self.live.config().timeouts);
        let is_late = || clock::now() - inbound.since >= total;
        let goes_on = || !self.guest.borrow().is_gone() && !is_late();
        let turn = match self.site.draining.load(Ordering::Relaxed) {
            true => Err(Refuse::Stopping),
            false => self.site.slots.take(goes_on),
        };
        let refuse = match turn {
            Ok(_slot) => {
                gateway::answer(self.live, &inbound, self.client());
                return Ok(());
            }
            Err(refuse) => refuse,
        };
        let trouble = match refuse {
            Refuse::Busy => busy("Too many requests wait already (`limits.requests`, `limits.queue`)."),
            Refuse::Stopping => busy("llmgate is stopping."),
            Refuse::Gone if !self.guest.borrow().is_gone() => Trouble::own(Fault::new(
                FaultKind::Timeout,
                "The request waited for its turn (`limits.requests`) for longer than `timeouts.total`.",
            )),
            Refuse::Gone => Trouble::left(),
        };
        gateway::turn_away(self.live, &inbound, self.client(), &trouble);
        Ok(())
    }

    fn json(&self, status: u16, body: &str) {
        self.answer(status, "application/json", body);
    }

    fn answer(&self, status: u16, kind: &str, body: &str) {
        let headers = [("content-type", kind), ("x-llmgate-request-id", self.id.as_str())];
        // A client that cannot be written to has left.
        let _ = self.guest.borrow_mut().whole(status, &headers, body.as_bytes());
    }

    /// The protocol in whose shape a refusal is told: where the path has none, headers tell.
    pub(super) fn spoken(&self, endpoint: &Endpoint) -> Protocol {
        match endpoint {
            Endpoint::Models { protocol: None, .. } | Endpoint::Any => {
                listing::shape(None, false, |name| self.head.headers.first(name).is_some())
            }
            other => other.protocol(),
        }
    }

    pub(super) fn refuse(&self, protocol: Protocol, fault: Fault) {
        log::info!(
            "{} {} {} {}: {}",
            self.id,
            self.visitor.peer.ip(),
            self.head.method.as_str(),
            fault.status,
            crate::observe::log::harmless(&fault.message)
        );
        let (status, headers, body) = Trouble::own(fault).answer(protocol.codec(), &self.id);
        // A client that cannot be written to has left.
        let _ = self.guest.borrow_mut().whole(status, &headers.borrowed(), body.as_bytes());
    }

    fn is_upgrade(&self) -> bool {
        let upgrade = self.head.headers.first("upgrade");
        self.head.method == Method::Get
            && upgrade.is_some_and(|kind| kind.eq_ignore_ascii_case("websocket"))
            && endpoint::is_responses(&self.head.path)
    }

    /// Codex tries a WebSocket first; at any other status than 426 it tries six times more.
    fn upgrade(&self) -> Fault {
        self.guest.borrow().close_after();
        Fault::new(FaultKind::Endpoint, "WebSockets are not spoken here; POST the request instead.")
            .with_status(426)
    }

    pub(super) fn unknown(&self) -> Fault {
        let message = format!("{} is not served here. Supported: {}.", self.head.path, endpoint::SUPPORTED);
        Fault::new(FaultKind::Endpoint, message)
    }
}

/// The name of the first product of a `user-agent` (RFC 9110, 10.1.5).
fn product(agent: &str) -> Option<String> {
    const MOST: usize = 64;
    let name: String = agent.split(['/', ' ']).next()?.chars().take(MOST).collect();
    (!name.is_empty()).then_some(name)
}

/// `auto`: all on loopback, few elsewhere (SPEC 11.2).
fn tells_all(config: &Config) -> bool {
    match config.response_headers {
        ResponseHeaders::All => true,
        ResponseHeaders::IdOnly => false,
        ResponseHeaders::Auto => config.listens_on_loopback(),
    }
}

fn body_fault(error: &BodyError, limit: usize) -> Fault {
    let kind = match error.status() {
        408 => FaultKind::Stalled,
        413 => FaultKind::TooLarge,
        415 => FaultKind::Encoding,
        _ => FaultKind::BadRequest,
    };
    let message = if kind == FaultKind::TooLarge {
        format!("The body is larger than `limits.request_body` ({limit} bytes).")
    } else {
        error.message()
    };
    Fault::new(kind, message)
}

fn busy(message: &str) -> Trouble {
    Trouble::own(Fault::new(FaultKind::Busy, message).with_retry_after(Some(1)))
}
