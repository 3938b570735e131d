//! The results as a table for people and as JSON for programs.

use crate::contest::{Entry, Line, Run, Verdicts};
use crate::fault::Fault;
use crate::measures::Metric;
use serde::Serialize;
use std::fs;
use std::path::Path;

/// What other programs may take of a core before the table says so.
const DISTURBED_PERCENT: f64 = 5.0;

/// Everything a comparison yields.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// Runs of each contestant in each scenario.
    pub rounds: u32,
    /// Seconds that were measured in each run.
    pub seconds: f64,
    /// Result by scenario.
    pub scenarios: Vec<Verdicts>,
}

/// What the comparison ran on.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Release of Linux.
    pub kernel: String,
}

impl Machine {
    /// The machine this runs on.
    pub fn this() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            processor: processor.map_or("unknown", |(_, model)| model).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

impl Report {
    /// Writes the JSON file.
    pub fn write_json(&self, path: &Path) -> Result<(), Fault> {
        let attempt = format!("writing {}", path.display());
        let text =
            serde_json::to_string_pretty(self).map_err(|error| Fault::io(attempt.clone())(error.into()))?;
        fs::write(path, text + "\n").map_err(Fault::io(attempt))
    }

    /// Whether every scenario has a run that counts, of everybody who took part.
    pub fn is_complete(&self) -> bool {
        self.scenarios.iter().all(|scenario| {
            !scenario.measured.is_void() && scenario.reference.as_ref().is_none_or(|entry| !entry.is_void())
        })
    }

    /// The table.
    pub fn table(&self) -> String {
        let measured = self.scenarios.first().map_or("", |first| first.measured.name.as_str());
        let references = self.scenarios.iter().filter_map(|scenario| scenario.reference.as_ref());
        let reference = references.map(|entry| entry.name.as_str()).next().unwrap_or_default();
        let header = ["scenario", "figure", reference, measured, "ratio", "bound", ""].map(str::to_owned);
        let mut rows = vec![header];
        for scenario in &self.scenarios {
            rows.extend(scenario.lines.iter().enumerate().map(|(index, line)| row(scenario, index, line)));
        }
        let mut text = String::new();
        let widths = widths_of(&rows);
        for (index, row) in rows.iter().enumerate() {
            text += &aligned(row, &widths);
            if index == 0 {
                text += &format!("{}\n", "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            }
        }
        text + &self.remarks()
    }

    /// Void runs, disturbed ones, and the threads of the brokers that use several.
    fn remarks(&self) -> String {
        let remarks: Vec<_> = self
            .scenarios
            .iter()
            .flat_map(|verdicts| {
                let entries = [Some(&verdicts.measured), verdicts.reference.as_ref()];
                entries.into_iter().flatten().flat_map(|entry| remarks_on(verdicts.scenario, entry))
            })
            .collect();
        if remarks.is_empty() { String::new() } else { format!("\n{}\n", remarks.join("\n")) }
    }
}

fn remarks_on(scenario: &str, entry: &Entry) -> Vec<String> {
    let whose = format!("{scenario} of {}", entry.name);
    let void = entry.runs.iter().filter_map(|run| match run {
        Run::Void(reason) => Some(format!("void: {whose}: {reason}")),
        Run::Valid(_) => None,
    });
    let mut remarks: Vec<_> = void.collect();
    if let Some(others) =
        entry.medians.get(&Metric::OthersCpuPercent).filter(|&&others| others > DISTURBED_PERCENT)
    {
        remarks.push(format!("disturbed: {whose}: other programs used {others:.0} % of a core"));
    }
    let busy: Vec<_> = entry
        .threads()
        .iter()
        .filter(|thread| thread.percent >= 1.0)
        .map(|thread| format!("{} {:.0} %", thread.name, thread.percent))
        .collect();
    if busy.len() > 1 {
        remarks.push(format!("threads: {whose}: {}", busy.join(", ")));
    }
    remarks
}

fn row(scenario: &Verdicts, index: usize, line: &Line) -> [String; 7] {
    let verdict = match (line.is_met, &line.bound) {
        (Some(true), _) => "met",
        (Some(false), _) => "NOT MET",
        (None, Some(_)) => "no verdict",
        (None, None) => "",
    };
    [
        if index == 0 { scenario.scenario.to_owned() } else { String::new() },
        line.metric.label().to_owned(),
        scenario.reference.as_ref().map_or_else(String::new, |_| figure(line.reference)),
        figure(line.measured),
        line.ratio.map_or_else(String::new, |ratio| with_spread(ratio, &line.ratio_by_round)),
        line.bound.clone().unwrap_or_default(),
        verdict.to_owned(),
    ]
}

/// The ratio of the medians, and between what the rounds lie.
fn with_spread(ratio: f64, rounds: &[f64]) -> String {
    let (least, most) =
        rounds.iter().fold((ratio, ratio), |(least, most), &round| (least.min(round), most.max(round)));
    if rounds.len() < 2 { format!("{ratio:.3}") } else { format!("{ratio:.3} ({least:.3}–{most:.3})") }
}

/// Three digits that matter; thousands without a fraction.
pub fn figure(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) if value >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

fn widths_of(rows: &[[String; 7]]) -> [usize; 7] {
    std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
}

/// Text to the left, figures to the right.
fn aligned(row: &[String; 7], widths: &[usize; 7]) -> String {
    let cell = |column: usize| {
        let (text, width) = (&row[column], widths[column]);
        if (2..=4).contains(&column) { format!("{text:>width$}") } else { format!("{text:<width$}") }
    };
    let line: Vec<_> = (0..row.len()).map(cell).collect();
    format!("{}\n", line.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let shown = [0.2345, 2.345, 23.45, 2345.6].map(|value| figure(Some(value)));
        assert_eq!(shown, ["0.234", "2.35", "23.4", "2346"]);
        assert_eq!(figure(None), "–");
    }

    #[test]
    fn a_ratio_of_several_rounds_shows_their_spread() {
        assert_eq!(with_spread(0.5, &[0.4, 0.5, 0.75]), "0.500 (0.400–0.750)");
        assert_eq!(with_spread(0.5, &[0.5]), "0.500");
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let rows = [
            ["a", "µs", "1", "10", "", "", ""].map(str::to_owned),
            ["bb", "s", "100", "2", "", "", "met"].map(str::to_owned),
        ];
        let widths = widths_of(&rows);
        assert_eq!(aligned(&rows[0], &widths), "a   µs    1  10\n");
        assert_eq!(aligned(&rows[1], &widths), "bb  s   100   2      met\n");
    }
}
