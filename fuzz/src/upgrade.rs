//! A request for WebSocket: judged the same in whatever pieces it comes, and always answered in HTTP.

use tidegate_websocket::{Origins, Progress, Rules, Upgrade};

/// Reads `bytes` as a request, whole and in pieces.
///
/// # Panics
/// When the pieces make a difference, or an answer is not what a client can read.
pub fn upgrade(bytes: &[u8]) {
    for origins in [Origins::Loopback, Origins::Any] {
        let rules = Rules { origins, head_bytes_max: 1024, ..Rules::default() };
        let whole = outcome(&rules, bytes, bytes.len().max(1));
        for piece in [1, 7] {
            assert_eq!(outcome(&rules, bytes, piece), whole, "in pieces of {piece}");
        }
        let (used, answer) = whole;
        match (used, answer.as_str()) {
            (Err(()), "") => assert!(bytes.len() <= rules.head_bytes_max, "an endless head is refused"),
            (Err(()), answer) => {
                let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
                assert!(head.starts_with("HTTP/1.1 4") || head.starts_with("HTTP/1.1 505 "), "{head}");
                assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{head}");
            }
            (Ok(used), answer) => {
                assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\n"), "{answer}");
                let head = String::from_utf8_lossy(&bytes[..used]).to_ascii_lowercase();
                for needed in ["get ", " http/1.1", "host", "upgrade", "websocket", "sec-websocket-key", "13"]
                {
                    assert!(head.contains(needed), "accepted without {needed}: {head}");
                }
                assert!(head.ends_with('\n'));
            }
        }
    }
}

/// How many bytes were the request, when it was accepted, and the answer.
fn outcome(rules: &Rules, bytes: &[u8], piece: usize) -> (Result<usize, ()>, String) {
    let (mut upgrade, mut answer, mut read) = (Upgrade::default(), Vec::new(), 0);
    let mut result = Err(());
    for part in bytes.chunks(piece) {
        match upgrade.receive(rules, part, &mut answer) {
            Ok(Progress::Unfinished) => read += part.len(),
            Ok(Progress::Accepted { used, .. }) => {
                result = Ok(read + used);
                break;
            }
            Err(_) => break,
        }
    }
    (result, String::from_utf8(answer).expect("an answer is text"))
}
