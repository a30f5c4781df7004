//! `entremise ice`, run beside the built program as an operator runs it.

use std::fs;
use std::net::{TcpListener, UdpSocket};

use crate::program::{Ended, Program, command, run};

/// What the trial says of a server that was started with these flags, by a host of this address.
async fn trial(program: &Program, host: &str, flags: &[String]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let listen = format!("--listen={}", program.address);
    let host = format!("{host}:{}", program.address.port());
    let words = ["ice".to_owned(), host, listen].into_iter().chain(flags.iter().cloned());
    run(command(folder.path(), &words.collect::<Vec<_>>())).await
}

/// An address of this process's own, and a port that is free there for UDP and TCP.
fn endpoint(last: u8) -> (String, u16) {
    let [.., high, low] = std::process::id().to_be_bytes();
    let ip = format!("127.{}.{low}.{last}", high | 0x80);
    let tcp = TcpListener::bind((ip.as_str(), 0)).expect("a port is free");
    let port = tcp.local_addr().expect("it listens").port();
    UdpSocket::bind((ip.as_str(), port)).expect("nothing else is on this address");
    (ip, port)
}

/// A server with TURN at an endpoint, and its flags.
async fn served(last: u8, more: &[&str]) -> (Program, Vec<String>) {
    let (ip, port) = endpoint(last);
    let turn = ["--turn".into(), format!("--stun-port={port}"), format!("--turn-listen={ip},127.0.0.1")];
    let flags: Vec<String> = turn.into_iter().chain(more.iter().map(|flag| (*flag).to_owned())).collect();
    let program = Program::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    (program, flags)
}

#[tokio::test]
async fn what_works_is_said_for_each_transport() {
    let (program, flags) = served(1, &["--turn-external-ip=9.9.9.9"]).await;
    let ended = trial(&program, "127.0.0.1", &flags).await;
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    for what in ["ok    stun:", "?transport=udp at 127.0.0.1:", "?transport=tcp at 127.0.0.1:", "ok    turns:"] {
        assert!(ended.stdout.contains(what), "{what}: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("two relays met, 9.9.9.9:").count(), 3, "{}", ended.stdout);
    assert!(!ended.stdout.contains("FAIL"), "{}", ended.stdout);
}

#[tokio::test]
async fn what_does_not_work_is_said_in_words_and_the_exit_says_so() {
    let (program, flags) = served(2, &[]).await;
    // A host's name that leads to an address where neither STUN nor a certificate for it is.
    let ended = trial(&program, "127.0.0.2", &flags).await;
    assert_eq!(ended.status.code(), Some(1));
    for what in ["FAIL  stun:127.0.0.2:", "nothing serves UDP there: is the server running, with these flags?"] {
        assert!(ended.stdout.contains(what), "{what}: {}", ended.stdout);
    }
    let ended = trial(&program, "198.51.100.77", &flags).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.contains("198.51.100.77, which no interface of this machine has"), "{}", ended.stdout);
    let ended = trial(&program, "nowhere.invalid", &flags).await;
    assert!(ended.stdout.contains("the host's name has no address"), "{}", ended.stdout);
    let folder = tempfile::tempdir().expect("a folder");
    let (ip, port) = endpoint(3);
    let ended = run(command(folder.path(), &["ice", "localhost", &format!("--listen={ip}:{port}")])).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.contains(&format!("no server answers at {ip}:{port}: is it running")), "{}", ended.stdout);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_found() {
    // The certificate is for localhost and 127.0.0.1.
    let (ip, port) = endpoint(4);
    let (program, flags) = served(4, &[&format!("--turn-tls-port={port}")]).await;
    let ended = trial(&program, &ip, &flags).await;
    assert_eq!(ended.status.code(), Some(1));
    let refused = format!("FAIL  turns:{ip}:{port}?transport=tcp at {ip}:{port}: the certificate is not for {ip}");
    assert!(ended.stdout.contains(&refused), "{refused}: {}", ended.stdout);
}

#[tokio::test]
async fn a_server_that_asks_for_tokens_is_asked_with_one_that_its_secret_signs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, "the north wind and the sun were disputing").expect("writable");
    let secret = format!("--auth-jwt-secret-file={}", file.display());
    let (program, flags) = served(6, &[&secret]).await;
    let ended = trial(&program, "127.0.0.1", &flags).await;
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    let without: Vec<String> = flags.into_iter().filter(|flag| *flag != secret).collect();
    let ended = trial(&program, "127.0.0.1", &without).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.contains("asks for a token: give --auth-jwt-secret-file"), "{}", ended.stdout);
}

#[tokio::test]
async fn behind_a_proxy_that_passes_on_bytes_a_browser_elsewhere_is_offered_turns_on_the_pages_port() {
    let proxied = ["--proxy-protocol", "--trusted-proxy=127.0.0.0/8", "--turn-external-ip=9.9.9.9"];
    let (program, flags) = served(7, &proxied).await;
    let ended = trial(&program, "127.0.0.1", &flags).await;
    let turns = format!("  turns:127.0.0.1:{}?transport=tcp", program.address.port());
    assert!(ended.stdout.contains(&turns), "{turns}: {}{}", ended.stdout, ended.stderr);
}

#[tokio::test]
async fn behind_a_proxy_that_ends_tls_it_is_said_who_has_no_relay() {
    let (program, flags) = served(8, &["--trusted-proxy=127.0.0.0/8", "--turn-external-ip=9.9.9.9"]).await;
    let said = "no turns: is offered: browsers whose network lets out TCP 443 alone have no relay";
    let ended = trial(&program, "127.0.0.1", &flags).await;
    assert!(ended.stdout.contains(said), "{}{}", ended.stdout, ended.stderr);
}

#[tokio::test]
async fn the_commands_of_the_ice_page_serve_what_its_last_one_finds() {
    const PAGE: &str = include_str!("../../docs/ice.md");
    let boxes = PAGE.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines: Vec<&str> = boxes.flat_map(str::lines).filter(|line| line.starts_with("entremise ")).collect();
    assert!(lines.contains(&"entremise ice calls.example --turn"), "{lines:?}");
    let servers: Vec<&&str> = lines.iter().filter(|line| line.starts_with("entremise --turn")).collect();
    assert!(servers.len() >= 5, "{servers:?}");
    for (number, line) in (20..).zip(servers) {
        let documented: Vec<&str> = line.split(' ').skip(2).collect();
        let (program, flags) = served(number, &documented).await;
        let ended = trial(&program, "127.0.0.1", &flags).await;
        assert!(ended.status.success(), "{line}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.stdout.matches("two relays met").count(), 3, "{line}: {}", ended.stdout);
        let external = documented.iter().find(|word| word.starts_with("198.51.100.1"));
        let is_advertised = ended.stdout.contains("two relays met, 198.51.100.1:");
        // Of a pair, the local address is none of this machine.
        assert_eq!(is_advertised, external.is_some_and(|word| !word.contains('/')), "{line}: {}", ended.stdout);
    }
}
