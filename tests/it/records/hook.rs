//! The usage hook.

use crate::records::{ask_twice, lines};
use crate::support::lane::{LANES, UPSTREAM};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};

#[test]
fn each_line_is_posted() {
    let folder = Folder::new("hook");
    let lane = &LANES[0];
    let provider = Provider::with(Reply::json(200, &lane.pong(UPSTREAM)));
    provider.will(Reply::sse([lane.streamed_pong(UPSTREAM)]));
    let hook = Provider::with(Reply::json(200, "{}"));
    hook.will(Reply::json(204, ""));
    let file = folder.file("usage.jsonl");
    let usage = format!(
        "usage: {{ledger: \"{}\", hook: {{url: \"{}/usage?x=1\", authorization: Bearer of-the-hook}}}}",
        file.display(),
        hook.url()
    );
    let proxy = Proxy::start(&lane.config_with(&provider.url(), "", &usage));
    ask_twice(&proxy, lane);
    proxy.server.drain();
    assert_eq!(lines(&file).len(), 2);
    for line in lines(&file) {
        let received = hook.received();
        assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/usage?x=1"));
        assert_eq!(received.header("authorization"), Some("Bearer of-the-hook"));
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.json(), line);
    }
    assert!(hook.is_idle());
}
