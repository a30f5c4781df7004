//! What the documents say, held against what is.

use std::collections::HashSet;
use std::fmt::Write as _;

use clap::CommandFactory as _;
use entremise::cli::Cli;
use serde_json::Value;

const README: &str = include_str!("../../README.md");
const PROTOCOL: &str = include_str!("../../docs/protocol.md");

/// The README's table, as the command line says it.
fn flags() -> String {
    let mut table = String::from("| flag | default | |\n|---|---|---|\n");
    for argument in Cli::command().get_arguments() {
        let flag = argument.get_long().expect("every argument is a flag");
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
        let help = argument.get_help().expect("every flag has a line");
        writeln!(table, "| `--{flag}` | {default} | {help} |").expect("a String takes all that is written");
    }
    table
}

#[test]
fn the_readme_lists_the_flags_as_the_help_does() {
    let flags = flags();
    assert!(README.contains(&flags), "the README's table should be:\n{flags}");
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
    let examples: Vec<&str> = boxes.flat_map(str::lines).collect();
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
        "rate-limited",
        "not-in-room",
        "room-full",
        "too-many-rooms",
        "room-not-allowed",
    ]
    .into_iter()
    .chain(["1002", "1003", "1007", "1008", "1009", "1012", "4001", "4002", "4003"])
    {
        assert!(PROTOCOL.contains(&format!("| `{word}` |")) || PROTOCOL.contains(&format!("| {word} |")), "{word}");
    }
}
