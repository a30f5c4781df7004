//! What the documents say, held against what is.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use entremise::cli::{Cli, ESSENTIAL};
use serde_json::Value;

const README: &str = include_str!("../../README.md");
const FLAGS: &str = include_str!("../../docs/flags.md");
const PROTOCOL: &str = include_str!("../../docs/protocol.md");
const SECURITY: &str = include_str!("../../docs/security.md");

/// The page's tables, as the command line says it: one for each heading.
fn flags() -> String {
    let (mut tables, mut last) = (String::new(), None);
    for argument in Cli::command().get_arguments() {
        let heading = argument.get_help_heading().expect("every flag has a heading");
        if last.replace(heading.to_owned()).as_deref() != Some(heading) {
            write!(tables, "\n## {heading}\n\n| flag | default | |\n|---|---|---|\n").expect("a String takes all");
        }
        let flag = argument.get_long().expect("every argument is a flag");
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
        let help = argument.get_help().expect("every flag has a line");
        writeln!(tables, "| `--{flag}` | {default} | {help} |").expect("a String takes all that is written");
    }
    tables
}

#[test]
fn the_page_of_flags_says_what_the_help_says() {
    let flags = flags();
    assert!(FLAGS.ends_with(&flags), "docs/flags.md should end with:\n{flags}");
}

#[test]
fn the_readme_shows_the_flags_that_most_people_use() {
    let command = Cli::command();
    let of = command.get_arguments().filter(|flag| flag.get_long().is_some_and(|flag| ESSENTIAL.contains(&flag)));
    let rows: Vec<_> = of
        .map(|flag| format!("| `--{}` | {} |", flag.get_long().expect("it has one"), flag.get_help().expect("a line")))
        .collect();
    let table = format!("| flag | |\n|---|---|\n{}\n", rows.join("\n"));
    assert_eq!(rows.len(), 20);
    assert!(README.contains(&table), "README should have:\n{table}");
}

#[test]
fn every_example_of_the_protocol_page_is_a_vector() {
    let vectors = [include_str!("../vectors/client.json"), include_str!("../vectors/server.json")];
    let frames: HashSet<String> = vectors
        .into_iter()
        .flat_map(|file| serde_json::from_str::<Vec<Value>>(file).expect("a list of vectors"))
        .map(|vector| vector["frame"].as_str().expect("every vector has a frame").to_owned())
        .collect();
    let boxes = PROTOCOL.split("```json\n").skip(1).map(|rest| rest.split("```").next().expect("a box ends"));
    let examples: Vec<&str> = boxes.flat_map(str::lines).map(str::trim_start).filter(|line| !line.is_empty()).collect();
    assert!(examples.len() > 15);
    for example in examples {
        assert!(frames.contains(example), "not a vector: {example}");
    }
}

#[test]
fn the_protocol_page_knows_every_error_and_close_code() {
    for word in [
        "bad-message",
        "peer-unavailable",
        "peer-busy",
        "undelivered",
        "rate-limited",
        "not-in-room",
        "room-full",
        "too-many-rooms",
        "room-not-allowed",
    ]
    .into_iter()
    .chain([
        "1000", "1001", "1002", "1003", "1007", "1008", "1009", "1011", "1012", "1013", "4000", "4001", "4002", "4003",
    ]) {
        assert!(PROTOCOL.contains(&format!("| `{word}` |")) || PROTOCOL.contains(&format!("| {word}")), "{word}");
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut sources);
    }
    let words = SECURITY.split('`').skip(1).step_by(2);
    let names: Vec<_> = words.filter(|word| word.matches('_').count() >= 3 && !word.contains(' ')).collect();
    assert!(names.len() > 50);
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "no such test: {name}");
    }
}

/// The Rust files of a folder, one after the other.
fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}

#[test]
fn the_readme_shows_the_table_of_the_last_bench() {
    const BENCH: &str = include_str!("../../docs/bench.md");
    let (first, _) = BENCH.split_once("\n## Clients of other servers\n").expect("a second table");
    let table: Vec<&str> = first.lines().filter(|line| line.starts_with('|')).collect();
    assert!(table.len() > 10);
    let (_, measured) = README.split_once("\n## Measured\n").expect("a section");
    let shown: Vec<&str> =
        measured.split("\n## ").next().expect("it ends").lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(shown.len(), 2 + 5, "the rows that a reader cares about");
    for row in shown {
        assert!(table.contains(&row), "not of docs/bench.md: {row}");
    }
}

#[test]
fn the_readme_ends_with_links_to_all_documents() {
    let (_, more) = README.split_once("\n## More\n").expect("a section of links");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("text");
        let is_text = path.extension().is_some_and(|extension| extension == "md");
        assert!(!is_text || more.contains(&format!("(docs/{name})")), "{name}");
    }
}
