//! Handshakes in memory: which certificate a client gets, what is agreed on, and whose certificate is believed.

mod world;

use rustls::{AlertDescription, CertificateError, Error};
use tidegate_tls::{
    ACME_TLS_ALPN, ALPN_HTTP, ALPN_MQTT, Arrival, CertificateSource, ClientCertificates, Endpoint,
    IdentityRule, OldestVersion,
};
use world::{BOTH, Ca, Client, Pair, World, der, trust};

#[test]
fn a_client_that_believes_the_local_ca_is_served() {
    let world = World::new();
    let endpoint = world.endpoint(|_| {});
    for version in BOTH {
        for name in ["localhost", "127.0.0.1", "::1"] {
            let connected =
                Client::new(&world.local_ca(), version).asking_for(name).connects_to(&endpoint).unwrap();
            assert_eq!(connected.server.protocol_version(), Some(version.version));
            assert_eq!(connected.identity(), None);
        }
    }
}

#[test]
fn a_client_of_an_older_tls_is_refused_where_only_the_newest_is_spoken() {
    let world = World::new();
    let endpoint = world.endpoint(|settings| settings.oldest = OldestVersion::Tls13);
    let client = |version| Client::new(&world.local_ca(), version).connects_to(&endpoint);
    assert!(client(BOTH[1]).is_ok());
    let failed = client(BOTH[0]).err().unwrap();
    assert_eq!(failed.client, Some(Error::AlertReceived(AlertDescription::ProtocolVersion)));
}

#[test]
fn a_name_chooses_the_certificate_and_the_first_is_for_everybody_else() {
    let world = World::new();
    let ca = Ca::new("somebody");
    let (first, exact, wildcard) =
        (ca.server(&["first.example"]), ca.server(&["a.b.example"]), ca.server(&["*.b.example"]));
    let endpoint = world.endpoint(|settings| {
        settings.certificates =
            vec![world.put("first", &first), world.put("wildcard", &wildcard), world.put("exact", &exact)];
    });
    for version in BOTH {
        for (name, expected) in
            [("first.example", &first), ("a.b.example", &exact), ("c.b.example", &wildcard)]
        {
            let connected = Client::new(&ca.pem, version).asking_for(name).connects_to(&endpoint).unwrap();
            assert_eq!(connected.shown(), der(&expected.certificate), "{name}");
        }
        // Neither a deeper name nor the domain itself is what the wildcard stands for.
        for name in ["x.c.b.example", "b.example", "127.0.0.1"] {
            let failed = Client::new(&ca.pem, version).asking_for(name).connects_to(&endpoint).err().unwrap();
            assert!(
                matches!(
                    failed.client,
                    Some(Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
                ),
                "{name}: {failed:?}"
            );
        }
        let upper = Client::new(&ca.pem, version).asking_for("A.B.Example").connects_to(&endpoint).unwrap();
        assert_eq!(upper.shown(), der(&exact.certificate));
    }
}

#[test]
fn protocols_are_agreed_on_and_clients_that_offer_none_are_served() {
    let world = World::new();
    let mqtt = world.endpoint(|_| {});
    let both = world.endpoint(|settings| settings.alpn = vec![ALPN_MQTT, ALPN_HTTP]);
    for version in BOTH {
        let client = || Client::new(&world.local_ca(), version);
        assert_eq!(client().connects_to(&mqtt).unwrap().protocol(), None);
        let offering = client().offering(&[b"x", b"mqtt"]).connects_to(&mqtt).unwrap();
        assert_eq!(offering.protocol(), Some(ALPN_MQTT));
        let browser = client().offering(&[b"http/1.1"]).connects_to(&both).unwrap();
        assert_eq!(browser.protocol(), Some(ALPN_HTTP));
        let failed = client().offering(&[b"http/1.1"]).connects_to(&mqtt).err().unwrap();
        assert_eq!(failed.client, Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)));
    }
}

#[test]
fn a_client_certificate_is_believed_when_a_named_ca_has_signed_it() {
    let world = World::new();
    let (ca, stranger) = (Ca::new("devices"), Ca::new("stranger"));
    let file = world.write("devices.pem", &ca.pem);
    let required = world.endpoint(|s| s.clients = ClientCertificates::Required(trust(&file, &[])));
    let optional = world.endpoint(|s| s.clients = ClientCertificates::Optional(trust(&file, &[])));
    for version in BOTH {
        let connect = |pair: Option<&Pair>, endpoint: &Endpoint| {
            Client::with(&world.local_ca(), version, pair).connects_to(endpoint)
        };
        let pump = ca.client("pump-7");
        for endpoint in [&required, &optional] {
            assert_eq!(connect(Some(&pump), endpoint).unwrap().identity(), Some("pump-7"));
            let unknown = connect(Some(&stranger.client("pump-7")), endpoint).err().unwrap();
            assert_eq!(unknown.server, Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)));
            let expired = connect(Some(&ca.expired_client("pump-7")), endpoint).err().unwrap();
            let why = format!("{:?}", expired.server);
            assert!(why.contains("Expired"), "{why}");
            // A server's certificate proves no client.
            let server = connect(Some(&ca.server(&["a.example"])), endpoint).err().unwrap();
            assert!(matches!(server.server, Some(Error::InvalidCertificate(_))), "{server:?}");
        }
        assert_eq!(connect(None, &optional).unwrap().identity(), None);
        assert_eq!(connect(None, &required).err().unwrap().server, Some(Error::NoCertificatesPresented));
    }
}

#[test]
fn a_revoked_certificate_is_refused_at_any_place_of_the_chain() {
    let world = World::new();
    let root = Ca::new("root");
    let (good, bad) = (root.below("good"), root.below("bad"));
    let (kept, revoked, below_bad) = (good.client("kept"), good.client("revoked"), bad.client("below"));
    let mut bad_ca = kept.clone();
    bad_ca.serial =
        x509_parser::parse_x509_certificate(&der(&bad.pem)).unwrap().1.tbs_certificate.serial.to_bytes_be();
    let ca = world.write("root.pem", &root.pem);
    let crl =
        world.write("crl.pem", &[good.list(&[&revoked]), bad.list(&[]), root.list(&[&bad_ca])].concat());
    let endpoint = world.endpoint(|s| s.clients = ClientCertificates::Required(trust(&ca, &[&crl])));
    for version in BOTH {
        let connect = |mut pair: Pair, between: &Ca| {
            pair.certificate.push_str(&between.pem);
            Client::with(&world.local_ca(), version, Some(&pair)).connects_to(&endpoint)
        };
        assert_eq!(connect(kept.clone(), &good).unwrap().identity(), Some("kept"));
        for (pair, between) in [(&revoked, &good), (&below_bad, &bad)] {
            let failed = connect(pair.clone(), between).err().unwrap();
            assert_eq!(failed.server, Some(Error::InvalidCertificate(CertificateError::Revoked)));
        }
        // No list of its issuer: nobody knows whether it was revoked.
        let other = root.below("other");
        let failed = connect(other.client("x"), &other).err().unwrap();
        assert_eq!(failed.server, Some(Error::InvalidCertificate(CertificateError::UnknownRevocationStatus)));
    }
}

#[test]
fn the_rule_decides_which_name_of_a_certificate_is_the_clients() {
    let world = World::new();
    let ca = Ca::new("devices");
    let file = world.write("devices.pem", &ca.pem);
    let (full, bare) = (ca.client("pump"), ca.expired_client("bare"));
    for (rule, expected) in [
        (IdentityRule::CommonName, "pump"),
        (IdentityRule::SanDns, "pump.example.com"),
        (IdentityRule::SanUri, "spiffe://example.com/pump"),
        (IdentityRule::SanEmail, "pump@example.com"),
    ] {
        let endpoint = world.endpoint(|settings| {
            settings.identity = rule;
            settings.clients = ClientCertificates::Required(trust(&file, &[]));
        });
        let connected = Client::with(&world.local_ca(), BOTH[1], Some(&full)).connects_to(&endpoint).unwrap();
        assert_eq!(connected.identity(), Some(expected));
        // One that names nobody by the rule is not taken for a client without a certificate.
        let unnamed = rule.identity(&[der(&bare.certificate).into()]);
        assert_eq!(unnamed.is_err(), rule != IdentityRule::CommonName);
    }
}

#[test]
fn a_session_does_not_outlive_the_certificate_it_began_with() {
    let world = World::new();
    let ca = Ca::new("devices");
    let file = world.write("devices.pem", &ca.pem);
    let endpoint = world.endpoint(|s| s.clients = ClientCertificates::Required(trust(&file, &[])));
    let end = time::OffsetDateTime::now_utc() + time::Duration::seconds(2);
    let client = Client::with(&world.local_ca(), BOTH[1], Some(&ca.client_until("pump", end)));
    assert!(!client.connects_to(&endpoint).unwrap().was_resumed());
    // The calendar is what is waited for; in between the session is good.
    let refused = (0..1000).find_map(|_| {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        let connected = client.connects_to(&endpoint).unwrap();
        assert!(connected.was_resumed());
        connected.arrival.err()
    });
    let why = refused.unwrap().to_string();
    assert!(why.contains("not believed") && why.contains("expired"), "{why}");
    assert!(time::OffsetDateTime::now_utc() >= end);
}

#[test]
fn an_acme_server_finds_no_door_where_nothing_is_to_be_proved() {
    let world = World::new();
    let file = world.write("devices.pem", &Ca::new("devices").pem);
    let acme = |clients| {
        world.endpoint(|settings| {
            settings.certificates = vec![CertificateSource::Acme];
            settings.clients = clients;
        })
    };
    let (open, required) =
        (acme(ClientCertificates::Off), acme(ClientCertificates::Required(trust(&file, &[]))));
    let comes = |protocols: &[&[u8]], endpoint: &Endpoint| {
        Client::new(&world.local_ca(), BOTH[1]).offering(protocols).connects_to(endpoint)
    };
    // Nothing is obtained yet, so the local certificate serves.
    assert_eq!(comes(&[ALPN_MQTT], &open).unwrap().identity(), None);
    let alert = |failed: Box<world::Failed>| failed.client;
    assert_eq!(
        comes(&[ACME_TLS_ALPN], &open).map(|_| ()).map_err(alert),
        Err(Some(Error::AlertReceived(AlertDescription::AccessDenied)))
    );
    // Whoever requires certificates of clients cannot be looked at by a server that has none.
    assert_eq!(
        comes(&[ACME_TLS_ALPN], &required).map(|_| ()).map_err(alert),
        Err(Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
    );
    // Offered beside others it gets nobody in.
    let both = comes(&[ACME_TLS_ALPN, b"x"], &open).unwrap();
    assert_eq!(both.arrival, Ok(Arrival::AcmeCheck));
}
