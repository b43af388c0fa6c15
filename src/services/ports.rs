//! Free ports on the loopback interface, the same as last time where that is possible.

use crate::error::{Error, Result};
use std::net::{Ipv4Addr, TcpListener};

/// `count` free ports: those of `kept` that are still free, others where they are not.
pub(crate) fn choose(kept: &[u16], count: usize) -> Result<Vec<u16>> {
    // All are held until the last is chosen, or the system could give the same one twice.
    let mut held = Vec::with_capacity(count);
    for place in 0..count {
        let listener = match kept.get(place).and_then(|port| listen(*port).ok()) {
            Some(listener) => listener,
            None => listen(0).map_err(|e| Error::cannot("find a free port on 127.0.0.1", e))?,
        };
        held.push(listener);
    }
    held.iter()
        .map(|l| l.local_addr().map(|a| a.port()).map_err(|e| Error::cannot("find a free port on 127.0.0.1", e)))
        .collect()
}

/// True when nobody listens on any of `ports`.
pub(crate) fn all_free(ports: &[u16]) -> bool {
    ports.iter().all(|port| listen(*port).is_ok())
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
