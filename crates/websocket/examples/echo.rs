//! The echo server that the Autobahn testsuite drives: see tests/autobahn/README.md.
//!
//! `cargo run --release -p tidegate-websocket --example echo [ADDRESS]`

#[path = "../tests/echo/mod.rs"]
#[allow(unreachable_pub, reason = "a module of several programs")]
mod echo;

use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    echo::serve(&TcpListener::bind(address)?)
}
