//! What std cannot ask of the system: the file limit, a listen backlog, a look at a socket, a signal
//! to a child, to be left alone.

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

/// Has the other side left, even while bytes that it sent before lie unread?
#[cfg(unix)]
pub fn is_gone(socket: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    match peek(socket) {
        Peek::Quiet => false,
        Peek::Gone => true,
        Peek::Bytes => {
            #[cfg(target_os = "linux")]
            let left = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
            #[cfg(not(target_os = "linux"))]
            let left = PollFlags::HUP | PollFlags::ERR;
            let mut polled = [PollFd::new(socket, left)];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let told = poll(&mut polled, Some(&at_once)).is_ok_and(|count| count > 0);
            told && polled.iter().any(|one| one.revents().intersects(left))
        }
    }
}

/// Has the other side left?
#[cfg(not(unix))]
pub fn is_gone(socket: &TcpStream) -> bool {
    peek(socket) == Peek::Gone
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

/// Columns and rows of the terminal that stdout is.
#[cfg(unix)]
pub fn terminal_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// Columns and rows of the terminal that stdout is.
#[cfg(not(unix))]
pub fn terminal_size() -> Option<(usize, usize)> {
    None
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

/// Is this the error of an address that this machine does not have, such as `::1` without IPv6?
pub fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, Unsupported};
    matches!(error.kind(), AddrNotAvailable | Unsupported) || is_foreign_family(error)
}

#[cfg(unix)]
fn is_foreign_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

#[cfg(not(unix))]
fn is_foreign_family(_error: &io::Error) -> bool {
    false
}

/// Ends listening, so that an `accept` that waits in another thread returns. Linux does it by a
/// shutdown; elsewhere a connection of our own wakes the other thread.
pub fn stop_listening(listener: &TcpListener) {
    // Neither can fail in a way that something could be done about.
    #[cfg(unix)]
    let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
    let Ok(mut address) = listener.local_addr() else {
        return;
    };
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let _ = TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1));
}

/// Makes the coming close of a socket a reset, which the other side cannot take for a proper end.
#[cfg(unix)]
pub fn reset_on_close(socket: &TcpStream) -> io::Result<()> {
    let at_once = Some(std::time::Duration::ZERO);
    Ok(rustix::net::sockopt::set_socket_linger(socket, at_once)?)
}

/// Makes the coming close of a socket a reset; not possible here.
#[cfg(not(unix))]
pub fn reset_on_close(_socket: &TcpStream) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Keeps this process's environment and memory, in which keys lie, from other programs of the same
/// user, such as the agent that `run` starts: no `/proc/PID/environ`, no debugger, no core file
/// (<https://man7.org/linux/man-pages/man2/pr_set_dumpable.2const.html>). A program that it starts is
/// as open as any.
#[cfg(target_os = "linux")]
pub fn hide() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Keeps this process's environment and memory from others; does nothing here.
#[cfg(not(target_os = "linux"))]
pub fn hide() -> io::Result<()> {
    Ok(())
}

/// Raises the soft limit of open files to the hard one, or as far as the system lets it; returns the
/// limit in force, if known.
#[cfg(unix)]
pub fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let sets = |wanted| setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum }).is_ok();
    wanted_files(current, maximum).find(|wanted| sets(*wanted)).unwrap_or(current)
}

/// What the soft limit is raised to, best first; `None` is no limit.
#[cfg(unix)]
fn wanted_files(current: Option<u64>, maximum: Option<u64>) -> impl Iterator<Item = Option<u64>> {
    // macOS names no hard limit, refuses a soft one that is none, and takes this (setrlimit(2)).
    const OPEN_MAX: u64 = 10_240;
    let is_more = maximum.is_none() && current.is_some_and(|current| current < OPEN_MAX);
    [maximum].into_iter().chain(is_more.then_some(Some(OPEN_MAX)))
}

/// Raises the soft limit of open files; not known here.
#[cfg(not(unix))]
pub fn raise_file_limit() -> Option<u64> {
    None
}

/// The soft limit of open files, if known.
#[cfg(unix)]
pub fn file_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// The soft limit of open files; not known here.
#[cfg(not(unix))]
pub fn file_limit() -> Option<u64> {
    None
}

/// Has a child been stopped (Ctrl-Z) since this was asked last?
#[cfg(unix)]
pub fn was_stopped(child: &std::process::Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let told = waitid(WaitId::Pid(Pid::from_child(child)), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
    matches!(told, Ok(Some(status)) if status.stopped())
}

/// Stops this process until it is told to continue.
#[cfg(unix)]
pub fn stop_self() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::STOP)?)
}

/// Sends a signal, by its number, to a child that has not been waited for.
#[cfg(unix)]
pub fn send_signal(child: &std::process::Child, signal: i32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let signal = Signal::from_named_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(Pid::from_child(child), signal)?)
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
        assert!(!is_gone(&server));
        drop(client);
        server.peek(&mut [0; 1]).unwrap();
        assert_eq!(peek(&server), Peek::Gone);
        assert!(is_gone(&server));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn unread_bytes_do_not_hide_that_the_other_side_left() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), 16).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.write_all(b"more").unwrap();
        server.peek(&mut [0; 1]).unwrap();
        assert!(!is_gone(&server));
        client.shutdown(std::net::Shutdown::Write).unwrap();
        // The end follows the bytes at its own time; nobody reads them meanwhile.
        let seen = (0..1_000_000).any(|_| {
            std::thread::yield_now();
            is_gone(&server)
        });
        assert!(seen && peek(&server) == Peek::Bytes);
    }

    #[test]
    #[cfg(unix)]
    fn where_no_limit_is_refused_there_is_another() {
        let wanted = |current, maximum| wanted_files(current, maximum).collect::<Vec<_>>();
        assert_eq!(wanted(Some(256), None), [None, Some(10_240)]);
        assert_eq!(wanted(Some(20_000), None), [None]);
        assert_eq!(wanted(None, None), [None]);
        assert_eq!(wanted(Some(1024), Some(4096)), [Some(4096)]);
    }

    #[test]
    fn the_file_limit_is_known() {
        assert!(raise_file_limit().is_none_or(|limit| limit > 0));
    }
}
