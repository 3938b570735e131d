//! The lines for the person who started the broker: what listens where, where the data is, and what to try.

use std::net::SocketAddr;

use crate::config::Config;

/// To be shown once clients are accepted. `listening` has the ports that were really taken.
pub fn welcome(config: &Config, listening: &[SocketAddr]) -> String {
    let mut out = format!("Tidegate {} is ready\n", env!("CARGO_PKG_VERSION"));
    for address in listening {
        out.push_str(&format!("  MQTT listening on {address}\n"));
    }
    out.push_str(&format!("  Data in {}\n", config.data_dir.display()));
    out.push_str(match (config.allow_anonymous, config.allow_anonymous_beyond_loopback) {
        (true, false) => "  Anybody on this machine may connect\n",
        (true, true) => "  Anybody who reaches it may connect, read and write, as the configuration says\n",
        (false, _) => {
            "  Nobody can connect: `allow_anonymous` is off, and this version knows no credentials\n"
        }
    });
    if let Some(address) = listening.first().filter(|_| config.allow_anonymous) {
        let (host, port) = (reachable(*address), address.port());
        out.push_str("Try it in two terminals:\n");
        out.push_str(&format!("  mosquitto_sub -h {host} -p {port} -t 'hello/#' -v\n"));
        out.push_str(&format!("  mosquitto_pub -h {host} -p {port} -t hello/world -m 'It works'\n"));
    }
    out.push_str("Ctrl-C ends it");
    out
}

/// Where a client on this machine finds the listener.
fn reachable(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "::1".into(),
        other => other.ip().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_can_be_pasted() {
        let text = welcome(&Config::default(), &["127.0.0.1:41883".parse().unwrap()]);
        let expected = format!(
            "Tidegate {} is ready
  MQTT listening on 127.0.0.1:41883
  Data in ./tidegate-data
  Anybody on this machine may connect
Try it in two terminals:
  mosquitto_sub -h 127.0.0.1 -p 41883 -t 'hello/#' -v
  mosquitto_pub -h 127.0.0.1 -p 41883 -t hello/world -m 'It works'
Ctrl-C ends it",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn an_address_that_means_all_of_them_is_not_one_to_connect_to() {
        let config = Config { allow_anonymous_beyond_loopback: true, ..Config::default() };
        let text = welcome(&config, &["[::]:1883".parse().unwrap()]);
        assert!(text.contains("-h ::1 -p 1883"), "{text}");
        assert!(text.contains("Anybody who reaches it"), "{text}");
    }

    #[test]
    fn nothing_to_try_is_offered_when_nobody_can_connect() {
        let config = Config { allow_anonymous: false, ..Config::default() };
        let text = welcome(&config, &["127.0.0.1:1883".parse().unwrap()]);
        assert!(!text.contains("mosquitto_sub") && text.contains("Nobody can connect"), "{text}");
    }
}
