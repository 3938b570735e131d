//! The answer to a request, as bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::refusal::Refusal;
use super::request::Accepted;

/// Appends the answer that turns the connection into WebSocket (section 4.2.2).
pub(super) fn accept(accepted: &Accepted<'_>, answer: &mut Vec<u8>) {
    let key = accept_key(accepted.key);
    let fields = [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        &key,
        "\r\n",
    ];
    fields.iter().for_each(|field| answer.extend_from_slice(field.as_bytes()));
    if let Some(subprotocol) = accepted.subprotocol {
        let fields = ["Sec-WebSocket-Protocol: ", subprotocol.name(), "\r\n"];
        fields.iter().for_each(|field| answer.extend_from_slice(field.as_bytes()));
    }
    answer.extend_from_slice(b"\r\n");
}

/// Appends the answer that says why not, for programs in its status and for people in its text.
pub(super) fn refuse(refusal: Refusal, answer: &mut Vec<u8>) {
    let text = refusal.text();
    let head = format!(
        "HTTP/1.1 {}\r\n{}Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        refusal.status(),
        refusal.fields(),
        text.len() + 1,
    );
    for part in [&head, text, "\n"] {
        answer.extend_from_slice(part.as_bytes());
    }
}

/// Shows the client that its request was read by a WebSocket server, not answered by something that knows only HTTP.
fn accept_key(key: &[u8]) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_SUFFIX).finalize();
    STANDARD.encode(digest)
}

/// The name space that section 1.3 gives to keys.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_section_1_3_comes_out() {
        assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
