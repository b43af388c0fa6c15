//! Free ports on the loopback interface, the same as last time where that is possible.

use super::random;
use crate::error::{Error, Result};
use std::net::{Ipv4Addr, TcpListener};

/// Below the range that systems give to outgoing connections, where any program's connection may take a kept port.
const LOWEST: u16 = 20_000;
/// How many ports are in the range.
const RANGE: u16 = 12_000;
/// How often a port of the range is tried before any other will do.
const TRIES: usize = 50;

/// `count` free ports: those of `kept` that are still free, others where they are not.
pub(crate) fn choose(kept: &[u16], count: usize) -> Result<Vec<u16>> {
    let cannot = |e: std::io::Error| Error::cannot("find a free port on 127.0.0.1", e);
    // All are held until the last is chosen, or the same one could be chosen twice.
    let mut held = Vec::with_capacity(count);
    for place in 0..count {
        let mut listener = kept.get(place).and_then(|port| listen(*port).ok());
        for draw in random(2 * TRIES)?.chunks_exact(2) {
            listener = listener.or_else(|| listen(LOWEST + u16::from_ne_bytes([draw[0], draw[1]]) % RANGE).ok());
        }
        held.push(listener.map_or_else(|| listen(0), Ok).map_err(cannot)?);
    }
    held.iter().map(|listener| listener.local_addr().map(|at| at.port()).map_err(cannot)).collect()
}

/// True when nobody listens on any of `ports`.
pub(crate) fn all_free(ports: &[u16]) -> bool {
    ports.iter().all(|port| listen(*port).is_ok())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
