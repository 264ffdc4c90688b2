//! The table and its JSON: medians and spread, each beside its limit, and whether that is as near as it should be.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};

/// How near to the limit a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// There is none.
    None,
    /// The ratio to the limit, at least.
    Ratio(f64),
    /// The figure itself, at most.
    AtMost(f64),
    /// The figure itself, between the two.
    Between(f64, f64),
}

/// One line of the table.
pub struct Row {
    section: &'static str,
    name: String,
    unit: &'static str,
    values: Vec<f64>,
    limit: Option<(&'static str, Vec<f64>)>,
    goal: Goal,
}

impl Row {
    /// A figure, one of each round.
    pub fn new(section: &'static str, name: impl Into<String>, unit: &'static str, values: Vec<f64>) -> Self {
        Self { section, name: name.into(), unit, values, limit: None, goal: Goal::None }
    }

    /// The limit that it is compared with, one value of each round.
    pub fn beside(mut self, name: &'static str, values: Vec<f64>) -> Self {
        self.limit = Some((name, values));
        self
    }

    /// How near it should be.
    pub const fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// Of each round, so that what slowed a round down slowed down both.
    fn ratios(&self) -> Option<Vec<f64>> {
        let (_, limits) = self.limit.as_ref()?;
        Some(self.values.iter().zip(limits).map(|(value, limit)| value / limit).collect())
    }

    fn met(&self) -> Option<bool> {
        let value = median(&self.values);
        match self.goal {
            Goal::None => None,
            Goal::Ratio(least) => Some(self.ratios().is_some_and(|ratios| median(&ratios) >= least)),
            Goal::AtMost(most) => Some(value <= most),
            Goal::Between(least, most) => Some((least..=most).contains(&value)),
        }
    }

    fn line(&self) -> String {
        let (least, most) = ends(&self.values);
        let figure = format!(
            "{:<9} {:<38} {:>9} {:>17} {:<8}",
            self.section,
            self.name,
            short(median(&self.values)),
            format!("{}…{}", short(least), short(most)),
            self.unit
        );
        let limit = match (&self.limit, self.ratios()) {
            (Some((name, limits)), Some(ratios)) => {
                format!(" {:>6.2} × {} {name}", median(&ratios), short(median(limits)))
            }
            _ => String::new(),
        };
        let goal = match self.goal {
            Goal::None => String::new(),
            Goal::Ratio(least) => format!("  [≥ {least}]"),
            Goal::AtMost(most) => format!("  [≤ {most}]"),
            Goal::Between(least, most) => format!("  [{least}…{most}]"),
        };
        let met = match self.met() {
            Some(false) => " NOT MET",
            Some(true) | None => "",
        };
        format!("{figure}{limit}{goal}{met}")
    }

    fn to_json(&self) -> Value {
        let (least, most) = ends(&self.values);
        let limit =
            self.limit.as_ref().map(|(name, values)| json!({"name": name, "values": values, "median": median(values)}));
        let ratios = self.ratios();
        json!({
            "section": self.section, "name": self.name, "unit": self.unit, "values": self.values,
            "median": median(&self.values), "min": least, "max": most, "limit": limit,
            "ratio": ratios.as_deref().map(median), "ratios": ratios, "met": self.met(),
        })
    }
}

/// Everything that was measured.
pub struct Report {
    quick: bool,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// An empty one.
    pub const fn new(quick: bool) -> Self {
        Self { quick, rows: Vec::new(), notes: Vec::new() }
    }

    /// A line more, shown at once.
    pub fn add(&mut self, row: Row) {
        println!("{}", row.line());
        self.rows.push(row);
    }

    /// Adds a note on a figure that could not be measured, with the reason.
    pub fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }

    /// Whether nothing failed.
    pub const fn is_complete(&self) -> bool {
        self.notes.is_empty()
    }

    /// The table, and the same as JSON.
    pub fn finish(&self, path: &Path) -> Result<()> {
        let head =
            format!("{:<9} {:<38} {:>9} {:>17} {:<8} ratio to limit", "section", "what", "median", "spread", "unit");
        println!("\n{head}\n{}", "-".repeat(head.len() + 30));
        for row in &self.rows {
            println!("{}", row.line());
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.as_secs());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let busy = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        let whole = json!({
            "at": at, "quick": self.quick, "cores": cores, "load_average_after": busy.trim(), "rows": rows,
            "failed": self.notes,
        });
        Ok(std::fs::write(path, serde_json::to_string_pretty(&whole)?)?)
    }
}

/// The one in the middle.
pub fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ends(of: &[f64]) -> (f64, f64) {
    of.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), one| (least.min(*one), most.max(*one)))
}

/// Three digits are more than a measurement knows.
fn short(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, Row};

    #[test]
    fn a_ratio_is_of_each_round_and_decides_about_the_goal() {
        let row = Row::new("login", "embedded", "/s", vec![90.0, 50.0, 95.0]);
        let row = row.beside("hashes", vec![100.0, 52.0, 100.0]).goal(Goal::Ratio(0.9));
        assert_eq!(row.met(), Some(true));
        assert!(row.line().contains("0.95 × 100 hashes"), "{}", row.line());
        assert_eq!(Row::new("timing", "login", "AUC", vec![0.61]).goal(Goal::Between(0.45, 0.55)).met(), Some(false));
    }
}
