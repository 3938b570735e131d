//! The echo is a reference only if it writes before it acknowledges, and acknowledges everything.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tidegate_bench::codec::{self, Outgoing, SessionLifetime};

const RECORD_BYTES: usize = 500;
const MESSAGES: u16 = 40;

struct Echo(Child);

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &std::path::Path) -> io::Result<(Echo, SocketAddr)> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-bench"))
        .args(["echo", "--record-bytes", &RECORD_BYTES.to_string(), "--folder"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let said = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let echo = Echo(child);
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening on ").and_then(|address| address.parse().ok());
    Ok((echo, address.ok_or_else(|| io::Error::other(format!("the echo said: {line}")))?))
}

#[test]
fn every_message_is_written_before_its_puback_leaves() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (_echo, address) = start(folder.path())?;
    let mut client = TcpStream::connect(address)?;
    client.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut packets, mut expected) = (Vec::new(), vec![0x20, 2, 0, 0]);
    codec::encode_connect(&mut packets, "publisher", SessionLifetime::Connection, 60);
    for packet_identifier in 1..=MESSAGES {
        let message = Outgoing { topic: "d/0", packet_identifier: Some(packet_identifier), retain: false };
        codec::encode_publish_head(&mut packets, message, 3);
        packets.extend_from_slice(b"abc");
        codec::encode_puback(&mut expected, packet_identifier);
    }
    // In two pieces, the first of which ends in the middle of a packet.
    let (front, rest) = packets.split_at(packets.len() / 2 + 1);
    for piece in [front, rest] {
        client.write_all(piece)?;
    }
    let mut answers = vec![0; expected.len()];
    client.read_exact(&mut answers)?;
    assert_eq!(answers, expected);

    let written = fs::read(folder.path().join("bare-loop"))?;
    let end = usize::from(MESSAGES) * RECORD_BYTES;
    assert!(written[..end].iter().all(|&byte| byte != 0));
    assert!(written[end..].iter().all(|&byte| byte == 0));
    Ok(())
}
