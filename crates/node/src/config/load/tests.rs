//! Each refusal with its exact words.

use std::ffi::OsString;

use proptest::prelude::*;

use super::*;
use crate::config::{LogFormat, LogLevel};

/// The configuration of this file and these variables.
fn loaded(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Refusals> {
    loaded_bytes(text.as_bytes(), variables)
}

fn loaded_bytes(bytes: &[u8], variables: &[(&str, &str)]) -> Result<Loaded, Refusals> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.toml");
    std::fs::write(&path, bytes).unwrap();
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut result = load(&Source { file: Some(path.clone()), environment });
    // The folder differs from run to run; the messages must not.
    let short = |place: &mut Place| match place {
        Place::File(path) | Place::Line(path, _) => *path = "t.toml".into(),
        Place::Variable(_) | Place::Nowhere => {}
    };
    match &mut result {
        Ok(loaded) => loaded.origins.values_mut().for_each(short),
        Err(refusals) => refusals.places_mut().for_each(short),
    }
    result
}

fn said(text: &str, variables: &[(&str, &str)]) -> String {
    match loaded(text, variables) {
        Ok(loaded) => panic!("accepted: {loaded:?}"),
        Err(refusals) => refusals.to_string(),
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    let loaded = loaded("", &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.is_empty());
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text =
        "shards = 2\ndata_dir = \"x\"\n[log]\nformat = \"json\"\n[limits]\nqueue_bytes_max = 0x1_0000\n";
    let variables = [
        ("TIDEGATE_SHARDS", "3"),
        ("TIDEGATE_LISTENER", "127.0.0.1:1, [::1]:2"),
        ("TIDEGATE_LOG__LEVEL", "trace"),
        ("TIDEGATE_ALLOW_ANONYMOUS", "false"),
        ("TIDEGATE_DATA_DIR", "y z"),
        ("HOME", "/root"),
    ];
    let loaded = loaded(text, &variables).unwrap();
    let config = &loaded.config;
    assert_eq!((config.shards, config.data_dir.to_str()), (3, Some("y z")));
    assert_eq!((config.log.level, config.log.format), (LogLevel::Trace, LogFormat::Json));
    assert_eq!(config.listeners, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
    assert_eq!(config.limits.queue_bytes_max, 65_536);
    assert!(!config.allow_anonymous);
    assert_eq!(loaded.origins["shards"], Place::Variable("TIDEGATE_SHARDS".into()));
    assert_eq!(loaded.origins["log.format"], Place::Line("t.toml".into(), 4));
    assert_eq!(loaded.origins.get("sys.interval_secs"), None);
}

#[test]
fn a_mistyped_key_names_the_nearest() {
    assert_eq!(
        said("shard = 2\n", &[]),
        "t.toml:1: N0106 unknown key `shard`\n  help: did you mean `shards`?\n1 error"
    );
    assert_eq!(
        said("[limits]\n\npacket_byte_max = 2000\n", &[]),
        "t.toml:3: N0106 unknown key `packet_byte_max` in `[limits]`\n  help: did you mean `packet_bytes_max`?\n\
         1 error"
    );
    assert_eq!(
        said("[limts]\npacket_bytes_max = 2000\n", &[]),
        "t.toml:1: N0106 unknown section `[limts]`\n  help: did you mean `[limits]`?\n1 error"
    );
    assert_eq!(
        said("[[listeners]]\naddress = '127.0.0.1:1'\n", &[]),
        "t.toml:1: N0106 unknown section `[listeners]`\n  help: did you mean `[[listener]]`?\n1 error"
    );
}

#[test]
fn a_key_in_the_wrong_section_names_the_right_one() {
    assert_eq!(
        said("packet_bytes_max = 2000\n[log]\nshards = 1\n", &[]),
        "t.toml:1: N0106 unknown key `packet_bytes_max`\n  help: did you mean `packet_bytes_max` in `[limits]`?\n\
         t.toml:3: N0106 unknown key `shards` in `[log]`\n  help: did you mean `shards`, above all sections?\n\
         2 errors"
    );
}

#[test]
fn a_key_that_resembles_none_points_to_the_list() {
    assert_eq!(
        said("persistence_location = '/x'\n", &[]),
        "t.toml:1: N0106 unknown key `persistence_location`\n  help: `tidegate config reference` lists every key\n\
         1 error"
    );
}

#[test]
fn a_value_of_another_type_says_both_types() {
    assert_eq!(
        said("shards = \"2\"\nallow_anonymous = 1\ndata_dir = 1.5\nlistener = true\nlog = []\n", &[]),
        "t.toml:1: N0107 `shards` must be a whole number, but is a string\n  help: the default is `shards = 0`\n\
         t.toml:2: N0107 `allow_anonymous` must be `true` or `false`, but is a whole number\n  help: the default \
         is `allow_anonymous = true`\n\
         t.toml:3: N0107 `data_dir` must be a string, but is a number with a fraction\n  help: the default is \
         `data_dir = \"./tidegate-data\"`\n\
         t.toml:4: N0107 `listener` must be tables `[[listener]]`, but is `true`\n  help: the default is \
         `[[listener]] address = \"127.0.0.1:1883\"`\n\
         t.toml:5: N0107 `log` must be a section, but is a list\n  help: write the section as `[log]` with its \
         keys below it\n5 errors"
    );
}

#[test]
fn a_value_out_of_its_bounds_says_them() {
    let huge = "9".repeat(60);
    let text = format!(
        "shards = 65\ndata_dir = ''\n[log]\nlevel = 'loud'\n[limits]\nreceive_maximum = -1\ninflight_max = {huge}\n"
    );
    assert_eq!(
        said(&text, &[]),
        "t.toml:1: N0108 `shards` must be a whole number from 0 to 64, but is 65\n  help: the default is \
         `shards = 0`\n\
         t.toml:2: N0108 `data_dir` must be the path of a directory, but is \"\"\n  help: the default is `data_dir \
         = \"./tidegate-data\"`\n\
         t.toml:4: N0108 `log.level` must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\", but is \
         \"loud\"\n  help: the default is `level = \"info\"`\n\
         t.toml:6: N0108 `limits.receive_maximum` must be a whole number from 1 to 65535, but is -1\n  help: the \
         default is `receive_maximum = 1024`\n\
         t.toml:7: N0108 `limits.inflight_max` must be a whole number from 1 to 65535, but is larger\n  help: the \
         default is `inflight_max = 1024`\n5 errors"
    );
}

#[test]
fn a_listener_without_a_usable_address_is_refused() {
    assert_eq!(
        said(
            "[[listener]]\naddress = 'localhost:1883'\n[[listener]]\nport = 1883\n[[listener]]\naddress = 1\n",
            &[]
        ),
        "t.toml:2: N0108 `listener` must be an IP address with a port, such as \"127.0.0.1:1883\" or \
         \"[::1]:1883\", but is \"localhost:1883\"\n  help: the default is `[[listener]] address = \
         \"127.0.0.1:1883\"`\n\
         t.toml:3: N0108 `listener` has no `address`\n  help: the default is `[[listener]] address = \
         \"127.0.0.1:1883\"`\n\
         t.toml:4: N0106 unknown key `port` in `[[listener]]`\n  help: the only key of a listener is `address`\n\
         t.toml:6: N0107 `listener` must have a string as `address`, but has a whole number\n  help: the default \
         is `[[listener]] address = \"127.0.0.1:1883\"`\n4 errors"
    );
    assert!(said("listener = []\n", &[]).contains("must be from 1 to 64 addresses, but is 0 addresses"));
    assert!(
        said("listener = [1]\n", &[]).contains("must be tables `[[listener]]`, but one is a whole number")
    );
}

#[test]
fn a_key_or_a_section_that_stands_twice_is_refused() {
    assert_eq!(
        said("shards = 1\nshards = 2\n[log]\n[log]\n", &[]),
        "t.toml:2: N0105 `shards` stands here for the second time\n  help: keep one of the two\n\
         t.toml:4: N0105 `log` stands here for the second time\n  help: keep one of the two\n2 errors"
    );
}

#[test]
fn a_file_that_is_not_toml_says_the_line_and_the_rest_is_checked_too() {
    let text =
        said("data_dir = /var/lib\nshards = 2\n[limits\nreceive_maximum = 0\n[log]\nlevel = 'x'\n", &[]);
    assert!(text.starts_with("t.toml:1: N0104 not TOML: "), "{text}");
    assert!(text.contains("\nt.toml:3: N0104 not TOML: "), "{text}");
    assert!(text.contains("in \"data_dir = /var/lib\"\n  help: lines look like `shards = 2`"), "{text}");
    // What stands below the broken section cannot be judged; what stands below the next one can.
    assert!(text.contains("\nt.toml:6: N0108 `log.level`"), "{text}");
    assert!(text.ends_with("3 errors"), "{text}");
}

#[test]
fn a_file_of_nothing_but_mistakes_is_refused_in_a_page() {
    for mistake in ["[\n", "x\n"] {
        let text = said(&mistake.repeat(50_000), &[]);
        assert!(text.lines().count() < 300, "{} lines", text.lines().count());
        assert!(text.ends_with("… and 49900 more\n50000 errors"), "{}", &text[text.len() - 60..]);
    }
}

#[test]
fn a_missing_file_is_refused_and_not_replaced_by_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let refusals = load(&Source { file: Some(path.clone()), environment: Vec::new() }).unwrap_err();
    assert_eq!(
        refusals.to_string(),
        format!(
            "{}: N0101 cannot be read: no such file or directory\n  help: give a readable file to --config, or \
             leave --config out to start with the defaults\n1 error",
            path.display()
        )
    );
    let refusals = load(&Source { file: Some(folder.path().into()), environment: Vec::new() }).unwrap_err();
    assert!(refusals.to_string().contains("N0101 cannot be read: is a directory"), "{refusals}");
}

#[test]
fn a_file_that_is_not_text_or_too_large_is_refused() {
    let refusals = loaded_bytes(b"shards = 1\n# \xff\n", &[]).unwrap_err();
    assert_eq!(refusals.to_string(), "t.toml:2: N0102 is not UTF-8\n  help: save the file as UTF-8\n1 error");
    let refusals = loaded_bytes(&vec![b'#'; 1024 * 1024 + 1], &[]).unwrap_err();
    assert_eq!(
        refusals.to_string(),
        "t.toml: N0103 is larger than 1048576 bytes\n  help: is this the right file? a configuration is a few \
         lines\n1 error"
    );
}

#[test]
fn a_variable_that_names_no_key_or_has_a_bad_value_is_refused() {
    let variables = [
        ("TIDEGATE_DATADIR", "x"),
        ("TIDEGATE_LIMITS_QUEUE", "1"),
        ("TIDEGATE_LISTENER", "1883,[::1]:1"),
        ("TIDEGATE_SHARDS", "many"),
        ("TIDEGATE_SHUTDOWN__GRACE_SECS", "9999"),
    ];
    assert_eq!(
        said("", &variables),
        "environment TIDEGATE_DATADIR: N0111 names no key of the configuration\n  help: did you mean \
         `TIDEGATE_DATA_DIR`?\n\
         environment TIDEGATE_LIMITS_QUEUE: N0111 names no key of the configuration\n  help: `tidegate config \
         reference` lists every key and its variable; unset what is not ours\n\
         environment TIDEGATE_LISTENER: N0108 `listener` must be an IP address with a port, such as \
         \"127.0.0.1:1883\" or \"[::1]:1883\", but is \"1883\"\n  help: the default is \
         `TIDEGATE_LISTENER=127.0.0.1:1883`\n\
         environment TIDEGATE_SHARDS: N0108 `shards` must be a whole number, but is \"many\"\n  help: the default \
         is `TIDEGATE_SHARDS=0`\n\
         environment TIDEGATE_SHUTDOWN__GRACE_SECS: N0108 `shutdown.grace_secs` must be a whole number from 0 to \
         3600, but is 9999\n  help: the default is `TIDEGATE_SHUTDOWN__GRACE_SECS=10`\n5 errors"
    );
}

#[test]
fn what_kubernetes_says_of_a_service_called_tidegate_is_not_an_error_there() {
    let links = [
        ("TIDEGATE_SERVICE_HOST", "10.0.0.1"),
        ("TIDEGATE_SERVICE_PORT", "1883"),
        ("TIDEGATE_PORT", "tcp://10.0.0.1:1883"),
        ("TIDEGATE_PORT_1883_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(loaded("", &links).is_err(), "elsewhere they are somebody's mistake");
    let there = [&links[..], &[("KUBERNETES_SERVICE_HOST", "10.0.0.2")]].concat();
    assert_eq!(loaded("", &there).unwrap().config, Config::default());
}

#[test]
fn anonymous_access_beyond_loopback_needs_the_words() {
    let open = "[[listener]]\naddress = '127.0.0.1:1883'\n[[listener]]\naddress = '0.0.0.0:1884'\n";
    assert_eq!(
        said(open, &[]),
        "t.toml:1: N0110 0.0.0.0:1884 can be reached from other machines, and anybody may connect without a \
         credential\n  help: listen on 127.0.0.1, or set `allow_anonymous = false`, or, when anybody who reaches \
         the port may read and write everything, say so with `allow_anonymous_beyond_loopback = true`\n1 error"
    );
    for address in ["[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
        assert!(said("", &[("TIDEGATE_LISTENER", address)]).contains("N0110"), "{address}");
    }
    for address in ["127.0.0.2:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(loaded("", &[("TIDEGATE_LISTENER", address)]).is_ok(), "{address}");
    }
    assert!(loaded(open, &[("TIDEGATE_ALLOW_ANONYMOUS", "false")]).is_ok());
    assert!(loaded(open, &[("TIDEGATE_ALLOW_ANONYMOUS_BEYOND_LOOPBACK", "true")]).is_ok());
}

#[test]
fn values_that_cannot_hold_together_are_refused() {
    let text = "listener = [{ address = '127.0.0.1:1' }, { address = '127.0.0.1:1' }]\n[limits]\n\
                packet_bytes_max = 2048\npacket_bytes_before_connect_max = 4096\n";
    assert_eq!(
        said(text, &[]),
        "t.toml:1: N0109 two listeners have the address 127.0.0.1:1\n  help: keep one of the two\n\
         t.toml:4: N0109 `limits.packet_bytes_before_connect_max` is 4096, which is more than \
         `limits.packet_bytes_max` with 2048\n  help: lower `limits.packet_bytes_before_connect_max` or raise \
         `limits.packet_bytes_max`\n2 errors"
    );
    // More than the other's default is a contradiction too: a default is never raised.
    let text = said("[limits]\npacket_bytes_before_connect_max = 20_000_000\n", &[]);
    assert!(text.starts_with("t.toml:2: N0109"), "{text}");
    // Port 0 is another port each time.
    assert!(loaded("listener = [{ address = '127.0.0.1:0' }, { address = '127.0.0.1:0' }]\n", &[]).is_ok());
}

#[test]
fn a_default_is_lowered_to_the_bound_that_was_set() {
    let text = "[limits]\npacket_bytes_max = 2048\nsession_expiry_max_secs = 60\n";
    let loaded = loaded(text, &[]).unwrap();
    assert_eq!(loaded.config.limits.packet_bytes_before_connect_max, 2048);
    assert_eq!(loaded.config.limits.session_expiry_v3_secs, 60);
    // What is shown as its origin is the line that lowered it.
    assert_eq!(loaded.origins["limits.session_expiry_v3_secs"], Place::Line("t.toml".into(), 3));
}

#[test]
fn a_refused_key_causes_no_second_error() {
    let text = said("allow_anonymous = 'no'\n[[listener]]\naddress = '0.0.0.0:1'\n", &[]);
    assert!(text.ends_with("1 error") && text.contains("N0107"), "{text}");
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let environment = vec![("TIDEGATE_DATA_DIR".into(), OsString::from_vec(vec![0xff]))];
    let refusals = load(&Source { file: None, environment }).unwrap_err();
    assert!(refusals.to_string().contains("`data_dir` is not UTF-8"), "{refusals}");
}

/// Lines that are TOML more often than chance would have it.
fn line() -> impl Strategy<Value = String> {
    let names: Vec<&str> = crate::config::keys::all().map(|key| key.name).collect();
    let name = prop_oneof![proptest::sample::select(names), Just("limits"), Just("listener"), Just("x.y")];
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("[[]]".to_owned()),
        Just("{ a = 1, a = 2 }".to_owned()),
        Just("1979-05-27".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| format!("{s:?}")),
        ".{0,20}",
    ];
    prop_oneof![
        (name.clone(), value).prop_map(|(name, value)| format!("{name} = {value}")),
        name.clone().prop_map(|name| format!("[{name}]")),
        name.prop_map(|name| format!("[[{name}]]")),
        ".{0,40}",
    ]
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(lines in proptest::collection::vec(line(), 0..12)) {
        let _either = loaded(&lines.join("\n"), &[]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _either = loaded_bytes(&bytes, &[]);
    }

    #[test]
    fn no_value_of_a_variable_makes_it_panic(key in 0..30_usize, value in "\\PC{0,40}") {
        let keys: Vec<_> = crate::config::keys::all().collect();
        let variable = keys[key % keys.len()].variable();
        let _either = load(&Source { file: None, environment: vec![(variable.into(), value.into())] });
    }
}
