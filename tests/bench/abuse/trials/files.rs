//! A process with hardly any file descriptors.

use std::time::{Duration, Instant};

use super::{Bench, Outcome, ms, ordinary};
use crate::client::{Client, buffered};
use crate::process::{Proxy, Recipe, wait_until};

const FILES: usize = 64;
const LIMIT: &str = "-n 64";
const CLIENTS: usize = 200;

/// 200 connections to a process that may open 64 files; it serves again as soon as they close.
pub(super) fn few_files(bench: &mut Bench) -> Outcome {
    let folder = bench.folder.join("few");
    let upstream = bench.upstream.address;
    let recipe =
        Recipe { binary: &bench.binary, folder: &folder, upstream, limits: Some(LIMIT), settings: None };
    let mut proxy = Proxy::start(&recipe)?;
    ordinary(&proxy)?;
    let before = proxy.facts();
    let mut crowd = Vec::new();
    for index in 0..CLIENTS {
        let mut client = Client::connect(proxy.address())?;
        if index % 2 == 0 {
            client.send(&buffered("up/head"))?;
        }
        crowd.push(client);
    }
    let full = wait_until(Duration::from_secs(5), || proxy.facts().files >= 60);
    let most = proxy.facts().files;
    if full.is_none() {
        return Err(format!("only {most} files open: the trial does not reach the limit").into());
    }
    // Long enough for more than one failed accept.
    std::thread::sleep(Duration::from_millis(300));
    drop(crowd);
    let since = Instant::now();
    // Until the last of the crowd is seen to have left, a new client is told to come back.
    let served = wait_until(Duration::from_secs(3), || ordinary(&proxy).is_ok());
    served.ok_or("no request is served after the crowd has left")?;
    let fresh = since.elapsed();
    proxy.files_fall_to(before.files + 1, Duration::from_secs(5))?;
    for _ in 0..20 {
        ordinary(&proxy)?;
    }
    proxy.files_fall_to(before.files + 1, Duration::from_secs(5))?;
    if !proxy.is_alive() {
        return Err("the process died".into());
    }
    let complaints = proxy.log().matches("cannot accept").count();
    let ended = proxy.terminate(Duration::from_secs(3)).ok_or("it did not end")?;
    let figures = format!(
        "{most} of {FILES} files in use, fresh request after {}, 20 more answered, accept errors told {complaints} times, \
         ended in {} with {}",
        ms(fresh),
        ms(ended.1),
        ended.0
    );
    if fresh > Duration::from_secs(2) || complaints != 1 || !ended.0.success() {
        Err(figures.into())
    } else {
        Ok(figures)
    }
}
