//! What OpenSSL's own program says: of a handshake with an endpoint, and of the files of the local CA.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod world;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConnection, StreamOwned};
use tidegate_tls::{Arrival, Authority, ClientCertificates, Endpoint, Request, Usage, folder};
use world::{World, trust};

/// Says to each client who it is, and ends the connection.
fn greeter(endpoint: Arc<Endpoint>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let generation = endpoint.generation();
            let mut connection = ServerConnection::new(endpoint.current()).unwrap();
            if connection.complete_io(&mut stream).is_err() {
                continue;
            }
            let arrival = endpoint.arrived(&connection, generation);
            let mut stream = StreamOwned::new(connection, stream);
            let text = match arrival {
                Ok(Arrival::Client(Some(name))) => format!("greetings, {name}\n"),
                Ok(Arrival::Client(None)) => "greetings, stranger\n".to_owned(),
                other => format!("{other:?}\n"),
            };
            let _gone = stream.write_all(text.as_bytes());
            stream.conn.send_close_notify();
            let _gone = stream.flush();
        }
    });
    address
}

/// What it printed, and whether it was content.
fn openssl(arguments: &[&str]) -> (String, bool) {
    let output =
        Command::new("openssl").args(arguments).stdin(Stdio::null()).output().expect("openssl is installed");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn openssl_believes_the_server_agrees_on_mqtt_resumes_and_shows_its_certificate() {
    let world = World::new();
    let tls = world.path("tls");
    let authority = Authority::open(&tls).unwrap();
    let request = Request { usage: Usage::Client, common_name: "pump-7".into(), names: vec![], days: 1 };
    let (certificate, key, _) = authority.issue_into(&world.path("out"), &request).unwrap();
    let (ca, list) = (folder::ca_certificate(&tls), folder::revocation_list(&tls));
    let endpoint = world.endpoint(|s| s.clients = ClientCertificates::Required(trust(&ca, &[&list])));
    let address = greeter(endpoint).to_string();
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let session = world.path(name);
        let connect = |more: &[&str]| {
            let mut all =
                vec!["s_client", "-connect", &address, "-servername", "localhost", version, "-alpn", "mqtt"];
            all.extend([
                "-CAfile",
                text(&ca),
                "-verify_hostname",
                "localhost",
                "-verify_return_error",
                "-ign_eof",
            ]);
            all.extend(more);
            openssl(&all)
        };
        let identified = ["-cert", text(&certificate), "-key", text(&key)];
        let (said, _) = connect(&[&identified[..], &["-sess_out", text(&session)]].concat());
        for expected in
            [name, "Verify return code: 0 (ok)", "ALPN protocol: mqtt", "greetings, pump-7", "New, "]
        {
            assert!(said.contains(expected), "{expected}: {said}");
        }
        let (said, _) = connect(&[&identified[..], &["-sess_in", text(&session)]].concat());
        assert!(said.contains("Reused, ") && said.contains("greetings, pump-7"), "{said}");
        let (said, _) = connect(&[]);
        assert!(!said.contains("greetings") && said.contains("alert"), "{said}");
    }
}

#[test]
fn openssl_finds_the_files_of_the_local_ca_in_order() {
    let world = World::new();
    let tls = world.path("tls");
    let authority = Authority::open(&tls).unwrap();
    let request = Request { usage: Usage::Client, common_name: "pump-7".into(), names: vec![], days: 1 };
    let (certificate, _, issued) = authority.issue_into(&world.path("out"), &request).unwrap();
    let (ca, list) = (folder::ca_certificate(&tls), folder::revocation_list(&tls));
    let verify = |purpose: &str, file: &Path| {
        let strict = ["verify", "-x509_strict", "-CAfile", text(&ca), "-purpose", purpose];
        openssl(&[&strict[..], &["-crl_check", "-CRLfile", text(&list), text(file)]].concat())
    };
    for (purpose, file) in [("sslclient", &certificate), ("sslserver", &tls.join("server.pem"))] {
        let (said, content) = verify(purpose, file);
        assert!(content, "{said}");
    }
    assert!(!verify("sslserver", &certificate).1, "a client's certificate is none of a server");
    let (serial, _) = openssl(&["x509", "-in", text(&certificate), "-noout", "-serial"]);
    assert_eq!(
        serial.trim().to_ascii_lowercase().trim_start_matches("serial=").trim_start_matches('0'),
        issued.serial.trim_start_matches('0')
    );
    authority.revoke(&certificate).unwrap();
    let (said, content) = verify("sslclient", &certificate);
    assert!(!content && said.contains("certificate revoked"), "{said}");
    let (said, _) = openssl(&["crl", "-in", text(&list), "-noout", "-text", "-CAfile", text(&ca)]);
    assert!(said.contains("verify OK"), "{said}");
}
