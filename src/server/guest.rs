//! The client's side of one answer, as the gateway sees it.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use crate::gateway::line::Client;
use crate::server::reply::Reply;

/// The client's side of an answer, with the headers that every answer to it carries.
pub(super) struct Guest {
    reply: Rc<RefCell<Reply>>,
    own: Vec<(&'static str, String)>,
}

impl Guest {
    /// A client; `own` are headers that every answer to it carries.
    pub(super) fn new(reply: &Rc<RefCell<Reply>>, own: Vec<(&'static str, String)>) -> Self {
        Self { reply: Rc::clone(reply), own }
    }

    /// Every answer carries this header, too.
    pub(super) fn add_header(&mut self, name: &'static str, value: &str) {
        self.own.push((name, value.to_owned()));
    }

    /// The connection ends with the answer.
    pub(super) fn close_after(&self) {
        self.reply.borrow_mut().close_after();
    }

    fn with_own<'h>(&'h self, headers: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
        let own = self.own.iter().map(|(name, value)| (*name, value.as_str()));
        headers.iter().copied().chain(own).collect()
    }
}

impl Client for Guest {
    fn is_gone(&self) -> bool {
        self.reply.borrow().is_gone()
    }

    fn whole(&mut self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        self.reply.borrow_mut().whole(status, &self.with_own(headers), body)
    }

    fn start(&mut self, status: u16, headers: &[(&str, &str)]) -> io::Result<()> {
        self.reply.borrow_mut().start(status, &self.with_own(headers))
    }

    fn bytes(&mut self, part: &[u8]) {
        self.reply.borrow_mut().bytes(part);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.reply.borrow_mut().flush()
    }

    fn end(&mut self) -> io::Result<()> {
        self.reply.borrow_mut().end()
    }
}
