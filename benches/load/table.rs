//! The figures as a table in Markdown, with what they were measured on.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use crate::phase::{Figures, Noise};
use crate::rival::installed_in;

/// A server, and its figures.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// Its rounds in order, as many as each other server has.
    pub(crate) rounds: Vec<Figures>,
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    pub(crate) unit: &'static str,
    figure: fn(&Figures) -> Option<f64>,
    pub(crate) better: Better,
    /// The figure that entremise should reach.
    goal: Goal,
}

/// Whether more or less is better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Less,
    More,
}

enum Goal {
    /// In the row's unit.
    AtMost(f64),
    /// As a multiple of the first server's figure, or as a part of it where less is better.
    Times(f64),
    /// As a multiple of the first server's p50.
    OfItsMedian(f64),
}

pub(crate) const ROWS: [Row; 10] = [
    Row {
        title: "Memory of an idle TLS peer, fresh",
        unit: "KiB",
        figure: |figures| Some(figures.kib_fresh),
        better: Better::Less,
        goal: Goal::AtMost(10.0),
    },
    Row {
        title: "… after a call",
        unit: "KiB",
        figure: |figures| Some(figures.kib_called),
        better: Better::Less,
        goal: Goal::AtMost(12.0),
    },
    Row {
        title: "TLS and WebSocket connects per CPU second",
        unit: "",
        figure: |figures| Some(figures.connects),
        better: Better::More,
        goal: Goal::Times(6.0),
    },
    Row {
        title: "Relayed messages per CPU second, 50 busy pairs",
        unit: "",
        figure: |figures| Some(figures.relayed_few),
        better: Better::More,
        goal: Goal::Times(6.0),
    },
    Row {
        title: "… 500 busy pairs",
        unit: "",
        figure: |figures| Some(figures.relayed_many),
        better: Better::More,
        goal: Goal::Times(6.0),
    },
    Row {
        title: "CPU per message at 2,000 messages/s",
        unit: "µs",
        figure: |figures| Some(micros(figures.cpu_per_message)),
        better: Better::Less,
        goal: Goal::Times(2.7),
    },
    Row {
        title: "Latency at 2,000 messages/s, p50",
        unit: "µs",
        figure: |figures| Some(micros(figures.p50)),
        better: Better::Less,
        goal: Goal::OfItsMedian(0.6),
    },
    Row {
        title: "… p99",
        unit: "µs",
        figure: |figures| Some(micros(figures.p99)),
        better: Better::Less,
        goal: Goal::OfItsMedian(2.5),
    },
    Row {
        title: "Whole calls per CPU second",
        unit: "",
        figure: |figures| Some(figures.calls),
        better: Better::More,
        goal: Goal::Times(7.0),
    },
    Row {
        title: "Bystanders' p99 while one peer floods another that does not read, of their p99 in calm",
        unit: "×",
        figure: |figures| figures.flood.as_ref().map(|flood| flood.flooded.div_duration_f64(flood.calm)),
        better: Better::Less,
        goal: Goal::AtMost(2.0),
    },
];

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The servers as columns, entremise last.
pub(crate) fn markdown(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut text = format!("| | {} | goal |\n|---|{}---|\n", names.join(" | "), "--:|".repeat(names.len()));
    for row in &ROWS {
        let cells: Vec<String> = columns.iter().map(|column| row.cell(column, &columns[0])).collect();
        let _ = writeln!(text, "| {} | {} | {} |", row.title, cells.join(" | "), row.verdict(columns));
    }
    let _ = writeln!(text, "\n{}\n\n{}", conditions(columns), noise(columns));
    text
}

/// The second server's part of what the first one reaches.
pub(crate) fn of_the_first([first, second]: &[Column; 2]) -> String {
    let mut text = format!("| | {} | {} | |\n|---|--:|--:|--:|\n", first.name, second.name);
    for row in &ROWS {
        let (Some(one), Some(other), Some(times)) =
            (row.value(first), row.value(second), row.times_better(second, first))
        else {
            continue;
        };
        let [one, other] = [one, other].map(|value| format!("{} {}", readable(value), row.unit));
        let _ = writeln!(text, "| {} | {} | {} | {:.0} % |", row.title, one.trim(), other.trim(), 100.0 * times);
    }
    text
}

impl Row {
    /// The median of the rounds. None: it is not measured of this server.
    pub(crate) fn value(&self, column: &Column) -> Option<f64> {
        median(column.rounds.iter().filter_map(self.figure))
    }

    /// A figure, and how many times better it is than the first server's.
    fn cell(&self, column: &Column, first: &Column) -> String {
        let Some(value) = self.value(column) else { return "–".to_owned() };
        let shown = format!("{} {}", readable(value), self.unit);
        match self.times_better(column, first) {
            Some(times) => format!("{} ({}×)", shown.trim_end(), readable(times)),
            None => shown.trim_end().to_owned(),
        }
    }

    /// How many times better than the first server's figure in the same round. None: one of the two has no figure.
    pub(crate) fn times_better(&self, column: &Column, first: &Column) -> Option<f64> {
        self.median_ratio(column, first, self.figure).map(|ratio| match self.better {
            Better::More => ratio,
            Better::Less => ratio.recip(),
        })
    }

    /// This figure divided by the first server's other one in the same round.
    fn median_ratio(&self, column: &Column, first: &Column, other: fn(&Figures) -> Option<f64>) -> Option<f64> {
        let rounds = column.rounds.iter().zip(&first.rounds);
        median(rounds.filter_map(|(figures, first)| Some((self.figure)(figures)? / other(first)?)))
    }

    fn verdict(&self, columns: &[Column]) -> String {
        let [first, .., ours] = columns else { return String::new() };
        let (goal, is_met) = match self.goal {
            Goal::AtMost(most) => {
                (format!("≤ {most} {}", self.unit), self.value(ours).is_some_and(|value| value <= most))
            }
            Goal::Times(least) => (format!("≥ {least}×"), self.times_better(ours, first).is_some_and(|it| it >= least)),
            Goal::OfItsMedian(most) => {
                let part = self.median_ratio(ours, first, |first| Some(micros(first.p50)));
                (format!("≤ {most} of the first's p50"), part.is_some_and(|part| part <= most))
            }
        };
        format!("{goal}: {}", if is_met { "met" } else { "missed" })
    }
}

/// The middle one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Three digits, with separators of thousands.
pub(crate) fn readable(value: f64) -> String {
    let decimals = match value {
        small if small < 9.995 => 2,
        medium if medium < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    grouped(whole) + fraction
}

/// Digits, with separators of thousands.
pub(crate) fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The conditions of the measurement: cores, versions, the machine.
fn conditions(columns: &[Column]) -> String {
    let versions = [
        format!("entremise {}", env!("CARGO_PKG_VERSION")),
        format!("socket.io {}", package("socket.io")),
        format!("peer {}", package("peer")),
        format!("Node {}", said("node", &["--version"])),
        said("rustc", &["--version"]),
        format!("Linux {}", said("uname", &["-r"])),
    ];
    format!(
        "Medians of {} rounds, for latencies of parts of a round. One core of {} for the server, which is kept awake where latency is measured, another for \
         the load. TLS 1.3, ECDSA P-256, X25519, AES-128-GCM first, no resumption. In parentheses: how many times better \
         than the {}, in the same round. {}.",
        columns[0].rounds.len(),
        processor(),
        columns[0].name,
        versions.join(", "),
    )
}

/// The model of this machine's processor.
pub(crate) fn processor() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("a processor without a name");
    model.trim_start_matches(['\t', ' ', ':']).to_owned()
}

/// How far the figures can be trusted. A quiet machine has tens of microseconds and a few per cent.
fn noise(columns: &[Column]) -> String {
    let of = |column: &Column| {
        let of_each = |what: fn(&Noise) -> f64| median(column.rounds.iter().map(|figures| what(&figures.noise)));
        let lateness = of_each(|noise| micros(noise.lateness)).unwrap_or_default();
        let waited = of_each(|noise| noise.waited).unwrap_or_default();
        format!("{} {} µs and {:.0} %", column.name, readable(lateness), 100.0 * waited)
    };
    let each: Vec<String> = columns.iter().map(of).collect();
    format!(
        "Noise (by how much the load was late with messages at p99, and the time that the server waited for its core of \
         the time that it had it): {}.",
        each.join(", ")
    )
}

/// The version that is installed in the rivals' folder.
pub(crate) fn package(name: &str) -> String {
    let path = format!("{}/benches/rivals/node_modules/{name}/package.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    package["version"].as_str().unwrap_or("of an unknown version").to_owned()
}

/// The version of a crate that is installed beside it.
pub(crate) fn installed(name: &str) -> String {
    let folder = installed_in().display().to_string();
    let list = said("cargo", &["install", "--list", "--root", &folder]);
    let version = list.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('v'));
    version.map_or_else(|| "of an unknown version".to_owned(), |version| version.trim_end_matches(':').to_owned())
}

/// A program's output.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
