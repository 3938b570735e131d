//! Runs the scenarios round by round, the contestants in alternation, and draws medians and verdicts.
//!
//! Absolute figures drift with the machine and with whatever else it does; contestants that take turns drift
//! together.

use crate::affinity::{Cores, Placement};
use crate::broker::{Broker, Contestant, Programs};
use crate::clock;
use crate::fault::Fault;
use crate::measures::{Measures, Metric, ThreadShare};
use crate::scenario::{Bound, Goal, Scenario};
use crate::statistics::{median, ratio};
use crate::traffic::Timing;
use crate::usage::{self, Usage};
use serde::Serialize;
use std::collections::BTreeMap;

/// CPU per message with several shards, as a multiple of one shard's.
const SHARDS_MAY_COST: f64 = 1.15;

/// With two shards, each carries 40 to 60 % of the work.
const BUSIEST_SHARD_PERCENT_MAX: f64 = 60.0;

/// Who is compared, how often and for how long.
#[derive(Clone, Debug)]
pub struct Contest {
    /// Whose figures are held to the bounds.
    pub measured: Contestant,
    /// Whose figures the bounds refer to.
    pub reference: Option<Contestant>,
    /// Runs of each contestant in each scenario.
    pub rounds: u32,
    /// How long a run takes.
    pub timing: Timing,
    /// Where broker and generator are held.
    pub placement: Placement,
    /// Where the brokers are.
    pub programs: Programs,
}

/// The result of a scenario.
#[derive(Debug, Serialize)]
pub struct Verdicts {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whose figures are held to the bounds.
    pub measured: Entry,
    /// Whose figures the bounds refer to.
    pub reference: Option<Entry>,
    /// One per goal of the scenario.
    pub lines: Vec<Line>,
}

/// All runs of one contestant in a scenario.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The contestant.
    pub name: String,
    /// Medians over the runs that count.
    pub medians: BTreeMap<Metric, f64>,
    /// Every run, in order.
    pub runs: Vec<Run>,
}

/// One run: figures, or why it is void.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// It counts.
    Valid(Measures),
    /// It does not, because of this.
    Void(String),
}

/// One figure against its bound.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Which figure.
    pub metric: Metric,
    /// Median of the measured contestant.
    pub measured: Option<f64>,
    /// Median of the reference.
    pub reference: Option<f64>,
    /// The one divided by the other.
    pub ratio: Option<f64>,
    /// The same within each round, as far as both runs count: how steady the ratio is.
    pub ratio_by_round: Vec<f64>,
    /// The bound, as the table shows it.
    pub bound: Option<String>,
    /// Whether it is kept; absent where there is no bound or no figure.
    pub is_met: Option<bool>,
}

impl Contest {
    /// Runs one scenario; `report` hears of every run as it ends.
    pub fn run(
        &self,
        scenario: &Scenario,
        cores: &Cores,
        mut report: impl FnMut(&str, u32, &Run),
    ) -> Verdicts {
        let mut measured = Entry::of(&self.measured);
        let opponent = self.reference.as_ref().filter(|_| scenario.has_reference());
        let mut reference = opponent.map(Entry::of);
        for round in 1..=self.rounds {
            let sides = [(Some(&self.measured), Some(&mut measured)), (opponent, reference.as_mut())];
            for (contestant, entry) in sides {
                let Some((contestant, entry)) = contestant.zip(entry) else { continue };
                let run = match self.run_once(scenario, contestant, cores) {
                    Ok(measures) => Run::Valid(measures),
                    Err(fault) => Run::Void(fault.to_string()),
                };
                report(&entry.name, round, &run);
                entry.runs.push(run);
            }
        }
        measured.draw_medians();
        if let Some(reference) = &mut reference {
            reference.draw_medians();
        }
        let lines =
            self.goals(scenario).iter().map(|goal| judge(goal, &measured, reference.as_ref())).collect();
        Verdicts { scenario: scenario.name, about: scenario.about, measured, reference, lines }
    }

    fn run_once(
        &self,
        scenario: &Scenario,
        contestant: &Contestant,
        cores: &Cores,
    ) -> Result<Measures, Fault> {
        let mut broker = Broker::start(contestant, &self.programs, cores, self.placement, scenario.doors())?;
        let before = Busy::now(&broker)?;
        let mut measures = scenario.run(&mut broker, self.timing)?;
        measures.set(Metric::OthersCpuPercent, Busy::now(&broker)?.others_since(&before));
        Ok(measures)
    }

    /// Against mosquitto the goals of the scenario; between numbers of shards, what a second one may cost.
    /// Bounds are Tidegate's: the figures of another broker are only shown.
    fn goals(&self, scenario: &Scenario) -> Vec<Goal> {
        let shown = scenario.goals.iter().map(|goal| Goal { bound: Bound::None, ..*goal });
        match (&self.measured, &self.reference) {
            (Contestant::Tidegate { .. }, Some(Contestant::Tidegate { .. })) => {}
            (Contestant::Tidegate { .. }, _) => return scenario.goals.clone(),
            _ => return shown.collect(),
        }
        let keep = |bound| if scenario.is_saturated { bound } else { Bound::None };
        let shown = shown.map(|goal| match goal.metric {
            Metric::CpuSecondsPerMillion => {
                Goal { bound: keep(Bound::TimesReference(SHARDS_MAY_COST)), ..goal }
            }
            _ => goal,
        });
        shown
            .chain([Goal {
                metric: Metric::BusiestShardPercent,
                bound: keep(Bound::AtMost(BUSIEST_SHARD_PERCENT_MAX)),
            }])
            .collect()
    }
}

impl Entry {
    fn of(contestant: &Contestant) -> Self {
        Self { name: contestant.name(), medians: BTreeMap::new(), runs: Vec::new() }
    }

    fn valid_runs(&self) -> impl Iterator<Item = &Measures> {
        self.runs.iter().filter_map(|run| match run {
            Run::Valid(measures) => Some(measures),
            Run::Void(_) => None,
        })
    }

    /// Whether no run counts, so that nothing can be said.
    pub fn is_void(&self) -> bool {
        self.valid_runs().next().is_none()
    }

    /// How the last run that counts was split over the broker's threads.
    pub fn threads(&self) -> &[ThreadShare] {
        self.valid_runs().last().map_or(&[], |measures| &measures.threads)
    }

    fn draw_medians(&mut self) {
        let mut figures: BTreeMap<Metric, Vec<f64>> = BTreeMap::new();
        for (&metric, &figure) in self.valid_runs().flat_map(|measures| &measures.figures) {
            figures.entry(metric).or_default().push(figure);
        }
        self.medians =
            figures.iter().filter_map(|(&metric, figures)| Some((metric, median(figures)?))).collect();
    }
}

/// Who used the machine up to a moment.
struct Busy {
    at: u64,
    machine: u64,
    broker: Option<Usage>,
    generator: Usage,
}

impl Busy {
    fn now(broker: &Broker) -> Result<Self, Fault> {
        let (machine, generator) = (usage::machine_nanos()?, Usage::of(std::process::id())?);
        Ok(Self { at: clock::nanos(), machine, broker: broker.usage()?, generator })
    }

    /// What nobody of ours used, in percent of one core; none when the broker is not observed.
    fn others_since(&self, before: &Self) -> Option<f64> {
        let broker = self.broker.as_ref()?.nanos_since(before.broker.as_ref()?);
        let ours = broker + self.generator.nanos_since(&before.generator);
        let others = (self.machine - before.machine).saturating_sub(ours);
        ratio(100.0 * others as f64, (self.at - before.at) as f64)
    }
}

fn judge(goal: &Goal, measured: &Entry, reference: Option<&Entry>) -> Line {
    let ours = measured.medians.get(&goal.metric).copied();
    let theirs = reference.and_then(|entry| entry.medians.get(&goal.metric).copied());
    let ratio = ours.zip(theirs).and_then(|(ours, theirs)| ratio(ours, theirs));
    let (bound, is_met) = match goal.bound {
        Bound::TimesReference(most) => (Some(format!("≤ {most} ×")), ratio.map(|ratio| ratio <= most)),
        Bound::AtMost(most) => (Some(format!("≤ {most}")), ours.map(|ours| ours <= most)),
        Bound::AtLeast(least) => (Some(format!("≥ {least}")), ours.map(|ours| ours >= least)),
        Bound::None => (None, None),
    };
    let ratio_by_round =
        reference.map_or_else(Vec::new, |entry| ratio_by_round(goal.metric, measured, entry));
    Line { metric: goal.metric, measured: ours, reference: theirs, ratio, ratio_by_round, bound, is_met }
}

fn ratio_by_round(metric: Metric, measured: &Entry, reference: &Entry) -> Vec<f64> {
    let figure = |run: &Run| match run {
        Run::Valid(measures) => measures.figures.get(&metric).copied(),
        Run::Void(_) => None,
    };
    let rounds = measured.runs.iter().zip(&reference.runs);
    rounds.filter_map(|(ours, theirs)| ratio(figure(ours)?, figure(theirs)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(figures: &[f64]) -> Entry {
        let mut entry = Entry::of(&Contestant::Mosquitto);
        for &figure in figures {
            let mut measures = Measures::default();
            measures.set(Metric::CpuSecondsPerMillion, figure);
            entry.runs.push(Run::Valid(measures));
        }
        entry.runs.push(Run::Void("lost".into()));
        entry.draw_medians();
        entry
    }

    fn goal(bound: Bound) -> Goal {
        Goal { metric: Metric::CpuSecondsPerMillion, bound }
    }

    #[test]
    fn medians_are_drawn_over_the_runs_that_count() {
        assert_eq!(entry(&[3.0, 1.0, 9.0]).medians[&Metric::CpuSecondsPerMillion], 3.0);
        assert!(entry(&[]).medians.is_empty());
        assert!(entry(&[]).is_void());
    }

    #[test]
    fn a_bound_on_the_ratio_is_kept_up_to_its_value() {
        let (ours, theirs) = (entry(&[1.0]), entry(&[4.0]));
        for (most, expected) in [(0.25, true), (0.24, false)] {
            let line = judge(&goal(Bound::TimesReference(most)), &ours, Some(&theirs));
            assert_eq!((line.ratio, line.is_met), (Some(0.25), Some(expected)));
            assert_eq!(line.ratio_by_round, [0.25], "the void second round has no ratio");
        }
    }

    #[test]
    fn without_a_figure_there_is_no_verdict() {
        let line = judge(&goal(Bound::TimesReference(1.0)), &entry(&[1.0]), Some(&entry(&[])));
        assert_eq!(line.is_met, None);
        let line = judge(&goal(Bound::AtMost(1.0)), &entry(&[]), None);
        assert_eq!(line.is_met, None);
        assert_eq!(judge(&goal(Bound::AtMost(1.0)), &entry(&[2.0]), None).is_met, Some(false));
        for (ours, expected) in [(0.9, false), (1.0, true)] {
            assert_eq!(judge(&goal(Bound::AtLeast(1.0)), &entry(&[ours]), None).is_met, Some(expected));
        }
    }
}
