//! How Tidegate is started.

use super::Programs;
use crate::certificate::Files;
use crate::door::Entrance;
use crate::fault::Fault;
use std::fs;
use std::path::Path;
use std::process::Command;

/// No line per connection: mosquitto is told to log nothing either. A setting that mentions the log replaces it.
const LOG: &str = "[log]\nlevel = \"warn\"\n";

/// `tidegate serve` with these listeners and its data in `folder`.
pub(super) fn command(
    programs: &Programs,
    folder: &Path,
    shards: u32,
    entrances: &[Entrance],
    files: Option<&Files>,
) -> Result<Command, Fault> {
    if !programs.tidegate.is_file() {
        let path = programs.tidegate.display();
        return Err(Fault::Broker(format!(
            "{path} does not exist. help: cargo build --release --package tidegate"
        )));
    }
    let config = folder.join("tidegate.toml");
    let head = configuration(&programs.tidegate_settings, &folder.join("data"), shards);
    let text = entrances.iter().fold(head, |text, entrance| text + &listener(entrance, files));
    fs::write(&config, text).map_err(Fault::io("writing the configuration of Tidegate"))?;
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
    format!("{keys}data_dir = {data:?}\nshards = {shards}\n{tables}{log}", data = data.display().to_string())
}

fn listener(entrance: &Entrance, files: Option<&Files>) -> String {
    let Entrance { address, door, .. } = entrance;
    let mut text = format!("\n[[listener]]\naddress = \"{address}\"\n");
    if door.is_websocket() {
        text += "websocket = true\n";
    }
    if let Some(Files { certificate, key, .. }) = files.filter(|_| door.is_tls()) {
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        text += &format!("tls = true\ncertificate = {certificate:?}\nkey = {key:?}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ]
        );
    }

    #[test]
    fn a_setting_of_the_log_replaces_ours() {
        let text = configuration(&["[log]".to_owned(), "level = \"info\"".to_owned()], Path::new("/d"), 1);
        assert!(text.contains("info") && !text.contains("warn"));
    }
}
