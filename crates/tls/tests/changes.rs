//! Files that change while the broker runs: what fits is taken, what does not is told and changes nothing, and whoever is
//! no longer believed does not slip through an earlier session.

mod world;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustls::{CertificateError, Error};
use tidegate_tls::{CertificateSource, ClientCertificates, NotAdmitted};
use time::OffsetDateTime;
use world::{BOTH, Ca, Client, World, der, settings, trust};

#[test]
fn a_new_pair_is_taken_and_sessions_go_on() {
    let world = World::new();
    let ca = Ca::new("somebody");
    let (old, new) = (ca.server(&["localhost"]), ca.server(&["localhost"]));
    let endpoint = world.endpoint(|settings| settings.certificates = vec![world.put("server", &old)]);
    let client = Client::new(&ca.pem, BOTH[1]);
    assert_eq!(client.connects_to(&endpoint).unwrap().shown(), der(&old.certificate));
    world.put("server", &new);
    world.certificates.reload();
    let resumed = client.connects_to(&endpoint).unwrap();
    assert!(resumed.was_resumed(), "a server certificate is no reason to forget sessions");
    let fresh = Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).unwrap();
    assert_eq!(fresh.shown(), der(&new.certificate));
    assert_eq!(endpoint.generation(), 0);
}

#[test]
fn a_swapped_link_as_kubernetes_does_it_is_noticed_without_being_told() {
    let world = World::new();
    let ca = Ca::new("devices");
    let (old, new) = (ca.server(&["localhost"]), ca.server(&["localhost"]));
    for (version, pair) in [("..1", &old), ("..2", &new)] {
        fs::create_dir(world.path(version)).unwrap();
        fs::write(world.path(version).join("tls.crt"), &pair.certificate).unwrap();
        fs::write(world.path(version).join("tls.key"), &pair.key).unwrap();
        fs::write(world.path(version).join("ca.crt"), format!("# {version}\n{}", ca.pem)).unwrap();
    }
    symlink("..1", world.path("..data")).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        symlink(format!("..data/{name}"), world.path(name)).unwrap();
    }
    let endpoint = world.endpoint(|settings| {
        let (certificate, key) = (world.path("tls.crt"), world.path("tls.key"));
        settings.certificates = vec![CertificateSource::Files { certificate, key }];
        settings.clients = ClientCertificates::Optional(trust(&world.path("ca.crt"), &[]));
    });
    let (say, changed) = sync_channel(1);
    let _watching = world.certificates.watch(move || say.send(()).unwrap()).unwrap();
    symlink("..2", world.path("..data_tmp")).unwrap();
    fs::rename(world.path("..data_tmp"), world.path("..data")).unwrap();
    changed.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).unwrap().shown(), der(&new.certificate));
    assert_eq!(endpoint.generation(), 1);
}

#[test]
fn what_does_not_fit_changes_nothing_and_is_told_until_it_is_mended() {
    let world = World::new();
    let ca = Ca::new("somebody");
    let (good, other) = (ca.server(&["localhost"]), ca.server(&["localhost"]));
    let endpoint = world.endpoint(|settings| settings.certificates = vec![world.put("server", &good)]);
    let past = OffsetDateTime::now_utc() - time::Duration::days(3);
    let expired = ca.server_until(&["localhost"], past);
    let cut = &other.certificate[..other.certificate.len() / 2];
    for (certificate, key, complaint) in [
        ("", &good.key[..], "holds no certificate in PEM"),
        ("garbage", &good.key[..], "holds no certificate in PEM"),
        (cut, &good.key[..], "ends in the middle of a section"),
        (&good.certificate[..], "", "holds no private key in PEM"),
        (
            &good.certificate[..],
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "cannot be used",
        ),
        (&other.certificate[..], &good.key[..], "does not belong to the certificate"),
        (&expired.certificate[..], &expired.key[..], "has expired on"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &good.key[..], "cannot be parsed"),
        ("-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n", &good.key[..], "not base64"),
    ] {
        world.write("server.pem", certificate);
        world.write("server.key", key);
        world.certificates.reload();
        let alarms = world.alarms();
        assert!(alarms.len() == 1 && alarms[0].contains(complaint), "{complaint}: {alarms:?}");
        assert!(alarms[0].contains("server.") && alarms[0].contains("\n  help: "), "{alarms:?}");
        let connected = Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).unwrap();
        assert_eq!(connected.shown(), der(&good.certificate), "{complaint}");
    }
    world.put("server", &good);
    fs::remove_file(world.path("server.key")).unwrap();
    world.certificates.reload();
    assert!(world.alarms()[0].contains("server.key cannot be read: no such file"), "{:?}", world.alarms());
    world.put("server", &other);
    world.certificates.reload();
    assert!(world.alarms().is_empty());
    assert_eq!(
        Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).unwrap().shown(),
        der(&other.certificate)
    );
}

#[test]
fn a_file_that_is_cut_or_damaged_at_any_place_breaks_nothing() {
    let world = World::new();
    let ca = Ca::new("somebody");
    let (good, client) = (ca.server(&["localhost"]), ca.client("pump"));
    let list = ca.list(&[&client]);
    let (file, crl) = (world.write("ca.pem", &ca.pem), world.write("crl.pem", &list));
    let endpoint = world.endpoint(|settings| {
        settings.certificates = vec![world.put("server", &good)];
        settings.clients = ClientCertificates::Optional(trust(&file, &[&crl]));
    });
    for (name, text) in [
        ("server.pem", &good.certificate),
        ("server.key", &good.key),
        ("ca.pem", &ca.pem),
        ("crl.pem", &list),
    ] {
        for at in (0..text.len()).step_by(5) {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            for bytes in [&text.as_bytes()[..at], &damaged[..]] {
                fs::write(world.path(name), bytes).unwrap();
                world.certificates.reload();
                assert!(world.alarms().len() <= 1, "{:?}", world.alarms());
            }
        }
        fs::write(world.path(name), text).unwrap();
        world.certificates.reload();
        assert!(world.alarms().is_empty(), "{:?}", world.alarms());
    }
    assert!(Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).is_ok());
}

#[test]
fn an_expired_certificate_is_better_than_no_start_and_is_told() {
    let world = World::new();
    let ca = Ca::new("somebody");
    let now = OffsetDateTime::now_utc();
    let expired = ca.server_until(&["localhost"], now - time::Duration::days(3));
    let soon = ca.server_until(&["localhost"], now + time::Duration::days(3));
    let source = world.put("server", &expired);
    let endpoint = world.endpoint(|settings| settings.certificates = vec![source]);
    assert!(world.alarms()[0].contains("has expired on"), "{:?}", world.alarms());
    let failed = Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).err().unwrap();
    assert!(matches!(
        failed.client,
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))
    ));
    world.put("server", &soon);
    world.certificates.reload();
    assert!(world.alarms()[0].contains("expires on"), "{:?}", world.alarms());
    assert!(Client::new(&ca.pem, BOTH[1]).connects_to(&endpoint).is_ok());
}

#[test]
fn a_revoked_client_does_not_come_back_with_a_ticket_and_is_found_among_the_connected() {
    for version in BOTH {
        let world = World::new();
        let ca = Ca::new("devices");
        let (kept, thief) = (ca.client("kept"), ca.client("thief"));
        let file = world.write("ca.pem", &ca.pem);
        let crl = world.write("crl.pem", &ca.list(&[]));
        let endpoint = world.endpoint(|s| s.clients = ClientCertificates::Required(trust(&file, &[&crl])));
        let clients = [&kept, &thief].map(|pair| Client::with(&world.local_ca(), version, Some(pair)));
        let connected = clients.each_ref().map(|client| {
            assert!(!client.connects_to(&endpoint).unwrap().was_resumed());
            let again = client.connects_to(&endpoint).unwrap();
            assert!(again.was_resumed());
            again
        });
        assert_eq!(connected[1].identity(), Some("thief"), "a resumed session knows whose it is");

        world.write("crl.pem", &ca.list(&[&thief]));
        let begun_before = endpoint.generation();
        world.certificates.reload();
        assert_eq!(endpoint.generation(), begun_before + 1);
        assert_eq!(endpoint.still_valid(&connected[0].chain()), Ok(()));
        let revoked = Error::InvalidCertificate(CertificateError::Revoked);
        assert_eq!(endpoint.still_valid(&connected[1].chain()), Err(revoked.clone()));
        // A handshake that was under way meanwhile is caught at its end.
        let late = endpoint.arrived(&connected[1].server, begun_before);
        assert_eq!(late, Err(NotAdmitted::Untrusted(revoked.clone())));
        // And the ticket is worth nothing.
        assert!(!clients[0].connects_to(&endpoint).unwrap().was_resumed());
        assert_eq!(clients[1].connects_to(&endpoint).err().unwrap().server, Some(revoked));
    }
}

#[test]
fn a_bad_list_or_ca_keeps_the_old_one_and_an_overdue_list_goes_on_to_count() {
    let world = World::new();
    let ca = Ca::new("devices");
    let thief = ca.client("thief");
    let file = world.write("ca.pem", &ca.pem);
    let crl = world.write("crl.pem", &ca.list(&[&thief]));
    let endpoint = world.endpoint(|s| s.clients = ClientCertificates::Optional(trust(&file, &[&crl])));
    let refused = || Client::with(&world.local_ca(), BOTH[1], Some(&thief)).connects_to(&endpoint).is_err();
    assert!(refused());
    for (name, text, complaint) in [
        ("crl.pem", "", "crl.pem holds no revocation list in PEM\n  help: the file is empty"),
        ("crl.pem", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "cannot be used"),
        ("ca.pem", "x", "ca.pem holds no certificate in PEM"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
    ] {
        let before = fs::read_to_string(world.path(name)).unwrap();
        world.write(name, text);
        world.certificates.reload();
        assert!(world.alarms().len() == 1 && world.alarms()[0].contains(complaint), "{:?}", world.alarms());
        assert!(refused(), "{complaint}");
        world.write(name, &before);
        world.certificates.reload();
        assert!(world.alarms().is_empty());
    }
    assert_eq!(endpoint.generation(), 0, "nothing has changed");
    let overdue = ca.list_until(&[&thief], OffsetDateTime::now_utc() - time::Duration::days(1));
    world.write("crl.pem", &overdue);
    world.certificates.reload();
    assert!(world.alarms()[0].contains("should have been replaced"), "{:?}", world.alarms());
    assert!(refused());
}

#[test]
fn a_listener_with_unusable_files_does_not_start() {
    let world = World::new();
    let missing = world.path("missing.pem");
    let files = |ca: &std::path::Path| settings(|s| s.clients = ClientCertificates::Required(trust(ca, &[])));
    let trouble = world.certificates.endpoint(files(&missing)).unwrap_err();
    assert!(
        trouble.to_string().ends_with("check the path; a symbolic link may point to nothing"),
        "{trouble}"
    );
    let none = settings(|s| s.clients = ClientCertificates::Required(tidegate_tls::TrustFiles::default()));
    assert!(world.certificates.endpoint(none).unwrap_err().to_string().contains("no CA is named"));
    let folder = CertificateSource::Files { certificate: world.folder.path().into(), key: missing };
    let trouble = world.certificates.endpoint(settings(|s| s.certificates = vec![folder])).unwrap_err();
    assert!(trouble.to_string().contains("is not a file"), "{trouble}");
}
