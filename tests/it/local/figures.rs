//! Figures, printed on demand: `cargo test --test it local::figures -- --ignored --nocapture`.

use super::client::{connect, get, over, server, token};
use std::io::{Read, Write};
use std::time::Instant;

#[test]
#[ignore = "prints figures; it proves nothing"]
fn a_slice_of_twenty_thousand_statuses_takes_seconds() {
    let (server, _folder) = server(20_000);
    let token = token(&server.url);
    let mut socket = connect(&server.url);
    let started = Instant::now();
    write!(socket, "GET /api/v1/streaming/public HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n")
        .unwrap();
    let reader = std::thread::spawn(move || {
        let (mut bytes, mut some) = (0, vec![0; 1 << 20]);
        while let Ok(count @ 1..) = socket.read(&mut some) {
            bytes += count;
        }
        bytes
    });
    let standing = over(&server.control, 1);
    let took = started.elapsed().as_secs_f64();
    let asked = Instant::now();
    let told = get(&server.control, "/control/expected");
    let told_in = asked.elapsed().as_secs_f64();
    drop(server);
    let (bytes, json) = (reader.join().unwrap(), told.json());
    println!("{} events of 20000 statuses in {took:.2} s: {:.0} statuses/s", standing["sent"], 20_000.0 / took);
    println!(
        "{:.1} MB, {:.1} kB an event",
        bytes as f64 / 1e6,
        bytes as f64 / 1e3 / standing["sent"].as_f64().unwrap()
    );
    println!("expected: {:.1} MB in {told_in:.2} s", told.body.len() as f64 / 1e6);
    println!(
        "sent {}, kept {}, late {}, edited {}, left out {}",
        json["sent"], json["kept"], json["late"], json["edited"], json["left_out"]
    );
}
