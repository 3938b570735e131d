//! Somebody else's client and ours: what `tungstenite` writes we read, and what we write it reads.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

#[allow(unreachable_pub, reason = "a module of several programs")]
mod echo;

use std::net::{TcpListener, TcpStream};

use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// A client of the echo server, and the subprotocol that was agreed.
fn connect() -> (WebSocket<TcpStream>, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || echo::serve(&listener));
    let mut request = format!("ws://{address}/mqtt").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "mqttv3.1, mqtt".parse().unwrap());
    let (client, answer) = tungstenite::client(request, TcpStream::connect(address).unwrap()).unwrap();
    let agreed = answer.headers().get("Sec-WebSocket-Protocol");
    (client, agreed.map(|value| value.to_str().unwrap().to_owned()))
}

#[test]
fn its_handshake_is_accepted_and_ours_convinces_it() {
    assert_eq!(connect().1.as_deref(), Some("mqtt"));
}

#[test]
fn messages_of_every_form_of_length_come_back_under_masks_of_its_own() {
    let (mut client, _) = connect();
    for len in [0, 1, 125, 126, 127, 4096, 65535, 65536, 300_000] {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 31) as u8).collect();
        for message in [Message::binary(bytes), Message::text("€".repeat(len / 3))] {
            client.send(message.clone()).unwrap();
            assert!(client.read().unwrap() == message, "{len} bytes");
        }
    }
}

#[test]
fn its_ping_is_answered_and_its_close_comes_back() {
    let (mut client, _) = connect();
    client.send(Message::Ping("alive?".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("alive?".into()));
    client.close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })).unwrap();
    let Message::Close(Some(answer)) = client.read().unwrap() else { panic!("no Close") };
    assert_eq!(answer.code, CloseCode::Away);
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
}
