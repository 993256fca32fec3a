use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

use super::*;
use crate::server::body::BodyReader;
use crate::server::head::Head;
use crate::server::reply::Reply;

struct Hello;

impl Handler for Hello {
    fn handle(&self, _: &Head, _: SocketAddr, _: &mut BodyReader<'_>, reply: &Rc<RefCell<Reply>>) {
        reply.borrow_mut().close_after();
        let _ = reply.borrow_mut().whole(200, &[], b"hello");
    }

    fn refuse(&self, _: Option<&str>, status: u16, message: &str, reply: &mut Reply) {
        let _ = reply.whole(status, &[], message.as_bytes());
    }
}

fn timings() -> Timings {
    Timings {
        accept_rest: Duration::from_millis(1),
        worker: Duration::from_millis(20),
        ..Timings::default()
    }
}

fn ask(address: SocketAddr) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn no_accept_error_ends_the_loop() {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.addresses()[0];
    let socket = &listener.sockets[0];
    let service = Arc::new(Service::new(Arc::new(Hello), timings()));
    let pool = Pool::new(service, 10).unwrap();
    let mut failures = vec![
        io::Error::from(io::ErrorKind::ConnectionAborted),
        io::Error::from_raw_os_error(24),
        io::Error::from_raw_os_error(24),
        io::Error::from(io::ErrorKind::PermissionDenied),
    ];
    let client = thread::spawn(move || ask(address));
    let accept = || match failures.pop() {
        Some(failure) => Err(failure),
        None => {
            let met = socket.accept();
            // The second connection is the sign to stop.
            if pool.open.load(Ordering::Relaxed) > 0 || pool.idle.load(Ordering::Relaxed) > 0 {
                pool.service.stop();
            }
            met
        }
    };
    let ender = thread::spawn(move || {
        let answer = client.join().unwrap();
        let _ = TcpStream::connect(address);
        answer
    });
    accept_all(accept, &pool);
    assert!(ender.join().unwrap().ends_with("hello"));
}

#[test]
fn localhost_is_one_port_on_every_address() {
    let listener = Listener::bind("localhost:0").unwrap();
    let ports: Vec<u16> = listener.addresses().iter().map(SocketAddr::port).collect();
    assert!(ports.iter().all(|port| *port == ports[0] && *port != 0));
    let running = listener.start(Arc::new(Hello), 10, timings()).unwrap();
    for address in running.addresses().to_vec() {
        assert!(ask(address).ends_with("hello"), "{address}");
    }
}

#[test]
fn an_address_in_use_is_an_error() {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let taken = listener.addresses()[0].to_string();
    let error = Listener::bind(&taken).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn a_stopped_server_refuses_connections_and_its_workers_end() {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let running = listener.start(Arc::new(Hello), 10, timings()).unwrap();
    let address = running.addresses()[0];
    assert!(ask(address).ends_with("hello"));
    running.stop();
    assert!(running.wait_quiet(Duration::from_secs(5)));
    while TcpStream::connect(address).is_ok_and(|client| {
        // Elsewhere than on Linux one may still get in before the loop ends.
        client.peek(&mut [0]).is_err()
    }) {}
    // The workers and the loops let go of the pool.
    while Arc::strong_count(&running.pool) > 1 {
        thread::yield_now();
    }
    assert_eq!(running.connections(), 0);
}
