//! Costs side by side, and by how much they grow.

use std::fmt::Write as _;

use crate::table::{processor, readable, said};

/// Costs of the same thing at different sizes.
pub(super) struct Table {
    pub(super) title: String,
    /// The sizes, the largest last.
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Text below the table: what its figures mean.
    pub(super) note: String,
}

/// A line of the table: the cost of one thing.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// At each size. None: not measured.
    pub(super) costs: Vec<Option<f64>>,
    /// Why it grows, if it does.
    pub(super) why: &'static str,
}

/// Growth of a cost that noise and caches do not explain.
const SUSPICIOUS: f64 = 1.5;

impl Table {
    /// A table without rows, whose note says why.
    pub(super) fn without(title: &str, note: &str) -> Self {
        Self { title: title.to_owned(), head: Vec::new(), rows: Vec::new(), note: note.to_owned() }
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if !self.rows.is_empty() {
            let rule = "--:|".repeat(self.head.len());
            let _ = writeln!(text, "| | {} | growth | why |\n|---|{rule}--:|---|", self.head.join(" | "));
            self.rows.iter().for_each(|row| text += &row.markdown());
            text.push('\n');
        }
        text + &self.note + "\n"
    }
}

impl Row {
    fn markdown(&self) -> String {
        let cost =
            |cost: &Option<f64>| cost.map_or("–".to_owned(), |cost| format!("{} {}", readable(cost), self.unit));
        let costs: Vec<String> = self.costs.iter().map(cost).collect();
        let growth = match self.growth() {
            Some(growth) if growth > SUSPICIOUS => format!("**{}×**", readable(growth)),
            Some(growth) => format!("{}×", readable(growth)),
            None => "–".to_owned(),
        };
        format!("| {} | {} | {growth} | {} |\n", self.what, costs.join(" | "), self.why)
    }

    /// From the size before the largest to the largest.
    fn growth(&self) -> Option<f64> {
        let [.., Some(before), Some(largest)] = self.costs[..] else { return None };
        Some(largest / before)
    }
}

/// All tables, with a list of the costs that grow.
pub(super) fn markdown(tables: &[Table]) -> String {
    let mut text = "# Growth: what one costs, the more there are\n\n".to_owned();
    for table in tables {
        let _ = writeln!(text, "{}", table.markdown());
    }
    let rows = tables.iter().flat_map(|table| &table.rows);
    let growing: Vec<&str> =
        rows.filter(|row| row.growth().is_some_and(|growth| growth > SUSPICIOUS)).map(|row| row.what).collect();
    let verdict =
        if growing.is_empty() { "Nothing does.".to_owned() } else { format!("These do: {}.", growing.join("; ")) };
    let _ = writeln!(
        text,
        "Growth is the cost in the last column, of that in the one before. What grows to more than {SUSPICIOUS} times \
         its cost is bold. {verdict}\n\n{}",
        conditions()
    );
    text
}

fn conditions() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "entremise {} on {}, one core for the server and another for the load, which is {} as seen by the system at the \
         end. TLS 1.3, ECDSA P-256, X25519, no resumption. {}, Linux {}.",
        env!("CARGO_PKG_VERSION"),
        processor(),
        load.split(' ').next().unwrap_or_default(),
        said("rustc", &["--version"]),
        said("uname", &["-r"]),
    )
}
