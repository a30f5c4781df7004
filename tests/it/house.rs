//! The house: imports run one way, from the rooms that know more to those that know less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A room may use those that stand before it, and no other. docs/architecture.md says what each knows.
const ROOMS: [&str; 31] = [
    "tasks",
    "file",
    "signals",
    "metrics",
    "net",
    "protocol",
    "dialect",
    "token_bucket",
    "error",
    "admission",
    "parking",
    "auth",
    "hub",
    "cluster",
    "tls",
    "acme",
    "ice",
    "turn",
    "accept",
    "connection",
    "http",
    "cli",
    "log",
    "config",
    "monitor",
    "trial",
    "health",
    "server",
    "check",
    "announcement",
    "main",
];

/// Rooms that know nothing of each other, although one stands before the other.
const APART: [(&str, &str); 9] = [
    ("hub", "dialect"),
    ("cluster", "dialect"),
    ("auth", "dialect"),
    ("tls", "hub"),
    ("ice", "hub"),
    ("turn", "hub"),
    ("turn", "dialect"),
    ("turn", "auth"),
    ("accept", "hub"),
];

/// The program's source without its tests, each file with the room that it is in.
fn files() -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&source, &mut paths);
    let room = |path: &PathBuf| {
        let name = path.strip_prefix(&source).expect("beneath it").components().next().expect("a name");
        name.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    paths.iter().map(|path| (room(path), program(&fs::read_to_string(path).expect("text")))).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        // What only tests and fuzzing have.
        let is_program = path.file_stem().is_some_and(|name| {
            !matches!(name.to_str(), Some("exhaustive" | "fuzzing" | "interleaving" | "simulation" | "lib"))
        });
        if is_program && path.is_dir() {
            collect(&path, paths);
        } else if is_program {
            paths.push(path);
        }
    }
}

/// Without the tests at the file's end, and without comments, whose links may point anywhere.
fn program(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The rooms that a file names: `crate::room`, or `room` in `use crate::{…}`.
fn named(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
    };
    let mut named = BTreeSet::new();
    for path in ["crate::", "entremise::"] {
        for rest in text.split(path).skip(1) {
            match rest.strip_prefix('{') {
                Some(list) => named.extend(outermost(list).split(',').map(|name| word(name.trim()))),
                None => drop(named.insert(word(rest))),
            }
        }
    }
    named
}

/// A list up to its brace, without the lists in it.
fn outermost(list: &str) -> String {
    let mut depth = 0_usize;
    let mut outermost = String::new();
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            other if depth == 0 => outermost.push(other),
            _ => {}
        }
    }
    outermost
}

#[test]
fn imports_run_one_way_through_the_house() {
    let order: BTreeMap<&str, usize> = ROOMS.iter().enumerate().map(|(index, room)| (*room, index)).collect();
    let mut against = BTreeSet::new();
    for (room, text) in files() {
        let own = *order.get(&*room).unwrap_or_else(|| panic!("{room} is not in ROOMS"));
        for other in named(&text) {
            let is_apart = APART.contains(&(&*room, &*other));
            if is_apart || order.get(&*other).is_some_and(|other| *other > own) {
                against.insert(format!("{room} uses {other}"));
            }
        }
    }
    assert!(against.is_empty(), "against the arrows: {against:?}");
}

#[test]
fn an_import_is_seen_however_it_is_written() {
    let text = "use crate::hub::{Hub, Session};\nuse crate::{http, net, ice::{tls, Access}, metrics};\nlet x = crate::turn::Turn::new();\n";
    let rooms: Vec<String> = named(text).into_iter().collect();
    assert_eq!(rooms, ["http", "hub", "ice", "metrics", "net", "turn"]);
    assert_eq!(
        named(&program("// crate::server\nuse crate::ice::X;\n#[cfg(test)]\nmod tests {\n crate::main")).len(),
        1
    );
}
