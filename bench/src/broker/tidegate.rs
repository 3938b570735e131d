//! How Tidegate is started, and how it says where it listens.

use super::Programs;
use crate::fault::Fault;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// No line per connection: mosquitto is told to log nothing either. A setting that mentions the log replaces it.
const LOG: &str = "[log]\nlevel = \"warn\"\n";

/// `tidegate serve` with a port of its choice and its data in `folder`.
pub(super) fn command(programs: &Programs, folder: &Path, shards: u32) -> Result<Command, Fault> {
    if !programs.tidegate.is_file() {
        let path = programs.tidegate.display();
        return Err(Fault::Broker(format!(
            "{path} does not exist. help: cargo build --release --package tidegate"
        )));
    }
    let config = folder.join("tidegate.toml");
    fs::write(&config, configuration(&programs.tidegate_settings, &folder.join("data"), shards))
        .map_err(Fault::io("writing the configuration of Tidegate"))?;
    let mut command = Command::new(&programs.tidegate);
    command.arg("serve").arg("--config").arg(config);
    Ok(command)
}

fn configuration(settings: &[String], data: &Path, shards: u32) -> String {
    let settings: String = settings.iter().map(|line| format!("{line}\n")).collect();
    let (keys, tables) = match settings.find('[') {
        Some(table) if settings[..table].is_empty() || settings[..table].ends_with('\n') => {
            settings.split_at(table)
        }
        _ => (settings.as_str(), ""),
    };
    let log = if settings.contains("log") { "" } else { LOG };
    format!(
        "{keys}data_dir = {data:?}\nshards = {shards}\n{tables}{log}\n[[listener]]\naddress = \"127.0.0.1:0\"\n",
        data = data.display().to_string()
    )
}

/// The address in a line like `listening on 127.0.0.1:41883`.
pub(super) fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, said) = line.split_once("listening")?;
    said.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':'))
        .filter_map(|word| word.trim_matches(['.', ':']).parse().ok())
        .find(|address: &SocketAddr| address.port() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_prose_or_of_fields() {
        let expected = Some("127.0.0.1:41883".parse().unwrap());
        assert_eq!(listening_address("  MQTT listening on 127.0.0.1:41883 (plain TCP)."), expected);
        assert_eq!(listening_address("INFO listening address=127.0.0.1:41883, shards=1"), expected);
        assert_eq!(listening_address("listening on 127.0.0.1:41883."), expected);
        assert_eq!(listening_address("listening soon"), None);
        assert_eq!(listening_address("connected to 127.0.0.1:41883"), None);
    }

    #[test]
    fn settings_stand_where_toml_wants_them() {
        let settings = ["allow_anonymous = true", "[limits]", "receive_maximum = 1"].map(str::to_owned);
        let text = configuration(&settings, Path::new("/d"), 2);
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(
            lines,
            [
                "allow_anonymous = true",
                "data_dir = \"/d\"",
                "shards = 2",
                "[limits]",
                "receive_maximum = 1",
                "[log]",
                "level = \"warn\"",
                "[[listener]]",
                "address = \"127.0.0.1:0\""
            ]
        );
    }

    #[test]
    fn a_setting_of_the_log_replaces_ours() {
        let text = configuration(&["[log]".to_owned(), "level = \"info\"".to_owned()], Path::new("/d"), 1);
        assert!(text.contains("info") && !text.contains("warn"));
    }
}
