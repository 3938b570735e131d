//! The local CA and its server certificate: made at the first start, kept, renewed, and never lost to a crash.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tidegate_tls::{
    AlternativeName, Authority, Certificates, ClientCertificates, Request, Revocation, TlsSettings, Usage,
    folder,
};
use world::{BOTH, Ca, Client, World, settings, trust};

fn start(folder: &Path, names: &[&str]) -> Result<Certificates, tidegate_tls::Trouble> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Certificates::open(&TlsSettings { folder: folder.into(), names, acme: None })
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.is_file())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Whether a client that believes the CA in the folder is served under this name.
fn serves(certificates: &Certificates, name: &'static str) -> bool {
    let endpoint = certificates.endpoint(settings(|_| {})).unwrap();
    let ca = fs::read_to_string(certificates.ca_file()).unwrap();
    Client::new(&ca, BOTH[1]).asking_for(name).connects_to(&endpoint).is_ok()
}

#[test]
fn the_first_start_makes_files_for_their_user_only_and_the_next_keeps_them() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data/tls");
    assert!(serves(&start(&folder, &["broker.example"]).unwrap(), "broker.example"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for key in ["ca.key", "server.key"] {
        assert_eq!(mode(&folder.join(key)), 0o600, "{key}");
    }
    let before = files(&folder);
    let names: Vec<_> = before.keys().map(String::as_str).collect();
    assert_eq!(names, ["ca.key", "ca.pem", "crl.pem", "server.key", "server.pem"]);
    start(&folder, &["broker.example"]).unwrap();
    assert_eq!(files(&folder), before);
}

#[test]
fn other_names_make_another_server_certificate_of_the_same_ca() {
    let root = tempfile::tempdir().unwrap();
    let first = start(root.path(), &[]).unwrap();
    let before = files(root.path());
    assert!(!serves(&first, "new.example"));
    let second = start(root.path(), &["new.example", "192.0.2.7"]).unwrap();
    assert!(serves(&second, "new.example") && serves(&second, "192.0.2.7") && serves(&second, "localhost"));
    let after = files(root.path());
    assert_eq!(before["ca.pem"], after["ca.pem"]);
    assert_ne!(before["server.key"], after["server.key"]);
    let trouble = start(root.path(), &["not a name"]).err().unwrap();
    assert!(trouble.to_string().contains("`not a name`"), "{trouble}");
}

#[test]
fn a_crash_between_any_two_files_does_not_break_the_next_start() {
    // In the order in which they are written; a crash leaves the first ones.
    let order = ["ca.key", "ca.pem", "crl.pem", "server.key", "server.pem"];
    for kept in 0..order.len() {
        let root = tempfile::tempdir().unwrap();
        start(root.path(), &[]).unwrap();
        let before = files(root.path());
        for lost in &order[kept..] {
            fs::remove_file(root.path().join(lost)).unwrap();
        }
        fs::write(root.path().join(".server.pem.new"), "half").unwrap();
        assert!(serves(&start(root.path(), &[]).unwrap(), "localhost"), "{kept} files were left");
        if kept >= 2 {
            assert_eq!(files(root.path())["ca.pem"], before["ca.pem"], "{kept} files were left");
        }
    }
    // The key of a renewal, and the certificate before it.
    let root = tempfile::tempdir().unwrap();
    start(root.path(), &[]).unwrap();
    let old = fs::read(root.path().join("server.pem")).unwrap();
    start(root.path(), &["new.example"]).unwrap();
    fs::write(root.path().join("server.pem"), old).unwrap();
    assert!(serves(&start(root.path(), &["new.example"]).unwrap(), "new.example"));
}

#[test]
fn a_broken_server_certificate_is_moved_aside_and_made_anew() {
    let root = tempfile::tempdir().unwrap();
    start(root.path(), &[]).unwrap();
    fs::write(root.path().join("server.pem"), "garbage").unwrap();
    assert!(serves(&start(root.path(), &[]).unwrap(), "localhost"));
    assert_eq!(fs::read_to_string(root.path().join("server.pem.unusable")).unwrap(), "garbage");
}

#[test]
fn a_server_certificate_that_somebody_put_there_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    start(root.path(), &[]).unwrap();
    let theirs = Ca::new("their own").server(&["theirs.example"]);
    fs::write(root.path().join("server.pem"), &theirs.certificate).unwrap();
    fs::write(root.path().join("server.key"), &theirs.key).unwrap();
    start(root.path(), &[]).unwrap();
    assert_eq!(files(root.path())["server.pem"], theirs.certificate);
}

#[test]
fn a_broken_ca_is_not_replaced_behind_anybodys_back() {
    for (file, text) in [("ca.pem", "garbage"), ("ca.key", "garbage"), ("ca.pem", "")] {
        let root = tempfile::tempdir().unwrap();
        start(root.path(), &[]).unwrap();
        fs::write(root.path().join(file), text).unwrap();
        let before = files(root.path());
        let trouble = start(root.path(), &[]).err().unwrap();
        assert!(trouble.file.ends_with(file), "{trouble}");
        assert_eq!(files(root.path()), before);
    }
    let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    start(root.path(), &[]).unwrap();
    start(other.path(), &[]).unwrap();
    fs::copy(other.path().join("ca.key"), root.path().join("ca.key")).unwrap();
    assert!(start(root.path(), &[]).err().unwrap().what.contains("does not belong to the CA"));
}

#[test]
fn without_its_key_the_ca_serves_on_and_says_when_it_cannot_renew() {
    let root = tempfile::tempdir().unwrap();
    start(root.path(), &[]).unwrap();
    fs::remove_file(root.path().join("ca.key")).unwrap();
    let certificates = start(root.path(), &[]).unwrap();
    assert!(serves(&certificates, "localhost") && certificates.alarms().is_empty());
    let renamed = start(root.path(), &["new.example"]).unwrap();
    assert!(serves(&renamed, "localhost"));
    assert!(renamed.alarms()[0].what.contains("the names have changed"), "{:?}", renamed.alarms());
    fs::remove_file(root.path().join("server.pem")).unwrap();
    assert!(start(root.path(), &[]).err().unwrap().what.contains("cannot sign anything"));
}

fn request(name: &str) -> Request {
    let names = ["a.example", "ip:192.0.2.1", "spiffe://example.com/x", "x@example.com"];
    Request {
        usage: Usage::Client,
        common_name: name.into(),
        names: names.iter().map(|name| AlternativeName::parse(name).unwrap()).collect(),
        days: 30,
    }
}

#[test]
fn a_client_certificate_of_the_local_ca_works_until_it_is_revoked() {
    let world = World::new();
    let tls = world.path("tls");
    let authority = Authority::open(&tls).unwrap();
    let out = world.path("out");
    let (file, key, issued) = authority.issue_into(&out, &request("pump-7")).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let pair = world::Pair {
        certificate: fs::read_to_string(&file).unwrap(),
        key: fs::read_to_string(&key).unwrap(),
        serial: vec![],
    };
    let list = folder::revocation_list(&tls);
    let endpoint = world.endpoint(|s| {
        s.clients = ClientCertificates::Required(trust(&folder::ca_certificate(&tls), &[&list]));
    });
    let client = Client::with(&world.local_ca(), BOTH[1], Some(&pair));
    assert_eq!(client.connects_to(&endpoint).unwrap().identity(), Some("pump-7"));

    // Never overwritten, and what was not handed out is not kept.
    assert!(authority.issue_into(&out, &request("pump-7")).err().unwrap().what.contains("not overwritten"));
    assert_eq!(authority.issued().unwrap().len(), 1);

    let found = authority.issued_as("pump-7").unwrap();
    assert_eq!(found, authority.issued_as(&issued.serial).unwrap());
    let done = authority.revoke(&found).unwrap();
    assert_eq!(done, Revocation::Done { serial: issued.serial.clone(), subject: "CN=pump-7".into() });
    assert_eq!(authority.revoke(&file).unwrap(), Revocation::Already { serial: issued.serial });
    world.certificates.reload();
    assert!(client.connects_to(&endpoint).is_err());
    assert!(authority.issued_as("pump-7").is_err());

    // The list grows, whoever is revoked next.
    let (second, _, _) = authority.issue_into(&out, &request("pump-8")).unwrap();
    authority.revoke(&second).unwrap();
    assert!(authority.issued().unwrap().iter().all(|known| known.revoked));
    let strangers = world.write("stranger.pem", &Ca::new("stranger").client("x").certificate);
    assert!(authority.revoke(&strangers).err().unwrap().what.contains("was not signed by the local CA"));
}

#[test]
fn names_that_cannot_stand_in_a_certificate_are_refused_and_files_stay_in_their_folder() {
    for bad in ["", "a b", "dns:ä.example", "ip:1.2.3", "uri:", "email:a b@c", "-.-."] {
        assert!(AlternativeName::parse(bad).is_err(), "{bad}");
    }
    let world = World::new();
    let authority = Authority::open(&world.path("tls")).unwrap();
    for (name, file) in [("../../up", "_./.._up.pem"), (".hidden", "_hidden.pem"), ("a/b c", "a_b_c.pem")] {
        let (written, _, _) = authority.issue_into(&world.path("out"), &request(name)).unwrap();
        assert_eq!(written.parent(), Some(world.path("out").as_path()), "{name}");
        assert_eq!(written.file_name().unwrap().to_string_lossy(), file.replace("_./..", "_._.."), "{name}");
    }
    assert!(authority.issue(&request(&"x".repeat(65))).is_err());
    assert!(authority.issue(&request("")).is_err());
}
