//! Clients in one thread: a crowd that asks again as soon as it has its answer, and streams.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::answer::Reader;
use crate::mock::MARK;
use crate::poller::{Poller, find, now, send};

/// Nobody waits longer for anything.
const PATIENCE: u64 = 20_000_000_000;

/// What was met. Times are nanoseconds.
#[derive(Default)]
pub(crate) struct Tally {
    /// Whole answers: from the first byte sent to the last one read.
    pub(crate) answers: Vec<u64>,
    /// Streams: until the first delta; without those on a new connection where there are others.
    pub(crate) firsts: Vec<u64>,
    /// From a delta's stamp to its being read.
    pub(crate) delays: Vec<u64>,
    pub(crate) errors: usize,
    /// The first thing that went wrong.
    pub(crate) error: Option<String>,
    pub(crate) took: Duration,
}

/// Streams to be read.
pub(crate) struct Streams<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) request: &'a [u8],
    /// How many at once; their starts are spread over `ramp`.
    pub(crate) count: usize,
    pub(crate) ramp: Duration,
    /// How many after one another on each connection.
    pub(crate) repeat: usize,
    pub(crate) deltas: u64,
    /// Stands in the last event.
    pub(crate) end: &'a str,
}

/// Connections that are kept.
pub(crate) struct Crowd {
    address: SocketAddr,
    poller: Poller,
    members: Vec<Member>,
}

struct Member {
    socket: TcpStream,
    reader: Reader,
    /// Of a whole answer all of it, of a stream what may be the start of a stamp.
    text: Vec<u8>,
    /// When the request was sent.
    since: u64,
    /// Streams that ended on this connection, and this one's deltas.
    streams: usize,
    deltas: u64,
    ended: bool,
}

impl Tally {
    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.error.get_or_insert(error);
    }
}

impl Member {
    fn connect(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let (reader, text) = (Reader::new(), Vec::with_capacity(8 * 1024));
        Ok(Self { socket, reader, text, since: 0, streams: 0, deltas: 0, ended: false })
    }

    fn ask(&mut self, request: &[u8]) -> io::Result<()> {
        self.text.clear();
        (self.deltas, self.ended) = (0, false);
        self.since = now();
        send(&self.socket, request)
    }

    /// What lies there; nothing when it was taken before.
    fn read<'a>(&mut self, scratch: &'a mut [u8]) -> Result<&'a [u8], String> {
        match self.socket.read(scratch) {
            Ok(0) => Err("the connection ended".to_owned()),
            Ok(count) => Ok(&scratch[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(&[]),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads of a whole answer; true when it is there.
    fn read_whole(&mut self, scratch: &mut [u8]) -> Result<bool, String> {
        let bytes = self.read(scratch)?;
        let status = self.reader.push(bytes, &mut |part| self.text.extend_from_slice(part))?;
        match status {
            None => Ok(false),
            Some(200) if find(&self.text, MARK.as_bytes()).is_some() => Ok(true),
            Some(status) => Err(self.said(status)),
        }
    }

    /// Reads of a stream; true when it has ended, and well.
    fn read_stream(
        &mut self,
        scratch: &mut [u8],
        plan: &Streams<'_>,
        tally: &mut Tally,
    ) -> Result<bool, String> {
        let bytes = self.read(scratch)?;
        let at = now();
        let status = self.reader.push(bytes, &mut |part| self.text.extend_from_slice(part))?;
        let mut done = 0;
        while let Some((number, stamp, end)) = stamp(&self.text[done..]) {
            done += end;
            // A closing event may tell the whole text once more.
            if number != self.deltas {
                continue;
            }
            if number == 0 && (self.streams > 0 || plan.repeat == 1) {
                tally.firsts.push(at - self.since);
            }
            tally.delays.push(at - stamp);
            self.deltas += 1;
        }
        self.ended |= find(&self.text, plan.end.as_bytes()).is_some();
        match status {
            None => {
                let kept = done.max(self.text.len().saturating_sub(256));
                self.text.drain(..kept);
                Ok(false)
            }
            Some(200) if self.ended && self.deltas == plan.deltas => Ok(true),
            Some(status) => Err(format!("{} of {} deltas, {}", self.deltas, plan.deltas, self.said(status))),
        }
    }

    fn said(&self, status: u16) -> String {
        let text = String::from_utf8_lossy(&self.text);
        format!("status {status}: {}", text.chars().take(300).collect::<String>())
    }
}

impl Crowd {
    pub(crate) fn connect(address: SocketAddr, count: usize) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mut members = Vec::new();
        for id in 0..count {
            let member = Member::connect(address)?;
            poller.add(&member.socket, id)?;
            members.push(member);
        }
        Ok(Self { address, poller, members })
    }

    /// Everybody asks, and asks again for so long; all answers are waited for.
    pub(crate) fn ask(&mut self, request: &[u8], time: Duration) -> io::Result<Tally> {
        let (mut tally, mut ready, mut scratch) = (Tally::default(), Vec::new(), vec![0; 64 * 1024]);
        let since = now();
        let until = since + time.as_nanos() as u64;
        for member in &mut self.members {
            member.ask(request)?;
        }
        let mut waiting = self.members.len();
        while waiting > 0 {
            if now() > until + PATIENCE {
                tally.fail(format!("{waiting} answers did not come"));
                break;
            }
            self.poller.wait(Duration::from_millis(100), &mut ready)?;
            for &id in &ready {
                let member = &mut self.members[id];
                match member.read_whole(&mut scratch) {
                    Ok(false) => {}
                    Ok(true) => {
                        let at = now();
                        tally.answers.push(at - member.since);
                        if at < until { member.ask(request)? } else { waiting -= 1 }
                    }
                    Err(error) => {
                        tally.fail(error);
                        waiting -= 1;
                        *member = Member::connect(self.address)?;
                        self.poller.add(&member.socket, id)?;
                    }
                }
            }
        }
        tally.took = Duration::from_nanos(now() - since);
        Ok(tally)
    }
}

/// Reads streams to their ends.
pub(crate) fn streams(plan: &Streams<'_>) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let mut crowd = Crowd::connect(plan.address, 0)?;
    let (mut ready, mut scratch, mut waiting) = (Vec::new(), vec![0; 64 * 1024], plan.count);
    let since = now();
    let step = plan.ramp.as_nanos() as u64 / plan.count as u64;
    let mut last = since;
    while waiting > 0 && now() < last + PATIENCE {
        let started = crowd.members.len();
        if started < plan.count && since + step * started as u64 <= now() {
            let mut member = Member::connect(plan.address)?;
            member.ask(plan.request)?;
            crowd.poller.add(&member.socket, started)?;
            crowd.members.push(member);
            continue;
        }
        let next = if started < plan.count { since + step * started as u64 } else { last + PATIENCE };
        crowd.poller.wait(Duration::from_nanos(next.saturating_sub(now())), &mut ready)?;
        for &id in &ready {
            let member = &mut crowd.members[id];
            last = now();
            match member.read_stream(&mut scratch, plan, &mut tally) {
                Ok(false) => {}
                Ok(true) => {
                    member.streams += 1;
                    if member.streams < plan.repeat { member.ask(plan.request)? } else { waiting -= 1 }
                }
                Err(error) => {
                    tally.fail(error);
                    waiting -= 1;
                    *member = Member::connect(plan.address)?;
                }
            }
        }
    }
    if waiting > 0 {
        tally.errors += waiting - 1;
        tally.fail(format!("{waiting} streams did not end"));
    }
    tally.took = Duration::from_nanos(now() - since);
    Ok(tally)
}

/// The first `[[NUMBER:TIME]]`, and where it ends.
fn stamp(text: &[u8]) -> Option<(u64, u64, usize)> {
    let from = find(text, b"[[")? + 2;
    let to = from + find(&text[from..], b"]]")?;
    let (number, time) = std::str::from_utf8(&text[from..to]).ok()?.split_once(':')?;
    Some((number.parse().ok()?, time.parse().ok()?, to + 2))
}
