//! Certificates from an ACME server of somebody else: Pebble, the test server of Let's Encrypt. It really fetches the text
//! over HTTP and really makes the handshake.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod world;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use tempfile::TempDir;
use tidegate_tls::{
    AcmeProof, AcmeSettings, Arrival, Authority, CertificateSource, Certificates, Challenges, Endpoint,
    Request, TlsSettings, Usage, folder,
};
use world::{BOTH, Client, settings};

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Pebble with a name server that calls every name this machine.
struct AcmeServer {
    directory: String,
    ca: PathBuf,
    _programs: [Running; 2],
}

impl AcmeServer {
    /// It looks at names on these ports.
    fn start(folder: &Path, http: u16, tls: u16) -> Self {
        let own = folder.join("server");
        let authority = Authority::open_or_create(&own).unwrap();
        let request = Request {
            usage: Usage::Server,
            common_name: "pebble".into(),
            names: vec![tidegate_tls::AlternativeName::parse("127.0.0.1").unwrap()],
            days: 2,
        };
        let (certificate, key, _) = authority.issue_into(&own, &request).unwrap();
        let [dns, listen, management, other] = free_ports();
        let config = format!(
            r#"{{"pebble": {{"listenAddress": "127.0.0.1:{listen}", "managementListenAddress": "127.0.0.1:{management}",
            "certificate": "{}", "privateKey": "{}", "httpPort": {http}, "tlsPort": {tls}}}}}"#,
            certificate.display(),
            key.display()
        );
        let config_file = own.join("pebble.json");
        fs::write(&config_file, config).unwrap();
        let names = started(
            Command::new("pebble-challtestsrv")
                .args(["-dns01", &format!("127.0.0.1:{dns}"), "-management", &format!("127.0.0.1:{other}")])
                .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]),
            "Starting management server",
        );
        let pebble = started(
            Command::new("pebble")
                .arg("-config")
                .arg(&config_file)
                .args(["-dnsserver", &format!("127.0.0.1:{dns}")])
                .env("PEBBLE_VA_NOSLEEP", "1"),
            "ACME directory available",
        );
        Self {
            directory: format!("https://127.0.0.1:{listen}/dir"),
            ca: folder::ca_certificate(&own),
            _programs: [names, pebble],
        }
    }
}

/// Until it has said that it is ready.
fn started(command: &mut Command, ready: &str) -> Running {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Debian's pebble is installed");
    let (say, said) = sync_channel(1);
    let pipes: [Box<dyn Read + Send>; 2] =
        [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
    for pipe in pipes {
        let (say, ready) = (say.clone(), ready.to_owned());
        // Read to the end, so that it never waits for a reader.
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if line.contains(&ready) {
                    let _said_before = say.try_send(());
                }
            }
        });
    }
    let running = Running(child);
    said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{command:?} did not start"));
    running
}

fn free_ports<const N: usize>() -> [u16; N] {
    let all: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|index| all[index].local_addr().unwrap().port())
}

/// A listener that answers GET as those of the broker do.
fn answer_http(listener: TcpListener, challenges: Arc<Challenges>) -> Receiver<String> {
    let (say, asked) = sync_channel(100);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let path = line.split(' ').nth(1).unwrap_or_default();
            let answer = match challenges.http_answer(path) {
                Some(text) => format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                    text.len()
                ),
                None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
            };
            let _gone = (&stream).write_all(answer.as_bytes());
            let _full = say.try_send(path.to_owned());
        }
    });
    asked
}

/// A listener of TLS; says who arrived.
fn answer_tls(listener: TcpListener, endpoint: Arc<Endpoint>) -> Receiver<Arrival> {
    let (say, arrived) = sync_channel(100);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream: TcpStream = stream;
            let generation = endpoint.generation();
            let mut connection = ServerConnection::new(endpoint.current()).unwrap();
            if connection.complete_io(&mut stream).is_ok() {
                let _full = say.try_send(endpoint.arrived(&connection, generation).unwrap());
            }
            let mut stream = StreamOwned::new(connection, stream);
            stream.conn.send_close_notify();
            let _gone = stream.flush();
        }
    });
    arrived
}

struct Broker {
    folder: TempDir,
    certificates: Certificates,
    endpoint: Arc<Endpoint>,
}

fn broker(folder: TempDir, server: &AcmeServer, proof: AcmeProof, names: &[&str]) -> Broker {
    let acme = AcmeSettings {
        directory: server.directory.clone(),
        contact: vec!["mailto:somebody@example.com".into()],
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        proof,
        server_ca: Some(server.ca.clone()),
    };
    let certificates = Certificates::open(&TlsSettings {
        folder: folder.path().join("tls"),
        names: vec![],
        acme: Some(acme),
    })
    .unwrap();
    let endpoint =
        certificates.endpoint(settings(|s| s.certificates = vec![CertificateSource::Acme])).unwrap();
    Broker { folder, certificates, endpoint }
}

impl Broker {
    fn acme_file(&self, name: &str) -> PathBuf {
        self.folder.path().join("tls/acme").join(name)
    }

    /// The names of the certificate that clients get once it is another than the local one.
    fn obtained_names(&self) -> Vec<String> {
        let local = fs::read_to_string(self.certificates.ca_file()).unwrap();
        wait_for("a certificate that the local CA has not signed", || {
            let alarms = self.certificates.alarms();
            assert!(alarms.is_empty(), "{alarms:?}");
            Client::new(&local, BOTH[1]).connects_to(&self.endpoint).is_err()
        });
        let pem = fs::read_to_string(self.acme_file("certificate.pem")).unwrap();
        let der = world::der(&pem);
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        let mut names: Vec<_> = names.value.general_names.iter().map(|name| format!("{name:?}")).collect();
        names.sort();
        names
    }
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "a bound for a test that waits for another program")]
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_certificate_is_obtained_over_http_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let http = listener();
    let server = AcmeServer::start(folder.path(), port(&http), 1);
    let broker = broker(folder, &server, AcmeProof::Http01, &["broker.example.com", "mqtt.example.com"]);
    let asked = answer_http(http, broker.certificates.challenges());
    let watching = broker.certificates.watch(|| {}).unwrap();
    assert_eq!(broker.obtained_names(), ["DNSName(\"broker.example.com\")", "DNSName(\"mqtt.example.com\")"]);
    assert!(asked.try_iter().all(|path| path.starts_with("/.well-known/acme-challenge/")));
    drop(watching);
    for secret in ["account.json", "certificate.pem"] {
        let mode = fs::metadata(broker.acme_file(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    assert!(broker.certificates.alarms().is_empty());

    // A later start has it from the beginning, and asks nobody.
    let kept = fs::read(broker.acme_file("certificate.pem")).unwrap();
    let settings = AcmeSettings {
        directory: server.directory.clone(),
        contact: vec![],
        names: vec!["broker.example.com".into()],
        proof: AcmeProof::Http01,
        server_ca: Some(server.ca.clone()),
    };
    drop(server);
    let tls =
        TlsSettings { folder: broker.folder.path().join("tls"), names: vec![], acme: Some(settings.clone()) };
    let again = Certificates::open(&tls).unwrap();
    let endpoint =
        again.endpoint(world::settings(|s| s.certificates = vec![CertificateSource::Acme])).unwrap();
    let _asking_nobody = again.watch(|| {}).unwrap();
    let local = fs::read_to_string(again.ca_file()).unwrap();
    assert!(Client::new(&local, BOTH[1]).connects_to(&endpoint).is_err());

    // Another server is asked at once; that it cannot be reached costs nothing.
    let settings = AcmeSettings { directory: "https://127.0.0.1:1/dir".into(), ..settings };
    let other = Certificates::open(&TlsSettings { acme: Some(settings), ..tls }).unwrap();
    let _watching = other.watch(|| {}).unwrap();
    wait_for("an alarm", || !other.alarms().is_empty());
    assert!(again.alarms().is_empty(), "it would have failed by now: {:?}", again.alarms());
    assert_eq!(fs::read(broker.acme_file("certificate.pem")).unwrap(), kept);
}

#[test]
fn a_certificate_is_obtained_over_a_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let tls = listener();
    let server = AcmeServer::start(folder.path(), 1, port(&tls));
    let broker = broker(folder, &server, AcmeProof::TlsAlpn01, &["broker.example.com"]);
    let arrived = answer_tls(tls, Arc::clone(&broker.endpoint));
    let _watching = broker.certificates.watch(|| {}).unwrap();
    assert_eq!(broker.obtained_names(), ["DNSName(\"broker.example.com\")"]);
    assert_eq!(arrived.recv_timeout(PATIENCE), Ok(Arrival::AcmeCheck));
}

#[test]
fn while_nothing_is_proved_the_old_certificate_serves_an_alarm_stands_and_the_server_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let http = listener();
    let server = AcmeServer::start(folder.path(), port(&http), 1);
    let broker = broker(folder, &server, AcmeProof::Http01, &["broker.example.com"]);
    // Answers that are somebody else's: whoever looks finds nothing.
    let asked = answer_http(http, Arc::new(Challenges::default()));
    let watching = broker.certificates.watch(|| {}).unwrap();
    wait_for("an alarm", || !broker.certificates.alarms().is_empty());
    let alarm = broker.certificates.alarms().remove(0).to_string();
    assert!(alarm.contains("broker.example.com was not proved") && alarm.contains("next try on"), "{alarm}");
    assert!(alarm.contains("help: let port 80"), "{alarm}");
    let local = fs::read_to_string(broker.certificates.ca_file()).unwrap();
    assert!(Client::new(&local, BOTH[1]).connects_to(&broker.endpoint).is_ok());
    drop(watching);

    // A start soon after does not ask again.
    let before = asked.try_iter().count();
    let attempts = fs::read(broker.acme_file("attempts.json")).unwrap();
    drop(broker.certificates.watch(|| {}).unwrap());
    assert_eq!((asked.try_iter().count(), before > 0), (0, true));
    assert_eq!(fs::read(broker.acme_file("attempts.json")).unwrap(), attempts);
}

#[test]
fn settings_that_cannot_work_are_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |directory: &str, names: &[&str]| {
        let acme = AcmeSettings {
            directory: directory.into(),
            contact: vec![],
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            proof: AcmeProof::Http01,
            server_ca: None,
        };
        let settings = TlsSettings { folder: folder.path().join("tls"), names: vec![], acme: Some(acme) };
        Certificates::open(&settings).err().unwrap().to_string()
    };
    assert!(refused("acme.example", &["a.example"]).contains("no use for the directory `acme.example`"));
    assert!(
        refused("https://example.com/dir", &["*.a.example"])
            .contains("cannot obtain a certificate for `*.a.example`")
    );
    assert!(refused("https://example.com/dir", &[]).contains("has no names"));
}

/// Another program on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
