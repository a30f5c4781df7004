//! The built program: what it prints, makes and logs, and how it ends.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use clap::CommandFactory as _;
use clap::builder::ValueParser;
use entremise::cli::Cli;
use rcgen::{KeyPair, date_time_ymd};
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Ticket};
use crate::http::exchange;
use crate::pair::{Pair, params};
use crate::program::{Ended, Program, command, on_free_port, run};
use crate::raw::{BINARY, FIN, HANDSHAKE, TEXT, header};
use crate::server::Site;
use crate::within;

/// The program could not start: exit code 1, and one line about it.
fn assert_one_line(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("entremise: "), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn it_says_where_to_open_it_and_serves_there() {
    let program = Program::start(&[]).await;
    assert!(program.first_line.starts_with(concat!(
        "entremise ",
        env!("CARGO_PKG_VERSION"),
        ": open https://127.0.0.1:"
    )));
    program.connect().await.fence().await;
    assert_eq!(program.get("/").await.status, 200);
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("\nmemory: at most 4573 KiB for one peer"), "{}", ended.stdout);
    assert!(ended.stdout.lines().count() <= 4, "{}", ended.stdout);
}

#[tokio::test]
async fn a_pair_for_development_is_never_made_where_a_public_host_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["--public-host=example.org"])).await;
    assert_one_line(&ended, &["--cert certs/cert.pem", "no such file; give --cert and --key", "--public-host"]);
    assert!(!ended.stderr.contains("leave out"), "they were: {}", ended.stderr);
    assert!(!folder.path().join("certs").exists());
}

#[tokio::test]
async fn a_pair_for_development_is_never_made_where_credentials_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), "a secret of thirty-two bytes ...").expect("writable");
    let ended = run(command(folder.path(), &["--auth-jwt-secret-file=secret"])).await;
    assert_one_line(
        &ended,
        &["--cert certs/cert.pem", "no such file; give --cert and --key", "--auth-jwt-secret-file"],
    );
    assert!(!ended.stderr.contains("leave out"), "they were: {}", ended.stderr);
    assert!(!folder.path().join("certs").exists());
}

#[tokio::test]
async fn plain_http_needs_no_pair_and_makes_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = command(folder.path(), &["--plain-http", "--listen=127.0.0.1:0", "--base-path=signal"]);
    let program = Program::serve(command, || Pair::new().root).await;
    assert!(program.first_line.contains(": open http://127.0.0.1:"), "{}", program.first_line);
    assert!(program.first_line.ends_with("/signal/\n"), "{}", program.first_line);
    assert_eq!(exchange(&mut program.tcp().await, &program.head("GET", "/signal/", &[])).await.status, 200);
    assert!(!folder.path().join("certs").exists());
}

#[tokio::test]
async fn plain_http_for_other_machines_has_to_be_said_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["--plain-http", "--listen=[::]:0"])).await;
    assert_one_line(&ended, &["--plain-http on [::]", "--insecure-plain-http-on-any-address"]);
    let flags = ["--plain-http", "--insecure-plain-http-on-any-address", "--listen=0.0.0.0:0"];
    let program = Program::serve(command(folder.path(), &flags), || Pair::new().root).await;
    assert_eq!(exchange(&mut program.tcp().await, &program.head("GET", "/", &[])).await.status, 200);
}

#[tokio::test]
async fn a_token_is_minted_and_printed_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), "a secret of thirty-two bytes ...\n").expect("writable");
    let flags = ["token", "--secret-file=secret", "--subject=alice", "--rooms=lobby,hall", "--ttl=600"];
    let ended = run(command(folder.path(), &flags)).await;
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), ""));
    let token = ended.stdout.strip_suffix('\n').expect("one line");
    assert!(token.starts_with("eyJ") && !token.contains(char::is_whitespace), "{token}");

    let secret = format!("--auth-jwt-secret-file={}", folder.path().join("secret").display());
    let program = Program::start(&[&secret]).await;
    let offered = format!("entremise.v1, entremise.bearer.{token}");
    let (mut client, _) = program.connect_with(&[("sec-websocket-protocol", &offered)]).await;
    client.join("hall").await;
    assert!(client.ask(r#"{"type":"join","room":"vault"}"#).await.contains("room-not-allowed"));
}

#[tokio::test]
async fn a_token_is_not_minted_with_a_secret_that_could_be_guessed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), "north").expect("writable");
    let ended = run(command(folder.path(), &["token", "--secret-file=secret", "--subject=alice"])).await;
    assert_one_line(&ended, &["--secret-file secret", "5 bytes", "32"]);
    assert!(!ended.stderr.contains("north"));
}

#[tokio::test]
async fn it_serves_ipv6_and_ipv4_where_it_listens_on_all_addresses() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = command(folder.path(), &["--listen=[::]:0"]);
    let made = || CertificateDer::from_pem_file(folder.path().join("certs/cert.pem")).expect("it has been made");
    let program = Program::serve(command, made).await;
    assert!(program.first_line.contains(": open https://localhost:"), "{}", program.first_line);
    program.connect().await.fence().await;
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, program.address.port()));
    // Some machines have no IPv6, and then there is none to serve.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        Site { address, ..(*program).clone() }.connect().await.fence().await;
    }
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert!(ended.stdout.contains("\nmemory: at most 4573 KiB for one peer"), "{}", ended.stdout);
    assert!(ended.stdout.lines().count() <= 4, "{}", ended.stdout);
}

#[tokio::test]
async fn the_first_run_makes_a_pair_and_the_second_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = (folder.path().join("certs/cert.pem"), folder.path().join("certs/key.pem"));

    let first = serve_in(folder.path()).await;
    assert_eq!(fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    let made = (fs::read(&cert).expect("a certificate"), fs::read(&key).expect("a key"));
    let warnings: Vec<_> = first.stderr.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{}", first.stderr);
    assert!(warnings[0].contains("for development"), "{}", warnings[0]);
    let fingerprint = {
        let der = CertificateDer::from_pem_slice(&made.0).expect("a certificate");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
        digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    };
    assert!(warnings[0].contains(&fingerprint), "{}", warnings[0]);

    let second = serve_in(folder.path()).await;
    assert!(!second.stderr.contains("WARN"), "{}", second.stderr);
    assert!(made == (fs::read(&cert).expect("a certificate"), fs::read(&key).expect("a key")), "they are kept");
}

/// Runs the program with no flags but a free port, talks to it by the pair that it serves, and stops it.
async fn serve_in(folder: &Path) -> Ended {
    let command = command(folder, &["--listen=127.0.0.1:0"]);
    let made = || CertificateDer::from_pem_file(folder.join("certs/cert.pem")).expect("it has been made");
    let program = Program::serve(command, made).await;
    program.connect().await.fence().await;
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    ended
}

#[tokio::test]
async fn half_a_pair_stops_the_start_and_stays_as_it_is() {
    for (there, flag) in [("certs/cert.pem", "--key certs/key.pem"), ("certs/key.pem", "--cert certs/cert.pem")] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("certs")).expect("writable");
        fs::write(folder.path().join(there), "mine").expect("writable");
        let ended = run(command(folder.path(), &["--listen=127.0.0.1:0"])).await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stderr.contains(flag) && ended.stderr.contains(there), "{}", ended.stderr);
        assert_eq!(fs::read(folder.path().join(there)).expect("still there"), b"mine");
    }
}

#[tokio::test]
async fn no_pair_is_made_at_paths_that_were_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--listen=127.0.0.1:0", "--cert=my.pem", "--key=my-key.pem"];
    let ended = run(command(folder.path(), &flags)).await;
    assert_one_line(&ended, &["--cert my.pem", "no such file"]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn an_expired_certificate_is_served_with_a_warning() {
    let mut params = params();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().expect("randomness");
    let pair = Pair::signed(&params, &key, &key.serialize_pem());
    let cert = pair.cert();
    let program = Program::start_with(pair, &[], |_| {}).await;
    let name = "localhost".try_into().expect("a name");
    let handshake = TlsConnector::from(program.trust.clone()).connect(name, program.tcp().await);
    let error = within("the handshake", handshake).await.expect_err("it has expired").to_string();
    assert!(error.contains("expired"), "the client got as far as the certificate: {error}");
    let log = program.log();
    let warning = log.lines().find(|line| line.contains("WARN")).expect("a warning");
    assert!(warning.contains(&format!("--cert {}", cert.display())) && warning.contains("NOT NOW"), "{warning}");
}

#[tokio::test]
async fn a_port_in_use_is_a_clear_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let (folder, pair) = (tempfile::tempdir().expect("a folder"), Pair::new());
    let [cert, key] = pair.flags();
    let flags = [format!("--listen={address}").to_owned(), cert, key];
    let ended = run(command(folder.path(), &flags)).await;
    assert_one_line(&ended, &[&format!("--listen {address}"), "the port is in use"]);
}

#[tokio::test]
async fn settings_that_do_not_fit_each_other_stop_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["--mailbox-bytes=1000"])).await;
    assert_one_line(&ended, &["--mailbox-bytes 1000", "too small"]);
    let ended = run(command(folder.path(), &["--log=entremise=loudly"])).await;
    assert_one_line(&ended, &["--log entremise=loudly", "try info"]);
    let ended = run(command(folder.path(), &["--log=inof"])).await;
    assert_one_line(&ended, &["--log inof", "is no level", "info"]);
}

#[tokio::test]
async fn a_page_that_cannot_be_served_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["--page=my-page"])).await;
    assert_one_line(&ended, &["--page my-page", "no such folder"]);
    let mut by_variable = command(folder.path(), &[""; 0]);
    by_variable.env("ENTREMISE_PAGE", "my-page");
    let ended = run(by_variable).await;
    assert_one_line(&ended, &["ENTREMISE_PAGE my-page", "no such folder"]);
    let ended = run(command(folder.path(), &["--page=."])).await;
    assert_one_line(&ended, &["--page .", "--key certs/key.pem", "served to all"]);
    assert!(!folder.path().join("certs").exists(), "no key is made there");
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in [
        "--no-such-flag",
        "--listen=nowhere",
        "--heartbeat=0",
        "--drain-timeout=never",
        "--max-message-bytes=0",
        "--max-header-bytes=8191",
        "--mailbox-messages=0",
        "--queued-bytes=-1",
        "--messages-per-second=NaN",
        "--allow-origin=example.org",
        "--log-format=xml",
        "argument",
    ] {
        let ended = run(command(folder.path(), &[flag])).await;
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), ""), "{flag}");
        let named = flag.split('=').next().expect("a flag");
        assert!(ended.stderr.contains(named), "{flag}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn an_error_of_a_variable_names_the_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, value, told) in [
        ("LISTEN", "nowhere", "ENTREMISE_LISTEN=nowhere: give an address and a port"),
        ("MAX_CONNECTIONS", "many", "ENTREMISE_MAX_CONNECTIONS=many: give a whole number"),
        ("TURN", "perhaps", "ENTREMISE_TURN=perhaps: give 1 or 0, yes or no"),
        ("LOG_FORMAT", "xml", "ENTREMISE_LOG_FORMAT=xml: give text or json"),
        ("ALLOW_ORIGIN", "https://a.example,b", "ENTREMISE_ALLOW_ORIGIN=b: not an origin"),
        ("AUTH_ISSUER", "me", "ENTREMISE_AUTH_ISSUER is set"),
    ] {
        let mut command = command(folder.path(), &[""; 0]);
        command.env(format!("ENTREMISE_{name}"), value);
        let ended = run(command).await;
        assert_eq!((ended.status.code(), &*ended.stdout), (Some(2), ""), "{name}");
        assert!(ended.stderr.contains(told), "{name}: {}", ended.stderr);
    }
    let mut both = command(folder.path(), &["--max-connections=more"]);
    both.env("ENTREMISE_MAX_CONNECTIONS", "100");
    assert!(run(both).await.stderr.contains("--max-connections more: "), "it is the flag's value that is wrong");
}

#[tokio::test]
async fn what_a_variable_does_after_it_was_read_is_told_by_its_name_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = ("PLAIN_HTTP", "1");
    for (variables, told) in [
        (&[("LOG", "inof")][..], "ENTREMISE_LOG inof: \"inof\" is no level"),
        (&[("CERT", "none.pem")], "ENTREMISE_CERT none.pem: no such file"),
        (&[plain, ("KEY", "none.pem")], "ENTREMISE_KEY does nothing with --plain-http"),
        (&[plain, ("LISTEN", "0.0.0.0:0")], "ENTREMISE_PLAIN_HTTP on 0.0.0.0:"),
        (&[("AUTH_JWT_SECRET_FILE", "none")], "ENTREMISE_AUTH_JWT_SECRET_FILE none: cannot be read"),
        (&[("AUTH_JWT_SECRET_FILE", "a,b,c")], "ENTREMISE_AUTH_JWT_SECRET_FILE c: two keys count"),
        (&[("TURN_SECRET_FILE", "none")], "ENTREMISE_TURN_SECRET_FILE none: cannot be read"),
        (&[("TURN_EXTERNAL_IP", "::1")], "ENTREMISE_TURN_EXTERNAL_IP ::1: others cannot reach"),
        (&[("MAILBOX_MESSAGES", "1")], "ENTREMISE_MAILBOX_MESSAGES 1 is too small"),
        (&[plain, ("METRICS_LISTEN", "203.0.113.7:1")], "ENTREMISE_METRICS_LISTEN 203.0.113.7:1: no interface"),
    ] {
        let mut command = command(folder.path(), &[""; 0]);
        command.env("ENTREMISE_LISTEN", "127.0.0.1:0");
        command.envs(variables.iter().map(|(name, value)| (format!("ENTREMISE_{name}"), value)));
        let ended = run(command).await;
        assert_eq!(ended.status.code(), Some(1), "{told}: {}", ended.stderr);
        assert!(ended.stderr.starts_with(&format!("entremise: {told}")), "{told}: {}", ended.stderr);
    }
    let mut typed = command(folder.path(), &["--log=inof"]);
    typed.env("ENTREMISE_LOG", "info");
    assert!(run(typed).await.stderr.starts_with("entremise: --log inof: "), "it is the flag's value that is wrong");
}

#[tokio::test]
async fn an_empty_variable_is_not_set_whatever_flag_it_is_of() {
    let names: Vec<String> =
        Cli::command().get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned)).collect();
    assert!(names.len() > 40);
    let set = |command: &mut tokio::process::Command| {
        for name in names.iter().filter(|name| *name != "ENTREMISE_STUN_PORT") {
            command.env(name, "");
        }
    };
    let program = Program::start_with(Pair::new(), &[], set).await;
    program.connect().await.fence().await;
    assert!(program.first_line.contains(": open https://127.0.0.1:"), "{}", program.first_line);
}

#[tokio::test]
async fn a_switch_may_be_off_in_its_variable() {
    let off = |command: &mut tokio::process::Command| {
        command.env("ENTREMISE_PLAIN_HTTP", "0").env("ENTREMISE_TURN_TLS_PORT", "0").env("ENTREMISE_TURN", "no");
        command.env("ENTREMISE_INSECURE_PLAIN_HTTP_ON_ANY_ADDRESS", "false").env("ENTREMISE_FINAL", "off");
        command.env("ENTREMISE_STUN_OPEN", "off").env("ENTREMISE_PROXY_PROTOCOL", "no");
    };
    let program = Program::start_with(Pair::new(), &[], off).await;
    assert!(program.first_line.contains(": open https://"), "{}", program.first_line);
    let folder = tempfile::tempdir().expect("a folder");
    for on in ["1", "yes", "on", "true", "YES"] {
        let mut command = command(folder.path(), &["--listen=localhost:0"]);
        command.env("ENTREMISE_PLAIN_HTTP", on);
        let program = Program::serve(command, || Pair::new().root).await;
        assert!(program.first_line.contains(": open http://127.0.0.1:"), "{on}: {}", program.first_line);
    }
}

/// Each is set alone, beside a variable that is read after all of them, and ends the start.
#[tokio::test]
async fn every_switch_takes_every_spelling_in_its_variable() {
    let folder = tempfile::tempdir().expect("a folder");
    let is_switch = |arg: &&clap::Arg| arg.get_value_parser().type_id() == ValueParser::bool().type_id();
    let server = Cli::command();
    let switches: Vec<_> = server.get_arguments().filter(is_switch).filter_map(clap::Arg::get_env).collect();
    assert!(switches.len() > 5, "{switches:?}");
    for switch in switches {
        for value in ["1", "ON", "yes", "true", "0", "Off", "no", "false"] {
            let mut command = command(folder.path(), &[""; 0]);
            command.env(switch, value).env("ENTREMISE_LOG_FORMAT", "xml");
            let told = run(command).await.stderr;
            assert!(told.starts_with("entremise: ENTREMISE_LOG_FORMAT=xml: "), "{switch:?}={value}: {told}");
        }
    }
}

#[tokio::test]
async fn a_token_is_printed_where_the_servers_variables_are_set() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), "a secret of thirty-two bytes ...").expect("writable");
    let mut command = command(folder.path(), &["token", "--secret-file=secret", "--subject=alice"]);
    command.env("ENTREMISE_LISTEN", "[::]:8443").env("ENTREMISE_TURN", "1").env("ENTREMISE_HEARTBEAT", "often");
    let ended = run(command).await;
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), ""));
    assert!(ended.stdout.starts_with("eyJ"));
}

#[tokio::test]
async fn what_is_typed_without_dashes_or_beside_a_command_is_answered_helpfully() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["help"])).await;
    assert!(ended.status.success() && ended.stdout.contains("--listen"), "{}", ended.stderr);
    let ended = run(command(folder.path(), &["version"])).await;
    assert_eq!(ended.stdout, concat!("entremise ", env!("CARGO_PKG_VERSION"), "\n"));
    let ended = run(command(folder.path(), &["--listen=8443", "token", "--secret-file=a", "--subject=b"])).await;
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(ended.stderr, "entremise: entremise token has flags of its own alone: leave out those before it\n");
    for typed in [&["--turn", "ice", "example.org"][..], &["ice", "--turn", "example.org"], &["ice", "--turn"]] {
        let ended = run(command(folder.path(), typed)).await;
        assert_eq!(ended.status.code(), Some(2));
        assert!(ended.stderr.ends_with(": entremise ice HOST FLAGS\n"), "{typed:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{typed:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn settings_that_most_likely_are_not_meant_are_warned_of() {
    let unused = |command: &mut tokio::process::Command| {
        command
            .env("ENTREMISE_LISTN", "[::]:443")
            .env("ENTREMISE_ALLOW_ORIGIN", "null")
            .env("ENTREMISE_TURN_TTL", "60");
    };
    let flags = ["--turn-external-ip=192.0.2.1", "--trusted-proxy=0.0.0.0/0"];
    let program = Program::start_with(Pair::new(), &flags, unused).await;
    let log = program.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 5, "{log}");
    for told in [
        "is ENTREMISE_LISTEN meant?",
        "--turn-external-ip does nothing",
        " ENTREMISE_TURN_TTL does nothing",
        " ENTREMISE_ALLOW_ORIGIN null",
        "--trusted-proxy",
    ] {
        assert!(warnings.iter().any(|line| line.contains(told)), "{told}: {log}");
    }
}

#[tokio::test]
async fn it_says_whether_stun_turn_and_credentials_are_on() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("secret"), "a secret of thirty-two bytes ...").expect("writable");
    let secret = format!("--auth-jwt-secret-file={}", folder.path().join("secret").display());
    let said = async |program: Program| {
        program.signal(Signal::TERM);
        program.ended().await.stdout
    };
    let off = said(Program::start(&[]).await).await;
    assert!(off.contains("\nSTUN (no relays without --turn): nothing is served; credentials: not needed"), "{off}");
    let (program, port) = on_free_port(async |port| Program::start(&["--turn", port, &secret]).await).await;
    let on = said(program).await;
    let line = on.lines().find(|line| line.starts_with("STUN and TURN: ")).expect("a line on both");
    assert!(line.contains(&format!("UDP and TCP {port}")) && line.ends_with("; credentials: needed"), "{on}");
}

#[tokio::test]
async fn a_proxy_that_is_not_named_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = async |flags: &[&str]| {
        let flags = [&["--plain-http", "--listen=127.0.0.1:0"], flags].concat();
        let program = Program::serve(command(folder.path(), &flags), || Pair::new().root).await;
        program.log().matches("--trusted-proxy 127.0.0.1").count()
    };
    assert_eq!((start(&[]).await, start(&["--trusted-proxy=127.0.0.1"]).await), (1, 0));
}

#[tokio::test]
async fn a_certificate_for_another_host_than_the_public_one_is_warned_of() {
    let told = async |host: &str| {
        let program = Program::start(&[&format!("--public-host={host}")]).await;
        program.log().matches("is not for this host").count()
    };
    assert_eq!((told("localhost:8443").await, told("127.0.0.1").await), (0, 0));
    assert_eq!((told("calls.example").await, told("[::1]").await), (1, 1));
}

#[tokio::test]
async fn a_pair_that_browsers_do_not_take_is_warned_of_at_start_and_at_a_change() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("randomness");
    let pair = || Pair::signed(&params(), &key, &key.serialize_pem());
    let served = pair();
    let (cert, other) = (served.cert(), pair());
    let program = Program::start_with(served, &[], |_| {}).await;
    assert_eq!(program.log().matches("Ed25519, which no browser takes").count(), 1, "{}", program.log());
    assert!(program.log().contains(&format!("--cert {}: the key is of", cert.display())), "{}", program.log());
    crate::pair::replace(&cert, fs::read(other.cert()).expect("readable"));
    program.signal(Signal::HUP);
    program.logs("Ed25519, which no browser takes", 2).await;
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_warned_of_once() {
    let program = Program::start(&[]).await;
    for _ in 0..3 {
        program.request("GET", "/healthz", &["X-Forwarded-For: 192.0.2.1"]).await;
        program.request("GET", "/ice", &["X-Forwarded-For: 192.0.2.1"]).await;
    }
    program.signal(Signal::TERM);
    let log = program.ended().await.stderr;
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("X-Forwarded-For") && warnings[0].contains("--trusted-proxy 127.0.0.1"), "{log}");
    assert!(!log.contains("192.0.2.1"), "{log}");
}

#[tokio::test]
async fn a_certificate_beside_plain_http_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in ["--cert", "--key"] {
        let ended =
            run(command(folder.path(), &["--plain-http", "--listen=127.0.0.1:0", &format!("{flag}=my.pem")])).await;
        assert_one_line(&ended, &[flag, "does nothing with --plain-http", "leave out one"]);
    }
}

#[tokio::test]
async fn version_and_help_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(command(folder.path(), &["--version"])).await;
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stdout, concat!("entremise ", env!("CARGO_PKG_VERSION"), "\n"));
    let ended = run(command(folder.path(), &["--help"])).await;
    assert_eq!(ended.status.code(), Some(0));
    for flag in ["--listen", "--cert", "--acme-domain", "[default: 10000]", "entremise flags"] {
        assert!(ended.stdout.contains(flag), "{flag}");
    }
    let ended = run(command(folder.path(), &["flags"])).await;
    for flag in ["--listen", "--drain-timeout", "ENTREMISE_MAX_CONNECTIONS", "[default: 65536]"] {
        assert!(ended.stdout.contains(flag), "{flag}");
    }
}

#[tokio::test]
async fn a_setting_is_taken_from_its_variable_and_a_flag_wins() {
    let set = |command: &mut tokio::process::Command| {
        command.env("ENTREMISE_MAX_MESSAGE_BYTES", "1234").env("ENTREMISE_HEARTBEAT", "7");
        command.env("ENTREMISE_ALLOW_ORIGIN", "https://one.example,https://two.example");
    };
    let program = Program::start_with(Pair::new(), &["--heartbeat=8.5"], set).await;
    let (client, _) = program.connect_with(&[("origin", "https://two.example")]).await;
    assert!(client.welcome.contains(r#""heartbeat":8.5,"maxMessageBytes":1234,"#), "{}", client.welcome);
}

#[tokio::test]
async fn a_signal_tells_every_peer_and_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let program = Program::start(&[]).await;
        let mut clients = program.connect_many::<5>().await;
        program.signal(signal);
        for client in &mut clients {
            let (code, reason) = client.closed().await;
            assert_eq!((code, &*reason), (1012, "the server restarts: connect again"));
        }
        drop(clients);
        let ended = program.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_drain_that_passes_its_deadline_is_warned_of_and_exits_with_0() {
    let program = Program::start(&[
        "--drain-timeout=0.5",
        "--write-timeout=60",
        "--messages-per-second=0",
        "--bytes-per-second=0",
    ])
    .await;
    let (_stalled, _others) = stall(&program).await;
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("deadline passed"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_exits_at_once() {
    let program = Program::start(&[
        "--drain-timeout=600",
        "--write-timeout=600",
        "--messages-per-second=0",
        "--bytes-per-second=0",
    ])
    .await;
    let (_stalled, mut other) = stall(&program).await;
    program.signal(Signal::TERM);
    assert_eq!(other.closed().await.0, 1012, "the drain has begun");
    program.signal(Signal::INT);
    assert_eq!(program.ended().await.status.code(), Some(1));
}

/// A peer that holds up a drain, and the one that made it do so.
async fn stall(program: &Program) -> (crate::raw::Raw, Client) {
    let stalled = program.stalled().await;
    let mut other = program.connect().await;
    other.fill(&stalled.id).await;
    (stalled, other)
}

#[tokio::test]
async fn accept_survives_descriptor_exhaustion() {
    const FILES: u32 = 64;
    let program = Program::start_with_files(
        FILES,
        &["--handshake-timeout=60", "--messages-per-second=0", "--bytes-per-second=0"],
    )
    .await;
    assert!(program.log().contains("limit of open files"), "the operator is told: {}", program.log());
    let mut peer = program.connect().await;
    // More than it may have: the rest wait where the system keeps them, and every accept fails.
    let mut crowd = Vec::new();
    for _ in 0..FILES + 20 {
        crowd.push(program.tcp().await);
    }
    // The connection that got in is served all the same.
    peer.fence().await;
    let taken = async {
        while program.files() < FILES as usize {
            peer.fence().await;
        }
    };
    within("the last descriptor to be taken", taken).await;
    peer.fence().await;
    drop(crowd);
    program.connect().await.fence().await;
    peer.fence().await;
    assert!(!program.log().contains("ERROR"), "{}", program.log());
}

/// A server that can't say anything serves all the same, and ends as it would.
async fn assert_serves_unheard(stderr: impl Into<Stdio>) {
    // Everything that it does is worth a line.
    let program = Program::start_unheard(stderr, &["--log=entremise=trace"]).await;
    let [mut alice, mut bob] = program.connect_many().await;
    bob.join("room").await;
    assert_eq!(alice.join("room").await, [&*bob.id]);
    program.signal(Signal::HUP);
    let mut broken = program.tcp().await;
    broken.write_all(b"\x16\x03\x01\x00\x05hello").await.expect("the server reads");
    let _ = within("its end", tokio::io::copy(&mut broken, &mut tokio::io::sink())).await;
    assert_eq!(program.get("/").await.status, 200);
    alice.fence().await;
    program.signal(Signal::TERM);
    assert_eq!(alice.closed().await.0, 1012);
    drop((alice, bob));
    assert_eq!(program.ended().await.status.code(), Some(0));
}

/// Where every write fails for want of space.
fn full_disk() -> fs::File {
    fs::File::options().write(true).open("/dev/full").expect("Linux has one")
}

#[tokio::test]
async fn a_full_disk_under_the_log_stops_nothing() {
    assert_serves_unheard(full_disk()).await;
}

#[tokio::test]
async fn a_log_whose_reader_is_gone_stops_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_serves_unheard(writer).await;
}

#[tokio::test]
async fn a_start_that_fails_unheard_exits_with_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path(), &["--mailbox-bytes=1000"]);
    let status = within("the program to end", command.stderr(full_disk()).status()).await.expect("the program runs");
    assert_eq!(status.code(), Some(1));
}

/// What the server says about itself while it starts and stops; everything else in a log at `info` is too much.
const LIFE: [&str; 1] = ["stopping"];

#[tokio::test]
async fn hostile_traffic_logs_nothing_above_debug() {
    let flags = ["--log-format=json", "--log=info", "--refused-messages=3", "--heartbeat=1.5", "--max-connections=3"];
    let program = Program::start(&flags).await;
    for bytes in [&b"\0\0"[..], b"\x16\x03\x01\x00\x05hello", b"GET /\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"\x16"] {
        let mut tcp = program.tcp().await;
        tcp.write_all(bytes).await.expect("the server reads");
        tcp.shutdown().await.expect("an end");
        let _ = within("its end", tokio::io::copy(&mut tcp, &mut tokio::io::sink())).await;
    }
    for request in ["\0\0\r\n\r\n", "GET /ws HTTP/1.1\r\n\r\n", "GET /\u{e9}\u{ff} HTTP/1.1\r\nHost: \u{1}\r\n\r\n"] {
        let mut tls = program.tls().await;
        tls.write_all(request.as_bytes()).await.expect("the server reads");
        tls.shutdown().await.expect("an end");
        let _ = within("its end", tokio::io::copy(&mut tls, &mut tokio::io::sink())).await;
    }
    for headers in [&["Origin: null"][..], &["Origin: \u{e9}"], &["Sec-WebSocket-Protocol: entremise.bearer.secret"]] {
        program.request("GET", "/ws", &[&HANDSHAKE, headers].concat()).await;
    }
    let mut abandoned = program.tls().await;
    abandoned.write_all(program.head("GET", "/ws", &HANDSHAKE).as_bytes()).await.expect("the server reads");
    drop(abandoned);
    let frames: [(u16, Vec<u8>); 5] = [
        (1002, vec![0xff; 100]),
        (1003, crate::raw::masked(FIN | BINARY, b"\0")),
        (1007, crate::raw::masked(FIN | TEXT, b"\xff")),
        (1008, crate::raw::masked(FIN | TEXT, b"secret").repeat(3)),
        (1009, [header(FIN | TEXT, 100_000), vec![0; 4]].concat()),
    ];
    for (code, bytes) in frames {
        within("a permit", async { while program.get("/ws").await.status != 426 {} }).await;
        let mut raw = program.raw().await;
        raw.write(&bytes).await;
        assert_eq!(raw.closed().await.0, code);
    }
    within("a permit", async { while program.get("/ws").await.status != 426 {} }).await;
    let mut silent = program.raw().await;
    assert_eq!(silent.closed().await.0, 4002);
    let mut tls = program.tls().await;
    assert_eq!(exchange(&mut tls, &program.head("GET", "/", &[])).await.status, 200);
    drop((silent, tls));
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    for line in ended.stderr.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let message = event["fields"]["message"].as_str().expect("a message");
        assert!(event["level"] == "INFO" && LIFE.contains(&message), "{line}");
    }
}

/// As much as an operator can ask for: the longer a target is, the more it counts.
const EVERYTHING: &str = "--log=trace,tungstenite::protocol=trace,tungstenite::protocol::frame=trace,hyper=trace";

#[tokio::test]
async fn what_peers_say_is_in_no_log() {
    let program = Program::start(&[EVERYTHING]).await;
    let [mut alice, mut bob] = program.connect_many().await;
    alice.join("secret-room").await;
    alice.say(format!(r#"{{"type":"offer","to":"{}","offer":"secret-sdp"}}"#, bob.id)).await;
    bob.hear().await;
    alice.ask(r#"{"type":"bye","to":"secret-address","ref":"secret-ref"}"#).await;
    let id = alice.id.clone();
    drop((alice, bob));
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert!(ended.stderr.contains("TRACE") && ended.stderr.contains(&id), "the log is on: {}", ended.stderr);
    let said = ended.stderr.lines().find(|line| line.contains("secret"));
    assert_eq!(said, None);
}

#[tokio::test]
async fn lines_about_a_connection_carry_its_number_and_its_peer() {
    let program = Program::start(&["--log=entremise=debug", "--log-format=json", "--dialect=socket.io"]).await;
    let [alice, bob] = program.connect_many().await;
    let ids = [alice.id.clone(), bob.id.clone()];
    drop((alice, bob));
    program.logs("connection ended", 2).await;
    let refused = program.request("GET", "/ws", &["Origin: https://evil.example"]).await;
    assert!(refused.status >= 400);
    program.logs("no WebSocket", 1).await;
    let lines: Vec<Value> = program.log().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let spans = |message: &str| -> Vec<Value> {
        let said = lines.iter().filter(|line| line["fields"]["message"] == message);
        said.map(|line| line["span"].clone()).collect()
    };
    let ended = spans("connection ended");
    for span in &ended {
        assert!(span["id"].as_u64().is_some_and(|id| id > 0) && span["name"] == "connection", "{span}");
        assert!(ids.iter().any(|id| span["peer"] == **id), "{span}");
    }
    assert!(ended.len() == 2 && ended[0]["id"] != ended[1]["id"], "{ended:?}");
    let refused = spans("no WebSocket");
    assert!(refused[0]["id"].as_u64() > ended[1]["id"].as_u64() && refused[0].get("peer").is_none(), "{refused:?}");
}

#[tokio::test]
async fn no_log_has_a_resume_token() {
    let program = Program::start(&[EVERYTHING]).await;
    let mut tokens = Vec::new();
    let mut client = program.connect_v1().await;
    for _ in 0..3 {
        client.fence().await;
        tokens.push(client.ticket().token);
        client = program.resume(&client.ticket()).await;
    }
    // Spent by now.
    assert!(!program.try_resume(&Ticket { token: tokens[0].clone(), received: 0 }).await.is_resumed());
    let id = client.id.clone();
    drop(client);
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert!(ended.stderr.contains("TRACE") && ended.stderr.contains(&id), "the log is on");
    for token in tokens {
        // Half of it is enough to find the session, the other half to take it.
        for half in [&token[..20], &token[23..]] {
            let line = ended.stderr.lines().find(|line| line.contains(half));
            assert_eq!(line, None);
        }
    }
}
