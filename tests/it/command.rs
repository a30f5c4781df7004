//! The commands of the documents, typed as they stand there, and the flags and targets that they name.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::{CommandFactory as _, Parser as _};
use entremise::cli::Cli;
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::program::{Program, command, on_free_port, shell};
use crate::within;

/// What a document shows of programs that are not ours, and are not installed here: those that scan a server, and what runs
/// containers (`tests/network/container.test.js` does its work).
const OTHERS: [&str; 3] = ["sslyze ", "testssl.sh ", "docker run "];

/// What is done elsewhere: the release build takes minutes, and is what `make check-cost` measures; the folder of one's
/// own page is served by the browser's test of the README; `entremise ice` is tried beside servers in `trial`, and the example
/// in `socket_io`.
const ELSEWHERE: [&str; 7] = [
    "cargo build --release",
    "cargo install --path .",
    "target/release/entremise --version",
    "cargo run -- --page my-page",
    "entremise ice calls.example --turn",
    "cargo run --example engine_io_echo -- --ping-interval 300 --ping-timeout 200",
    "cargo run --example engine_io_echo -- --socket-io --namespace /custom --ping-interval 300 --ping-timeout 200 --connect-timeout 1000",
];

/// All documents, by their names.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let of_the_root = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name));
    let pages = docs.chain(of_the_root).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let name = |path: &PathBuf| path.file_name().expect("a file").to_string_lossy().into_owned();
    pages.map(|path| (name(&path), fs::read_to_string(&path).expect("text"))).collect()
}

/// The boxes of a document in which there are commands.
fn boxes(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a box ends")).collect()
}

/// The lines of a box, without what is said of them.
fn commands(text: &str) -> Vec<String> {
    let whole = text.replace("\\\n", "");
    let lines = whole.lines().filter_map(|line| line.split("  #").next()).map(str::trim);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// An empty folder in which `entremise` is a command.
struct Terminal {
    folder: TempDir,
    programs: TempDir,
    /// Servers that go on while the next command is typed, in another terminal.
    serving: Vec<Child>,
}

impl Terminal {
    fn new() -> Self {
        let new = || tempfile::tempdir().expect("a folder");
        let this = Self { folder: new(), programs: new(), serving: Vec::new() };
        symlink(env!("CARGO_BIN_EXE_entremise"), this.programs.path().join("entremise")).expect("writable");
        this
    }

    /// Types a line, and waits for its end, or until it serves.
    async fn types(&mut self, line: &str) {
        // Where the source is, cargo runs the same program.
        let line = &line.replacen("cargo run -- ", "entremise ", 1);
        let is_server = line.starts_with("entremise --");
        // So that the server has the shell's process id.
        let script = if is_server { format!("exec {}", on_free_ports(line)) } else { line.to_owned() };
        // No authority is asked: it is for names that are not ours.
        let script = script.replace("--acme-agree", "--acme-agree --acme-directory https://127.0.0.1:1/dir");
        let mut command = shell(self.folder.path(), &script);
        let path = std::env::var("PATH").expect("there are programs");
        command.env("PATH", format!("{}:{path}", self.programs.path().display()));
        command.env("ENTREMISE_LISTEN", "127.0.0.1:0");
        command.stdout(Stdio::piped());
        if is_server {
            self.serves(line, command.spawn().expect("a shell")).await;
        } else {
            assert_ends_well(line, command).await;
        }
    }

    async fn serves(&mut self, line: &str, mut child: Child) {
        let mut said = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        within(line, stdout.read_line(&mut said)).await.expect("text");
        assert!(said.contains(": open http"), "{line}: {said}");
        self.serving.push(child);
    }

    /// Ctrl-C in all terminals.
    async fn close(mut self) {
        for mut child in self.serving.drain(..) {
            let pid = child.id().expect("it has not been waited for");
            let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
            kill_process(pid, Signal::INT).expect("it is ours");
            let status = within("the server to end", child.wait()).await.expect("it is ours");
            assert_eq!(status.code(), Some(0));
        }
    }
}

/// The usual ports are not for tests, of which many run at once.
fn on_free_ports(line: &str) -> String {
    const USUAL: [&str; 3] = ["127.0.0.1:8080", "127.0.0.1:8443", ":443"];
    USUAL
        .iter()
        .fold(line.to_owned(), |line, usual| line.replace(&format!("--listen {usual} "), "--listen 127.0.0.1:0 "))
}

async fn assert_ends_well(line: &str, mut command: tokio::process::Command) {
    let output = within(line, command.output()).await.expect("a shell");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a target of the Makefile would do; an error where there is no such target.
async fn assert_is_a_target(line: &str) {
    let mut make = shell(Path::new(env!("CARGO_MANIFEST_DIR")), &line.replacen("make", "make --dry-run", 1));
    make.stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_ends_well(line, make).await;
}

#[tokio::test]
async fn every_command_of_the_documents_works_in_an_empty_folder() {
    let mut count = 0;
    for (name, text) in documents() {
        for text in boxes(&text) {
            let mut terminal = Terminal::new();
            bring_a_pair(terminal.folder.path());
            for line in commands(text) {
                count += 1;
                if OTHERS.iter().any(|other| line.starts_with(other)) || ELSEWHERE.contains(&line.as_str()) {
                    continue;
                }
                if line.starts_with("make ") { assert_is_a_target(&line).await } else { terminal.types(&line).await }
            }
            terminal.close().await;
        }
        assert!(!text.contains("```bash") && !text.contains("```shell"), "{name}: boxes of commands are sh");
    }
    assert!(count > 10, "{count}");
}

/// The certificate that a reader has of an authority: no command can make it.
fn bring_a_pair(folder: &Path) {
    let pair = crate::pair::Pair::new();
    fs::copy(pair.cert(), folder.join("fullchain.pem")).expect("writable");
    fs::copy(pair.key(), folder.join("privkey.pem")).expect("writable");
}

/// What stands between backticks in a line of a document's prose.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

#[test]
fn every_command_in_the_documents_prose_can_be_typed() {
    let mut count = 0;
    for (name, text) in documents() {
        for quoted in quoted(&text).filter(|quoted| quoted.starts_with("entremise ") && !quoted.contains('…')) {
            count += 1;
            let asks =
                ["entremise help", "entremise --help", "entremise --version", "entremise version"].contains(&quoted);
            assert!(asks || Cli::try_parse_from(quoted.split_whitespace()).is_ok(), "{name}: {quoted}");
        }
    }
    assert!(count > 1);
}

/// Flags of other programs, which our documents name.
const FOREIGN_FLAGS: [&str; 11] = [
    "--offline",
    "--release",
    "--path",
    "--time",
    "--test",
    "--lib",
    "--bench",
    "--config",
    "--volume",
    "--publish",
    "--network",
];

#[test]
fn every_flag_that_the_documents_name_exists() {
    let command = Cli::command();
    let all = command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments);
    let mut known: HashSet<&str> = all.filter_map(clap::Arg::get_long).collect();
    known.extend(["help", "version"]);
    let mut count = 0;
    for (name, text) in documents() {
        let words =
            quoted(&text).flat_map(|quoted| quoted.split(|char: char| char.is_whitespace() || "=/|,\'".contains(char)));
        for flag in words.filter(|word| !FOREIGN_FLAGS.contains(word)).filter_map(|word| word.strip_prefix("--")) {
            count += 1;
            let is_pattern = flag.ends_with('…') || flag.is_empty();
            assert!(is_pattern || known.contains(flag), "{name}: --{flag}");
        }
    }
    assert!(count > 100);
}

#[tokio::test]
async fn every_target_of_the_makefile_is_in_its_help_and_flags_are_passed_on() {
    let makefile = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile")).expect("text");
    let phony = makefile.lines().find_map(|line| line.strip_prefix(".PHONY: ")).expect("there is one");
    let mut make = shell(Path::new(env!("CARGO_MANIFEST_DIR")), "make help");
    let help = within("make", make.output()).await.expect("make");
    let help = String::from_utf8(help.stdout).expect("text");
    for target in phony.split_whitespace().filter(|target| *target != "help") {
        assert!(help.lines().any(|line| line.starts_with(&format!("make {target} "))), "{target}: {help}");
        assert_is_a_target(&format!("make {target}")).await;
    }
    let mut run = shell(Path::new(env!("CARGO_MANIFEST_DIR")), "make --dry-run run FLAGS='--listen :9443 --log debug'");
    let run = within("make", run.output()).await.expect("make");
    assert!(String::from_utf8(run.stdout).expect("text").contains(" --listen :9443 --log debug"));
}

#[tokio::test]
async fn the_compose_file_of_the_documents_is_understood() {
    let operating = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).expect("text");
    let unit = operating.split("environment:\n").nth(1).and_then(|rest| rest.split("```").next()).expect("variables");
    let mut terminal = Terminal::new();
    let mut line = String::from("env");
    for (name, value) in unit.lines().filter_map(|line| line.trim().split_once(": ")) {
        let value = value.trim_matches('"').replace(":8443", "127.0.0.1:0");
        write!(line, " '{name}={value}'").expect("a String takes all that is written");
    }
    let mut command = shell(terminal.folder.path(), &format!("exec {line} {}", env!("CARGO_BIN_EXE_entremise")));
    let child = command.stdout(Stdio::piped()).spawn().expect("a shell");
    terminal.serves(&line, child).await;
    terminal.close().await;
}

/// How a line that the program prints begins and ends: what stands before and after all that has a number in it.
fn ends(line: &str) -> [String; 2] {
    let words: Vec<&str> = line.split(' ').collect();
    let is_number = |word: &&str| word.contains(|char: char| char.is_ascii_digit());
    let first = words.iter().position(is_number).unwrap_or(words.len());
    let last = words.iter().rposition(is_number).map_or(0, |last| last + 1);
    [words[..first].join(" "), words[last..].join(" ")]
}

#[tokio::test]
async fn what_the_readme_says_is_printed_is_printed() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("text");
    let shown = readme.split("```\n").find(|text| text.starts_with("entremise ")).expect("what is printed");
    let shown: Vec<[String; 2]> = shown.lines().map(ends).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let start = async |port: &str| {
        let program = command(folder.path(), &["--listen=[::]:0", "--turn", port]);
        let made = || CertificateDer::from_pem_file(folder.path().join("certs/cert.pem")).expect("it has been made");
        Program::serve(program, made).await
    };
    let (program, _) = on_free_port(start).await;
    program.signal(Signal::TERM);
    let printed = program.ended().await.stdout;
    let printed: Vec<[String; 2]> = printed.lines().map(ends).collect();
    for line in &printed {
        assert!(shown.contains(line), "{line:?} is printed, and README has {shown:?}");
    }
    // A machine without a network of its own prints no other addresses.
    assert!(printed.len() >= shown.len() - 1);
}
