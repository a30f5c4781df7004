//! What is installed beside the program: the service with its settings, and what builds containers.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use entremise::cli::Cli;

use crate::program::{command, run};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).expect("text")
}

/// The settings of the service, as the command line says them: each with what it is, and commented out.
fn settings() -> String {
    let (mut text, mut last) = (String::new(), None);
    for argument in Cli::command().get_arguments() {
        let heading = argument.get_help_heading().expect("every flag has a heading");
        if last.replace(heading.to_owned()).as_deref() != Some(heading) {
            writeln!(text, "\n## {heading}").expect("a String takes all");
        }
        let variable = argument.get_env().and_then(|name| name.to_str()).expect("every flag has a variable");
        let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let is_switch = !argument.get_action().takes_values();
        let value = if is_switch { "no".to_owned() } else { default.join(",") };
        let help = argument.get_help().expect("every flag has a line");
        writeln!(text, "\n# {help}\n#{variable}={value}").expect("a String takes all");
    }
    text
}

#[test]
fn the_service_s_settings_are_those_of_the_program() {
    let settings = settings();
    assert!(text("deploy/default").ends_with(&settings), "deploy/default should end with:{settings}");
}

#[test]
fn what_is_set_for_containers_exists() {
    let command = Cli::command();
    let known: HashSet<&str> = command.get_arguments().filter_map(|flag| flag.get_env()?.to_str()).collect();
    let mut count = 0;
    for file in ["Dockerfile", "compose.yaml"] {
        let text = text(file);
        let words = text.split(|char: char| !(char.is_ascii_uppercase() || char == '_'));
        for word in words.filter(|word| word.starts_with("ENTREMISE_")) {
            assert!(known.contains(word), "{file}: {word}");
            count += 1;
        }
    }
    assert!(count > 5);
}

#[test]
fn the_service_is_exposed_as_little_as_the_documents_say() {
    let unit = project().join("deploy/entremise.service");
    let rated = Command::new("systemd-analyze").args(["security", "--offline=true", "--no-pager"]).arg(unit).output();
    // Where systemd is not, it can't be rated; the unit is the same.
    let Ok(rated) = rated else { return };
    let rated = String::from_utf8_lossy(&rated.stdout).into_owned();
    let exposure = rated.split("entremise.service: ").nth(1).and_then(|rest| rest.split(' ').next());
    let exposure: f64 = exposure.and_then(|exposure| exposure.parse().ok()).unwrap_or_else(|| panic!("{rated}"));
    assert!(exposure <= 2.0, "{exposure}");
    let said = format!("rates its exposure {exposure} of");
    assert!(text("docs/operating.md").replace('\n', " ").contains(&said), "docs/operating.md should say: {said}");
}

#[tokio::test]
async fn the_manual_and_the_completions_have_every_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in [&["man"][..], &["completions", "bash"], &["completions", "zsh"], &["completions", "fish"]] {
        let ended = run(command(folder.path(), words)).await;
        assert_eq!(ended.status.code(), Some(0));
        let text = ended.stdout.replace("\\-", "-");
        for flag in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(flag), "{words:?}: {flag}");
        }
    }
}

#[tokio::test]
async fn a_check_says_what_a_start_would_make_of_settings_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut check = command(
        folder.path(),
        &["check", "--listen=127.0.0.1:0", "--turn-ttl=60", "--acme-domain=localhost", "--acme-agree"],
    );
    check.env("ENTREMISE_HEARTBEAT", "7");
    let ended = run(check).await;
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), ""));
    let lines: Vec<Vec<&str>> = ended.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [
        &["--listen", "127.0.0.1:0", "flag"][..],
        &["--heartbeat", "7", "ENTREMISE_HEARTBEAT"],
        &["--drain-timeout", "10", "default"],
        &["--cert", "certs/cert.pem", "default"],
    ] {
        assert!(lines.iter().any(|said| said == line), "{line:?}: {}", ended.stdout);
    }
    for words in [
        "localhost leads to",
        "warning: --turn-ttl does nothing without --turn",
        "memory: at most",
        "a start would succeed",
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("warning: localhost"), "it is this machine's");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

#[tokio::test]
async fn a_check_fails_where_a_start_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("--listen={}", taken.local_addr().expect("an address"));
    fs::write(folder.path().join("file"), "").expect("writable");
    for (flags, told) in [
        (&[&*listen][..], "the port is in use"),
        (&["--cert=missing.pem"], "--cert missing.pem: no such file"),
        (&["--listen=127.0.0.1:0", "--acme-domain=localhost"], "--acme-agree"),
        (&["--listen=127.0.0.1:0", "--acme-domain=localhost", "--acme-agree", "--state-dir=file"], "--state-dir file"),
    ] {
        let words: Vec<&str> = ["check"].iter().chain(flags).copied().collect();
        let ended = run(command(folder.path(), &words)).await;
        assert_eq!(ended.status.code(), Some(1), "{flags:?}");
        assert!(ended.stderr.contains(told) && !ended.stdout.contains("succeed"), "{flags:?}: {}", ended.stderr);
    }
    // A name that leads nowhere is a warning: it may lead here by the time of the start.
    let nowhere = ["check", "--listen=127.0.0.1:0", "--public-host=nowhere.invalid", "--cert=certs/cert.pem"];
    let ended = run(command(folder.path(), &nowhere)).await;
    assert!(ended.stdout.contains("--public-host"), "{}", ended.stdout);
}
