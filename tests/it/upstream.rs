//! The way to a provider: TLS with private roots, outgoing proxies, slow readers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, kx_group};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::GUARD;
use crate::support::lane::{ASKED, LANES, UPSTREAM, lane};
use crate::support::provider::{Provider, Reply};
use crate::support::proxy::{Folder, Proxy};
use crate::support::rogue::Rogue;
use llmgate::protocol::Protocol;

/// A provider behind TLS that answers each connection's first request; and the PEM of its root.
pub(crate) fn tls_provider(names: &[&str], answer: String) -> (u16, String) {
    let provider = rustls::crypto::ring::default_provider();
    tls_provider_of(names, &rcgen::PKCS_ECDSA_P256_SHA256, provider, answer)
}

/// The same with keys of one kind, and what it speaks of TLS.
fn tls_provider_of(
    names: &[&str],
    kind: &'static rcgen::SignatureAlgorithm,
    provider: CryptoProvider,
    answer: String,
) -> (u16, String) {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate_for(kind).unwrap()).unwrap();
    let key = KeyPair::generate_for(kind).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            socket.set_read_timeout(Some(GUARD)).unwrap();
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            let mut request = Vec::new();
            let mut part = [0; 4096];
            // The handshake may fail: then there is no request.
            while let Ok(count) = stream.read(&mut part) {
                request.extend_from_slice(&part[..count]);
                if count == 0 || request.ends_with(b"}") {
                    break;
                }
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(answer.as_bytes()));
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (port, root.pem())
}

#[test]
fn a_private_root_is_trusted_where_it_is_named() {
    for lane in &LANES {
        let (port, root) = tls_provider(&["127.0.0.1"], lane.pong(UPSTREAM));
        let folder = Folder::new(&format!("tls-{}", lane.name));
        let file = folder.write("root.pem", &root);
        let url = format!("https://127.0.0.1:{port}");
        let top = format!("tls: {{ca_file: \"{}\"}}", file.display());
        let proxy = Proxy::start(&lane.config_with(&url, "", &top));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)));
        let named = file.display().to_string();
        let proxy = Proxy::start_in(&lane.config(&url), &[("SSL_CERT_FILE", &named)]);
        assert_eq!(proxy.post(&lane.path(ASKED), &lane.ping(ASKED)).status(), 200);
    }
}

/// The static build brings ring in another form (`scripts/ring.ld`): `make release-check` has it here.
#[test]
fn each_kind_of_key_group_and_cipher_is_spoken() {
    let lane = &LANES[0];
    let kinds = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];
    let groups = [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    let suites = [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    for (kind, group) in kinds.iter().flat_map(|kind| groups.map(|group| (kind, group))) {
        for suite in suites {
            let provider = CryptoProvider {
                kx_groups: vec![group],
                cipher_suites: vec![suite],
                ..rustls::crypto::ring::default_provider()
            };
            let (port, root) = tls_provider_of(&["127.0.0.1"], kind, provider, lane.pong(UPSTREAM));
            let folder = Folder::new("tls-kinds");
            let file = folder.write("root.pem", &root);
            let top = format!("tls: {{ca_file: \"{}\"}}", file.display());
            let proxy = Proxy::start(&lane.config_with(&format!("https://127.0.0.1:{port}"), "", &top));
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert_eq!(answer.status(), 200, "{kind:?} {group:?} {suite:?}: {}", answer.text());
        }
    }
}

#[test]
fn an_unknown_root_is_told() {
    for lane in &LANES {
        let (port, _) = tls_provider(&["127.0.0.1"], lane.pong(UPSTREAM));
        let proxy = Proxy::start(&lane.config(&format!("https://127.0.0.1:{port}")));
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 502, "{}", answer.text());
        let message = lane.error_message(&answer.json());
        assert!(message.contains("UnknownIssuer"), "{message}");
        if lane.protocol == Protocol::OpenaiChat {
            assert_eq!(answer.json()["error"]["code"], "upstream_unreachable");
        }
    }
}

#[test]
fn a_certificate_of_another_name_is_told() {
    let lane = &LANES[0];
    let (port, root) = tls_provider(&["other.example"], lane.pong(UPSTREAM));
    let folder = Folder::new("tls-name");
    let file = folder.write("root.pem", &root);
    let top = format!("tls: {{ca_file: \"{}\"}}", file.display());
    let proxy = Proxy::start(&lane.config_with(&format!("https://127.0.0.1:{port}"), "", &top));
    let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
    assert_eq!(answer.status(), 502, "{}", answer.text());
    let message = lane.error_message(&answer.json());
    assert!(message.contains("NotValidForName") || message.contains("not valid for name"), "{message}");
}

#[test]
fn a_provider_that_speaks_no_tls_is_told() {
    let lane = &LANES[0];
    let rogue = Rogue::once(|visit| visit.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
    let url = rogue.url().replace("http:", "https:");
    let answer = Proxy::start(&lane.config(&url)).post(&lane.path(ASKED), &lane.ping(ASKED));
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "upstream_unreachable", "{}", answer.text());
}

/// A proxy that is asked for a tunnel, and is the provider at its end.
fn tunnel(pong: String) -> Rogue {
    Rogue::once(move |visit| {
        let asked = visit.request();
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("CONNECT", "api.example.test:80"));
        visit.send("HTTP/1.1 200 Connection established\r\n\r\n");
        let request = visit.request();
        assert_eq!(request.header("host"), Some("api.example.test"));
        visit.tell("arrived");
        visit.answer(&pong);
    })
}

#[test]
fn a_proxy_leads_to_a_host_that_only_it_knows() {
    for lane in &LANES {
        for own in [true, false] {
            let rogue = tunnel(lane.pong(UPSTREAM));
            let proxy = match own {
                true => {
                    let setting = format!("proxy: \"{}\"", rogue.url());
                    Proxy::start(&lane.config_with("http://api.example.test", &setting, ""))
                }
                false => {
                    Proxy::start_in(&lane.config("http://api.example.test"), &[("HTTP_PROXY", &rogue.url())])
                }
            };
            let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
            assert_eq!((answer.status(), answer.text()), (200, lane.pong(ASKED)));
            assert_eq!(rogue.told(), "arrived");
        }
    }
}

#[test]
fn a_proxy_that_refuses_is_told() {
    let lane = &LANES[0];
    let rogue = Rogue::once(|visit| {
        visit.request();
        visit.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    });
    let url = rogue.url().replace("http://", "http://me:hunter2-hunter2@");
    let proxy = Proxy::start_in(&lane.config("http://api.example.test"), &[("HTTP_PROXY", &url)]);
    let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "upstream_unreachable");
    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
}

#[test]
fn a_proxy_that_opens_no_tunnel_has_the_time_of_a_connection() {
    let lane = &LANES[0];
    let silent = Rogue::once(|visit| {
        visit.request();
        visit.wait();
    });
    let setting = format!("proxy: \"{}\"", silent.url());
    let top = "timeouts: {connect: 100ms}\nretry: {attempts: 1}";
    let proxy = Proxy::start(&lane.config_with("http://api.example.test", &setting, top));
    let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
    assert_eq!(answer.status(), 504, "{}", answer.text());
    let message = lane.error_message(&answer.json());
    assert!(message.contains("no connection within `timeouts.connect`"), "{message}");
}

#[test]
fn loopback_and_exceptions_need_no_proxy() {
    let lane = &LANES[0];
    let provider = Provider::start();
    let nobody = Rogue::once(|visit| visit.tell("asked"));
    let port = provider.url().rsplit_once(':').unwrap().1.to_owned();
    let through = nobody.url();
    for (url, except) in [
        (provider.url(), ""),
        // This host, by an address that is no loopback address.
        (format!("http://0.0.0.0:{port}"), "0.0.0.0"),
        (format!("http://0.0.0.0:{port}"), "other.example, 0.0.0.0"),
        (format!("http://0.0.0.0:{port}"), "*"),
    ] {
        provider.will(Reply::json(200, &lane.pong(UPSTREAM)));
        let variables = [("HTTP_PROXY", through.as_str()), ("ALL_PROXY", &through), ("no_proxy", except)];
        let proxy = Proxy::start_in(&lane.config(&url), &variables);
        let answer = proxy.post(&lane.path(ASKED), &lane.ping(ASKED));
        assert_eq!(answer.status(), 200, "{url} {except}: {}", answer.text());
    }
    assert!(nobody.is_silent());
}

#[test]
fn a_large_request_to_a_slow_reader_arrives_whole() {
    let lane = lane(Protocol::OpenaiChat);
    let text: String = (0..1_500_000_u32)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26))
        .collect();
    let asks = "\"stream\": true,\"stream_options\":{\"include_usage\":true}";
    let wanted =
        lane.streamed_ping(UPSTREAM).replace("ping", &text.repeat(6)).replace("\"stream\": true", asks);
    let body = wanted.replace(UPSTREAM, ASKED);
    let rogue = Rogue::once(move |visit| {
        // Nothing is read until the proxy has waited: its head for the client says so.
        visit.wait();
        let received = visit.request();
        visit.tell(if received.body == wanted.as_bytes() { "whole" } else { "broken" });
        visit.begin();
        visit.chunk(&lane.streamed_pong(UPSTREAM));
        visit.end();
    });
    let top = "timeouts: {commit_after: 1ms}";
    let proxy = Proxy::start(&lane.config_with(&rogue.url(), "", top));
    let mut client = proxy.connect();
    client.ask("POST", &lane.stream_path(ASKED), &[], body.as_bytes());
    let mut stream = client.stream();
    rogue.go();
    assert_eq!(stream.rest(), lane.streamed_pong(ASKED));
    assert_eq!(rogue.told(), "whole");
}
