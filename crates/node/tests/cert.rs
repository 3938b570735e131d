//! `tidegate cert` from outside: what it writes, what it says, and what it refuses.

use std::path::Path;
use std::process::{Command, Output};

fn cert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("cert").args(arguments).current_dir(folder).env("TIDEGATE_DATA_DIR", "data");
    command.output().expect("the program starts")
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).expect("the program writes UTF-8")
}

#[test]
fn a_client_certificate_is_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let made =
        cert(folder.path(), &["client", "--name", "pump-7", "--san", "pump-7.example", "--days", "30"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(said(&made).starts_with("./pump-7.pem and ./pump-7.key\n  serial "), "{}", said(&made));
    assert!(folder.path().join("data/tls/ca.pem").exists());

    let again = cert(folder.path(), &["client", "--name", "pump-7"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("./pump-7.key exists already, and is not overwritten\n  help: "),
        "{}",
        said(&again)
    );

    let shown = said(&cert(folder.path(), &["show"]));
    assert!(shown.starts_with("CN=Tidegate local CA ") && shown.contains("CN=pump-7  "), "{shown}");
    let revoked = said(&cert(folder.path(), &["revoke", "pump-7"]));
    assert!(revoked.contains("is revoked, in data/tls/crl.pem"), "{revoked}");
    let once_more = said(&cert(folder.path(), &["revoke", "pump-7.pem"]));
    assert!(once_more.contains("was revoked before"), "{once_more}");
    assert!(said(&cert(folder.path(), &["show"])).ends_with("revoked\n"));
    let unknown = cert(folder.path(), &["revoke", "pump-8"]);
    assert!(unknown.status.code() == Some(1) && said(&unknown).contains("`tidegate cert show` lists them"));
}

#[test]
fn a_server_certificate_has_its_name_where_clients_look() {
    let folder = tempfile::tempdir().unwrap();
    let made = cert(folder.path(), &["server", "--name", "edge.example", "--out", "edge"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let text = Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(folder.path().join("edge/edge.example.pem"))
        .output()
        .expect("openssl is installed");
    let text = said(&text);
    for expected in ["DNS:edge.example", "TLS Web Server Authentication", "prime256v1"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_command_line_that_makes_no_certificate_is_refused_with_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in [
        &["client"][..],
        &["client", "--name", "a", "--days", "0"],
        &["client", "--name", "a", "--san", "a b"],
        &["show", "--config", "missing.toml"],
    ] {
        let refused = cert(folder.path(), wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", said(&refused));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let none = cert(folder.path(), &["show"]);
    assert!(
        none.status.code() == Some(1) && said(&none).contains("tls/ca.pem cannot be read"),
        "{}",
        said(&none)
    );
}
