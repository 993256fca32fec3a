//! What answers requests, and the doors to it; each request is a `Visit`.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::base::channel::Sender;
use crate::base::id::RequestId;
use crate::gateway::live::Live;
use crate::gateway::trouble::Trouble;
use crate::protocol::Protocol;
use crate::protocol::fault::{Fault, FaultKind};
use crate::server::access::{self, Visitor};
use crate::server::affordable;
use crate::server::body::BodyReader;
use crate::server::connection::Handler;
use crate::server::endpoint::Endpoint;
use crate::server::errand;
use crate::server::guest::Guest;
use crate::server::head::Head;
use crate::server::listener::Running;
use crate::server::reload::Reloader;
use crate::server::reply::Reply;
use crate::server::slots::Slots;
use crate::server::visit::Visit;

/// Everything behind the doors.
pub struct Site {
    live: RwLock<Arc<Live>>,
    /// Generations that run and wait.
    pub slots: Slots,
    /// How the configuration is loaded anew.
    pub reloader: Reloader,
    /// No new generations.
    pub draining: AtomicBool,
    stop: Mutex<Option<Sender<()>>>,
    doors: Mutex<Vec<Weak<Running>>>,
}

/// One way in: all endpoints, all but the local ones, or the local ones alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Every endpoint.
    All,
    /// All but the local ones, which have a door of their own.
    Data,
    /// The local ones alone (`access.admin_listen`).
    Admin,
}

/// The site as seen through one door.
pub struct Entrance {
    site: Arc<Site>,
    door: Door,
}

impl Site {
    /// A site; `stop` is told when it is asked to stop.
    pub fn new(live: Live, reloader: Reloader, stop: Sender<()>) -> Self {
        let limits = live.config().limits;
        Self {
            live: RwLock::new(Arc::new(live)),
            slots: Slots::new(limits.requests, limits.queue),
            reloader,
            draining: AtomicBool::new(false),
            stop: Mutex::new(Some(stop)),
            doors: Mutex::new(Vec::new()),
        }
    }

    /// A door through which clients come; a reload may change how many at once.
    pub fn attach(&self, door: &Arc<Running>) {
        self.doors.lock().push(Arc::downgrade(door));
    }

    /// What requests use now.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read())
    }

    /// From now on requests use this; those that run keep what they have.
    pub fn replace(&self, live: Live) -> Arc<Live> {
        let limits = live.config().limits;
        self.slots.resize(limits.requests, limits.queue);
        let connections = affordable(limits.connections);
        for door in self.doors.lock().iter().filter_map(Weak::upgrade) {
            door.set_connections(connections);
        }
        let live = Arc::new(live);
        *self.live.write() = Arc::clone(&live);
        live
    }

    /// Asks the process to stop; asked again, nothing more happens.
    pub fn ask_to_stop(&self) {
        if let Some(stop) = self.stop.lock().take() {
            // Nobody listens when it is stopping already.
            let _ = stop.try_send(());
        }
    }
}

impl Entrance {
    /// The site through a door.
    pub fn new(site: Arc<Site>, door: Door) -> Self {
        Self { site, door }
    }

    fn endpoint(&self, path: &str) -> Endpoint {
        let endpoint = Endpoint::of(path);
        let hidden = match self.door {
            Door::All => false,
            Door::Data => endpoint.is_local(),
            Door::Admin => !endpoint.is_local() && !endpoint.is_public(),
        };
        if hidden { Endpoint::Unknown(endpoint.protocol()) } else { endpoint }
    }
}

impl Handler for Entrance {
    fn handle(&self, head: &Head, peer: SocketAddr, body: &mut BodyReader<'_>, reply: &Rc<RefCell<Reply>>) {
        self.site.reloader.look(&self.site);
        let live = self.site.live();
        let endpoint = match self.endpoint(&head.path).asked_by(&head.method) {
            Endpoint::Unknown(protocol)
                if self.door != Door::Admin && errand::is_taken(live.config(), head) =>
            {
                Endpoint::Passed(protocol)
            }
            endpoint => endpoint,
        };
        let visit = Visit {
            site: &self.site,
            live: &live,
            head,
            visitor: Visitor { head, peer },
            guest: Rc::new(RefCell::new(Guest::new(reply, access::cors(live.config(), head)))),
            id: RequestId::random(),
        };
        if let Some(headers) = access::preflight(live.config(), head, endpoint.allow()) {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // A client that cannot be written to has left.
            let _ = reply.borrow_mut().whole(204, &headers, b"");
            return;
        }
        if let Err(fault) = visit.serve(&endpoint, body) {
            visit.refuse(visit.spoken(&endpoint), fault);
        }
    }

    fn refuse(&self, path: Option<&str>, status: u16, message: &str, reply: &mut Reply) {
        let protocol = path.map_or(Protocol::OpenaiChat, |path| self.endpoint(path).protocol());
        let kind = match status {
            408 => FaultKind::Stalled,
            413 => FaultKind::TooLarge,
            415 => FaultKind::Encoding,
            503 => FaultKind::Busy,
            500 => FaultKind::Internal,
            _ => FaultKind::BadRequest,
        };
        let fault = Fault::new(kind, message).with_status(status);
        let (status, headers, body) = Trouble::own(fault).answer(protocol.codec(), &RequestId::random());
        // A client that cannot be written to has left.
        let _ = reply.whole(status, &headers.borrowed(), body.as_bytes());
    }
}
