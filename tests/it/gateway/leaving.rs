//! A client that leaves ends the upstream call.

use crate::support::lane::{ASKED, LANES, UPSTREAM};
use crate::support::proxy::Proxy;
use crate::support::rogue::Rogue;

#[test]
fn before_the_head() {
    for lane in &LANES {
        for streamed in [false, true] {
            let rogue = Rogue::once(|visit| {
                visit.request();
                visit.tell("asked");
                assert!(visit.is_left());
                visit.tell("left");
            });
            let proxy = Proxy::start(&lane.config(&rogue.url()));
            let mut client = proxy.connect();
            match streamed {
                true => {
                    client.ask("POST", &lane.stream_path(ASKED), &[], lane.streamed_ping(ASKED).as_bytes())
                }
                false => client.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes()),
            }
            assert_eq!(rogue.told(), "asked");
            client.leave();
            assert_eq!(rogue.told(), "left", "{}", lane.name);
        }
    }
}

#[test]
fn in_the_middle_of_a_stream() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            visit.chunk(&lane.content(UPSTREAM));
            assert!(visit.is_left());
            visit.tell("left");
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.event().unwrap(), lane.content(ASKED));
        stream.leave();
        assert_eq!(rogue.told(), "left", "{}", lane.name);
    }
}

#[test]
fn in_the_middle_of_a_flood() {
    for lane in &LANES {
        let rogue = Rogue::once(move |visit| {
            visit.request();
            visit.begin();
            // Ends when the proxy has closed: then nothing can be sent.
            while visit.try_chunk(&lane.content(UPSTREAM)) {}
            visit.tell("left");
        });
        let proxy = Proxy::start(&lane.config(&rogue.url()));
        let mut stream = proxy.stream(&lane.stream_path(ASKED), &lane.streamed_ping(ASKED));
        assert_eq!(stream.event().unwrap(), lane.content(ASKED));
        stream.leave();
        assert_eq!(rogue.told(), "left", "{}", lane.name);
    }
}

#[test]
fn a_client_that_closed_its_sending_side_counts_as_gone() {
    let lane = &LANES[0];
    let rogue = Rogue::once(|visit| {
        visit.request();
        assert!(visit.is_left());
        visit.tell("left");
    });
    let proxy = Proxy::start(&lane.config(&rogue.url()));
    let mut client = proxy.connect();
    client.ask("POST", &lane.path(ASKED), &[], lane.ping(ASKED).as_bytes());
    client.half_close();
    assert_eq!(rogue.told(), "left");
    // Nor is it told anything, such as that the proxy failed.
    assert!(client.is_closed());
}
