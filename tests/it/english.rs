//! Plain English, for readers whose first language it isn't: words and figures of speech that stand nowhere.

use std::fs;
use std::path::{Path, PathBuf};

/// What is not written, in lower case: pronouns that hide which thing of the code is meant, and figures of speech that
/// carried a fact. Joined here, so that this file does not have them.
fn unwritten() -> Vec<String> {
    let halves = [
        ["who", "ever"],
        ["some", "body"],
        ["no", "body"],
        ["any", "body"],
        ["every", "body"],
        ["light", "ning"],
        ["v6's clo", "thes"],
        ["tell the tr", "uth"],
        ["is told m", "uch"],
        ["place for", "gets"],
    ];
    halves.map(|halves| halves.concat()).to_vec()
}

/// Where the words are looked for.
const PATHS: [&str; 20] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "Cargo.toml",
    "Makefile",
    "build.rs",
    "clippy.toml",
    "deny.toml",
    "package.json",
    "rustfmt.toml",
    "tsconfig.json",
    ".ci",
    "examples",
    "benches",
    "client",
    "docs",
    "fuzz",
    "src",
    "static",
    "tests",
];

/// What is not ours, or not text.
const NOT_OURS: [&str; 6] = ["node_modules", "package-lock.json", "target", "corpus", "artifacts", "output"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of text beneath this path.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        found.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
            files(&path, found);
        }
    }
}

/// Lines with a word that is not written, each with its file.
fn findings(path: &Path) -> Vec<String> {
    let mut all = Vec::new();
    files(path, &mut all);
    let words = unwritten();
    let in_file = |file: &PathBuf| {
        let name = file.strip_prefix(root()).expect("it is beneath it").display().to_string();
        // What is no text has no words: pictures, seeds of the fuzz targets.
        let text = fs::read_to_string(file).unwrap_or_default().to_lowercase();
        let lines = text.lines().enumerate().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        lines.map(|(number, line)| format!("{name}:{}: {}", number + 1, line.trim())).collect::<Vec<_>>()
    };
    all.iter().flat_map(in_file).collect()
}

#[test]
fn what_is_written_is_plain_english() {
    let found: Vec<String> = PATHS.iter().flat_map(|path| findings(&root().join(path))).collect();
    assert!(found.is_empty(), "say which thing it is, and plainly:\n{}", found.join("\n"));
}

#[test]
fn the_words_are_found_in_any_spelling() {
    let word = &unwritten()[1];
    fs::create_dir_all(root().join("target")).expect("writable");
    let folder = tempfile::tempdir_in(root().join("target")).expect("a folder");
    fs::write(folder.path().join("a.rs"), format!("fn {word}_comes()\n/// {}.\n", word.to_uppercase()))
        .expect("writable");
    assert_eq!(findings(folder.path()).len(), 2);
}
