//! `cargo xtask fuzz [TARGET] [--minutes N]`: looks for bytes that a decoder does not survive.

use crate::program::{output, program, run, succeeds};
use crate::step::{Outcome, step};

/// Fuzzes one target, or each in turn.
pub(crate) fn fuzz(arguments: &[String]) -> Outcome {
    let (target, minutes) = parse(arguments)?;
    if !succeeds(&mut nightly(&["fuzz", "--version"])) {
        return Err("cargo-fuzz is missing. help: rustup toolchain install nightly && cargo install cargo-fuzz --locked".into());
    }
    let listed = output(&mut nightly(&["fuzz", "list"]))?;
    let targets: Vec<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let chosen: Vec<&str> = match target {
        None => targets,
        Some(one) if targets.contains(&one) => vec![one],
        Some(other) => return Err(format!("no fuzz target {other}; there are {}", targets.join(", "))),
    };
    let seconds = format!("-max_total_time={}", minutes * 60);
    for target in chosen {
        step(&format!("{target}, {minutes} min"), || {
            run(&mut nightly(&["fuzz", "run", target, "--", &seconds]))
        })?;
    }
    Ok(())
}

/// The toolchain comes first on the command line, which only the cargo of rustup reads.
fn nightly(arguments: &[&str]) -> std::process::Command {
    let mut command = program("cargo", &["+nightly"]);
    command.args(arguments);
    command
}

fn parse(arguments: &[String]) -> Outcome<(Option<&str>, u32)> {
    let (mut target, mut minutes) = (None, MINUTES);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--minutes" => {
                let number = words.next().and_then(|number| number.parse().ok());
                minutes = number.filter(|n| (1..=MINUTES_MAX).contains(n)).ok_or(USAGE)?;
            }
            name if target.is_none() && !name.starts_with('-') => target = Some(name),
            _ => return Err(USAGE.into()),
        }
    }
    Ok((target, minutes))
}

const MINUTES: u32 = 30;
const MINUTES_MAX: u32 = 7 * 24 * 60;
const USAGE: &str = "cargo xtask fuzz [TARGET] [--minutes N]";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Option<(Option<String>, u32)> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        parse(&words).ok().map(|(target, minutes)| (target.map(str::to_owned), minutes))
    }

    #[test]
    fn target_and_minutes_come_in_any_order() {
        assert_eq!(parsed(&[]), Some((None, 30)));
        assert_eq!(parsed(&["a"]), Some((Some("a".into()), 30)));
        assert_eq!(parsed(&["--minutes", "2", "a"]), Some((Some("a".into()), 2)));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["a", "b"], &["--jobs"]] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
