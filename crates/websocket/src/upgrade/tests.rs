//! Each rule of a request: kept, and broken alone.

use super::*;

/// The request of a usual client, as lines that a test can change.
fn usual() -> Vec<String> {
    [
        "GET /mqtt HTTP/1.1",
        "Host: broker.example.com:8083",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The usual request, with the line of `field` (or the request line, by an empty name) replaced by `lines`.
fn with(field: &str, lines: &[&str]) -> Vec<u8> {
    let mut request = usual();
    let at = match field {
        "" => 0,
        name => request.iter().position(|line| line.starts_with(name)).unwrap_or(request.len()),
    };
    let end = request.len().min(at + 1);
    request.splice(at..end, lines.iter().map(|line| (*line).to_owned()));
    head(&request)
}

fn head(lines: &[String]) -> Vec<u8> {
    (lines.join("\r\n") + "\r\n\r\n").into_bytes()
}

/// What comes of a request that arrives whole, and the answer.
fn ask(rules: &Rules, request: &[u8]) -> (Result<Progress, Refusal>, String) {
    let mut answer = Vec::new();
    let result = Upgrade::default().receive(rules, request, &mut answer);
    (result, String::from_utf8(answer).unwrap())
}

fn refusal_of(request: &[u8]) -> Refusal {
    let (result, answer) = ask(&Rules::default(), request);
    let refusal = result.expect_err(std::str::from_utf8(request).unwrap_or("bytes"));
    assert!(answer.starts_with(&format!("HTTP/1.1 {}\r\n", refusal.status())), "{answer}");
    refusal
}

fn subprotocol_of(request: &[u8]) -> Option<Subprotocol> {
    match ask(&Rules::default(), request) {
        (Ok(Progress::Accepted { used, subprotocol }), _) => {
            assert_eq!(used, request.len());
            subprotocol
        }
        other => panic!("{}: {other:?}", String::from_utf8_lossy(request)),
    }
}

#[test]
fn a_usual_request_is_answered_with_the_proof_that_it_was_read() {
    let (result, answer) = ask(&Rules::default(), &head(&usual()));
    let used = head(&usual()).len();
    assert_eq!(result, Ok(Progress::Accepted { used, subprotocol: Some(Subprotocol::Mqtt) }));
    assert_eq!(
        answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
}

#[test]
fn a_request_may_come_in_any_pieces_with_frames_behind_it() {
    let request = head(&usual());
    let bytes = [&request[..], b"\x82\x80\r\n\r\n"].concat();
    for first in 0..=bytes.len() {
        for second in [first, first + 1, first + 7, request.len(), bytes.len()] {
            let second = second.clamp(first, bytes.len());
            let (mut upgrade, mut answer, mut seen) = (Upgrade::default(), Vec::new(), 0);
            for part in [0..first, first..second, second..bytes.len()] {
                match upgrade.receive(&Rules::default(), &bytes[part.clone()], &mut answer).unwrap() {
                    Progress::Unfinished => seen += part.len(),
                    Progress::Accepted { used, .. } => {
                        assert_eq!(seen + used, request.len(), "cut at {first} and {second}");
                        seen = usize::MAX;
                        break;
                    }
                }
                assert!(answer.is_empty());
            }
            assert_eq!(seen, usize::MAX, "cut at {first} and {second}");
            assert_eq!(answer, ask(&Rules::default(), &request).1.as_bytes());
        }
    }
}

#[test]
fn lists_names_and_tokens_have_no_case_and_stand_anywhere() {
    for request in [
        with("Connection", &["connection: keep-alive, Upgrade"]),
        with("Connection", &["Connection: keep-alive", "CONNECTION: UPGRADE"]),
        with("Upgrade", &["upgrade: WebSocket"]),
        with("Upgrade", &["Upgrade: h2c ,\twebsocket"]),
        with("Sec-WebSocket-Key", &["sec-websocket-key:   dGhlIHNhbXBsZSBub25jZQ==  "]),
        with("Content", &["Content-Length: 0"]),
        // Line ends without CR (RFC 9112, section 2.2), and an empty line in front.
        String::from_utf8(head(&usual())).unwrap().replace('\r', "").into_bytes(),
        [b"\r\n", &head(&usual())[..]].concat(),
    ] {
        assert_eq!(subprotocol_of(&request), Some(Subprotocol::Mqtt));
    }
}

#[test]
fn a_path_is_one_of_the_list_whatever_its_query() {
    for target in ["/", "/mqtt", "/mqtt?token=a/b", "/?", "http://example.com/mqtt", "wss://example.com?x"] {
        subprotocol_of(&with("", &[&format!("GET {target} HTTP/1.1")]));
    }
    for target in [
        "/mqtt/",
        "/MQTT",
        "//",
        "/favicon.ico",
        "mqtt",
        "*",
        "http://example.com/x",
        "/x?/mqtt",
        "/x://y/mqtt",
    ] {
        assert_eq!(refusal_of(&with("", &[&format!("GET {target} HTTP/1.1")])), Refusal::Path, "{target}");
    }
    let rules = Rules { paths: vec!["/iot".into()], ..Rules::default() };
    assert!(ask(&rules, &with("", &["GET /iot HTTP/1.1"])).0.is_ok());
    assert_eq!(ask(&rules, &head(&usual())).0, Err(Refusal::Path));
}

#[test]
fn mqtt_is_preferred_and_who_offers_nothing_is_served_without_a_name() {
    let offering = |lines: &[&str]| with("Sec-WebSocket-Protocol", lines);
    for (lines, chosen) in [
        (&["Sec-WebSocket-Protocol: mqttv3.1, mqtt"][..], Some(Subprotocol::Mqtt)),
        (&["Sec-WebSocket-Protocol: mqttv3.1", "sec-websocket-protocol: amqp,mqtt"], Some(Subprotocol::Mqtt)),
        (&["Sec-WebSocket-Protocol: amqp ,mqttv3.1"], Some(Subprotocol::MqttV31)),
        (&[], None),
    ] {
        assert_eq!(subprotocol_of(&offering(lines)), chosen, "{lines:?}");
        let (_, answer) = ask(&Rules::default(), &offering(lines));
        let named = chosen.map(|one| format!("Sec-WebSocket-Protocol: {}\r\n", one.name()));
        assert_eq!(answer.contains("WebSocket-Protocol"), named.is_some());
        assert!(answer.contains(&named.unwrap_or_default()));
    }
    for other in ["amqp", "MQTT", "mqtt3", ""] {
        let request = offering(&[&format!("Sec-WebSocket-Protocol: {other}")]);
        assert_eq!(refusal_of(&request), Refusal::Subprotocol, "{other}");
    }
}

#[test]
fn permessage_deflate_is_not_agreed_to() {
    let request = with("Sec-WebSocket-Extensions", &["Sec-WebSocket-Extensions: permessage-deflate"]);
    let (result, answer) = ask(&Rules::default(), &request);
    assert!(result.is_ok());
    assert!(!answer.contains("Extensions"), "{answer}");
}

#[test]
fn each_broken_rule_has_its_answer() {
    use Refusal::*;
    for (field, lines, refusal) in [
        ("", &["POST /mqtt HTTP/1.1"][..], Method),
        ("", &["CONNECT example.com:80 HTTP/1.1"], Method),
        ("", &["GET /mqtt HTTP/1.0"], OldHttp),
        ("", &["PRI * HTTP/2.0"], HttpVersion),
        ("", &["GET /mqtt"], NotHttp),
        ("", &["G@T /mqtt HTTP/1.1", " x: y"], NotHttp),
        ("Host", &[], Host),
        ("Host", &["Host: a", "host: b"], Host),
        ("Content", &["Content-Length: 2"], Body),
        ("Transfer", &["Transfer-Encoding: chunked"], Body),
        ("Upgrade", &[], NoUpgrade),
        ("Upgrade", &["Upgrade: h2c"], NoUpgrade),
        ("Upgrade", &["Upgrade: websocket2"], NoUpgrade),
        ("Connection", &[], Connection),
        ("Connection", &["Connection: keep-alive"], Connection),
        ("Sec-WebSocket-Version", &[], Version),
        ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"], Version),
        ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"], Version),
        ("Sec-WebSocket-Key", &[], Key),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], Key),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"], Key),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ-=="], Key),
        ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j=="], Key),
        ("Origin", &["Origin: https://example.com"], Origin),
        ("Origin", &["Origin: http://localhost", "Origin: https://example.com"], Origin),
    ] {
        assert_eq!(refusal_of(&with(field, lines)), refusal, "{field} {lines:?}");
    }
}

#[test]
fn pages_connect_when_their_origin_is_configured() {
    let request = with("Origin", &["Origin: https://example.com"]);
    for origins in [Origins::Any, Origins::Listed(vec!["https://example.com".into()])] {
        assert!(ask(&Rules { origins, ..Rules::default() }, &request).0.is_ok());
    }
    assert!(ask(&Rules::default(), &with("Origin", &["Origin: http://localhost:5173"])).0.is_ok());
}

#[test]
fn a_refusal_says_which_version_and_which_method_would_do() {
    let answer_of = |field, lines: &[&str]| ask(&Rules::default(), &with(field, lines)).1;
    assert!(answer_of("Sec-WebSocket-Version", &[]).contains("\r\nSec-WebSocket-Version: 13\r\n"));
    assert!(answer_of("", &["PUT / HTTP/1.1"]).contains("\r\nAllow: GET\r\n"));
}

#[test]
fn a_person_with_a_browser_reads_what_this_is() {
    let answer = ask(&Rules::default(), b"GET / HTTP/1.1\r\nHost: localhost:8083\r\n\r\n").1;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
    assert!(body.starts_with("This is an MQTT broker that speaks WebSocket"), "{body}");
}

#[test]
fn a_head_has_a_bound_in_bytes_and_in_fields() {
    let padded = |bytes: usize| {
        let empty = with("X", &["X: "]).len();
        with("X", &[&format!("X: {}", "x".repeat(bytes - empty))])
    };
    let bound = Rules::default().head_bytes_max;
    assert!(ask(&Rules::default(), &padded(bound)).0.is_ok());
    let too_large = padded(bound + 1);
    assert_eq!(refusal_of(&too_large), Refusal::HeadTooLarge);
    // Piece by piece it is refused with the first byte that has no room, and nothing more is kept.
    let (mut upgrade, mut answer) = (Upgrade::default(), Vec::new());
    for byte in &too_large[..bound] {
        let result = upgrade.receive(&Rules::default(), &[*byte], &mut answer);
        assert_eq!(result, Ok(Progress::Unfinished));
    }
    let result = upgrade.receive(&Rules::default(), b"\n", &mut answer);
    assert_eq!(result, Err(Refusal::HeadTooLarge));

    let fields = |count: usize| {
        let mut lines = usual();
        lines.extend((lines.len()..=count).map(|i| format!("X-{i}: y")));
        head(&lines)
    };
    assert!(ask(&Rules::default(), &fields(64)).0.is_ok());
    assert_eq!(refusal_of(&fields(65)), Refusal::TooManyFields);
}

#[test]
fn who_speaks_another_protocol_hears_of_it_at_once() {
    // MQTT's CONNECT, a TLS ClientHello: neither ever ends a line.
    for first in [&[0x10, 0x0C, 0, 4][..], &[0x16, 3, 1, 2, 0]] {
        assert_eq!(refusal_of(first), Refusal::NotHttp);
    }
}
