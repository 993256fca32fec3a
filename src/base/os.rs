//! What std cannot ask of the system: the file limit, a listen backlog, a look at a socket.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// What lies ready at a socket, seen without taking it and without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Nothing, and the other side is there.
    Quiet,
    /// Bytes.
    Bytes,
    /// The other side closed (or half-closed), or the connection broke.
    Gone,
}

/// Looks at a socket; one system call.
#[cfg(unix)]
pub fn peek(socket: &TcpStream) -> Peek {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};
    let mut byte = [0_u8; 1];
    match recv(socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((0, _)) => Peek::Gone,
        Ok(_) => Peek::Bytes,
        Err(Errno::AGAIN | Errno::INTR) => Peek::Quiet,
        Err(_) => Peek::Gone,
    }
}

/// Looks at a socket.
#[cfg(not(unix))]
pub fn peek(socket: &TcpStream) -> Peek {
    if socket.set_nonblocking(true).is_err() {
        return Peek::Gone;
    }
    let seen = match socket.peek(&mut [0_u8; 1]) {
        Ok(0) => Peek::Gone,
        Ok(_) => Peek::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Peek::Quiet,
        Err(_) => Peek::Gone,
    };
    if socket.set_nonblocking(false).is_err() { Peek::Gone } else { seen }
}

/// Binds an address and listens with a backlog of `backlog` connections; std asks for 128 only.
#[cfg(unix)]
pub fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketType, bind, ipproto, listen, socket, sockopt};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, Some(ipproto::TCP))?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen(&socket, backlog)?;
    Ok(socket.into())
}

/// Binds an address and listens, with std's backlog.
#[cfg(not(unix))]
pub fn listen(address: SocketAddr, _backlog: i32) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Raises the soft limit of open files to the hard one; returns the limit in force, if known.
#[cfg(unix)]
pub fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Raises the soft limit of open files; not known here.
#[cfg(not(unix))]
pub fn raise_file_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_peek_tells_quiet_bytes_and_gone_apart() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(peek(&server), Peek::Quiet);
        client.write_all(b"x").unwrap();
        // A blocking peek waits for the byte, so that the next look is sure to see it.
        server.peek(&mut [0; 1]).unwrap();
        assert_eq!(peek(&server), Peek::Bytes);
        let mut byte = [0; 1];
        io::Read::read_exact(&mut &server, &mut byte).unwrap();
        drop(client);
        server.peek(&mut [0; 1]).unwrap();
        assert_eq!(peek(&server), Peek::Gone);
    }

    #[test]
    fn the_file_limit_is_known() {
        assert!(raise_file_limit().is_none_or(|limit| limit > 0));
    }
}
