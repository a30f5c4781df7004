//! What the operator should know of settings that can be meant, but most likely are not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cli::Cli;
use crate::http::AllowedOrigin;
use crate::net::Cidr;

/// A line for each, which names the flag, or the variable that gave it, and what to do.
#[must_use]
pub fn look(cli: &Cli) -> Vec<String> {
    let lines = [
        unknown_variables(cli),
        certificates(cli),
        idle_turn_flags(cli),
        turn_ports(cli),
        origins(cli),
        proxies(cli),
        nodes(cli),
    ];
    lines.into_iter().flatten().map(|line| cli.given.named(&line).into_owned()).collect()
}

fn unknown_variables(cli: &Cli) -> Vec<String> {
    let line = |(name, similar): &(String, Option<String>)| match similar {
        Some(similar) => format!("{name}: no flag has this variable; is {similar} meant? It is ignored"),
        None => format!("{name}: no flag has this variable (entremise --help lists them); it is ignored"),
    };
    cli.given.unknown_variables.iter().map(line).collect()
}

/// Settings of certificates that come by themselves, where they do not, or come to several machines.
fn certificates(cli: &Cli) -> Vec<String> {
    if cli.acme.acme_domain.is_empty() {
        let is_idle = |flag: &&String| flag.starts_with("acme-") || *flag == "state-dir";
        let idle = cli.given.flags.iter().filter(is_idle);
        return idle
            .map(|flag| format!("--{flag} does nothing without --acme-domain: give --acme-domain, or leave it out"))
            .collect();
    }
    let nodes = is_clustered(cli).then(|| {
        "--acme-domain with --cluster: where one name leads to several nodes, the authority may look for its proof at the \
         wrong one; give each node a name of its own, or all of them --cert and --key"
            .to_owned()
    });
    let port = cli.listening.listen.port();
    let is_elsewhere = cli.acme.acme_http_listen.is_none() && port != 443;
    let elsewhere = is_elsewhere.then(|| {
        format!(
            "--acme-domain with --listen on port {port}: the authority looks for its proof at port 443; listen there, or \
             have a router or a firewall of yours lead that port to this one"
        )
    });
    nodes.into_iter().chain(elsewhere).collect()
}

#[cfg(feature = "cluster")]
fn is_clustered(cli: &Cli) -> bool {
    !cli.cluster.cluster.is_empty()
}

#[cfg(not(feature = "cluster"))]
fn is_clustered(_: &Cli) -> bool {
    false
}

/// Settings of the relay where there is none.
fn idle_turn_flags(cli: &Cli) -> Vec<String> {
    if cli.ice.turn {
        return Vec::new();
    }
    // STUN is there too, and credentials are for relays elsewhere as well.
    let is_for_elsewhere =
        |flag: &str| matches!(flag, "turn-secret-file" | "turn-ttl") && !cli.ice.ice_server.is_empty();
    let is_used = |flag: &str| flag == "turn-listen" || is_for_elsewhere(flag);
    let idle = cli.given.flags.iter().filter(|flag| flag.starts_with("turn-") && !is_used(flag));
    idle.map(|flag| format!("--{flag} does nothing without --turn: give --turn, or leave it out")).collect()
}

/// What nodes that are one service have to share, and what does not go from one to another.
#[cfg(feature = "cluster")]
fn nodes(cli: &Cli) -> Vec<String> {
    if !is_clustered(cli) {
        let idle = cli.given.flags.iter().filter(|flag| flag.starts_with("cluster-") || *flag == "node-name");
        return idle
            .map(|flag| format!("--{flag} does nothing without --cluster: give --cluster, or leave it out"))
            .collect();
    }
    let has_no_secret = cli.ice.turn && cli.ice.turn_secret_file.is_empty();
    let secret = has_no_secret.then(|| {
        "--turn with --cluster, but without --turn-secret-file: the TURN credentials of one node fail on another; give all \
         nodes the same file"
            .to_owned()
    });
    secret.into_iter().collect()
}

#[cfg(not(feature = "cluster"))]
fn nodes(_: &Cli) -> Vec<String> {
    Vec::new()
}

fn turn_ports(cli: &Cli) -> Vec<String> {
    let has_none = cli.ice.turn && cli.proxy.plain_http && cli.ice.stun_port == 0 && cli.ice.turn_tls_port == 0;
    let none = has_none.then(|| {
        "--turn without a port: --stun-port is 0, and with --plain-http the page's port has no TLS; give --stun-port or \
         --turn-tls-port"
            .to_owned()
    });
    let holds = cli.ice.turn && cli.ice.turn_relay_ports.contains(&cli.ice.stun_port);
    let held = holds.then(|| {
        let port = cli.ice.stun_port;
        format!("--turn-relay-ports holds --stun-port {port}: relays may reach it as if it were one; give a range without it")
    });
    none.into_iter().chain(held).collect()
}

fn origins(cli: &Cli) -> Vec<String> {
    let line = |origin: &AllowedOrigin| {
        match origin {
        AllowedOrigin::Null => Some(
            "--allow-origin null: every website can open a page of this origin in a sandboxed frame, so this lets in the \
             pages of all; give the origins that are meant where they have any"
                .to_owned(),
        ),
        AllowedOrigin::File => Some(
            "--allow-origin file://: all files that an app or a browser opens have this origin; ask for credentials \
             (--auth-jwt-secret-file) if more than one app of yours may come"
                .to_owned(),
        ),
        _ => None,
    }
    };
    cli.admission.allow_origin.iter().filter_map(line).collect()
}

fn proxies(cli: &Cli) -> Vec<String> {
    let unnamed = (cli.proxy.plain_http && cli.proxy.trusted_proxy.is_empty()).then(|| {
        "--plain-http without --trusted-proxy: all clients seem to have the proxy's address, and share the limits of one; \
         give the address from which the proxy connects, such as --trusted-proxy 127.0.0.1"
            .to_owned()
    });
    let all: [[IpAddr; 2]; 2] = [
        [Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()],
        [Ipv6Addr::UNSPECIFIED.into(), [0xffff; 8].into()],
    ];
    let is_all = |block: &Cidr| all.iter().any(|ends| ends.iter().all(|end| block.contains(*end)));
    let everywhere = cli.proxy.trusted_proxy.iter().any(is_all).then(|| {
        "--trusted-proxy: a block of all addresses lets each client give itself another one (X-Forwarded-For), so there are \
         no limits for an address; give the proxy's own address"
            .to_owned()
    });
    unnamed.into_iter().chain(everywhere).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::tests::given;
    use super::*;

    /// What is said of these flags.
    fn told(flags: &[&str]) -> String {
        look(&given(flags)).join("\n")
    }

    #[test]
    fn the_defaults_and_settings_that_fit_each_other_are_no_concern() {
        for flags in [
            &[][..],
            &["--plain-http", "--trusted-proxy=127.0.0.1"],
            &["--turn", "--turn-external-ip=192.0.2.1", "--turn-ttl=600"],
            &["--turn-listen=10.0.0.5"],
            &["--acme-domain=a.example", "--acme-agree", "--listen=:443"],
            &["--acme-domain=a.example", "--acme-http-listen=:80"],
            &["--ice-server=stun:a.example", "--turn-secret-file=secret", "--turn-ttl=600"],
            &["--allow-origin=https://*.example.org", "--trusted-proxy=10.0.0.0/8,::1"],
        ] {
            assert_eq!(told(flags), "", "{flags:?}");
        }
    }

    #[test]
    fn settings_that_do_nothing_or_too_much_are_told_with_what_to_do() {
        for (flags, named) in [
            (&["--plain-http"][..], "--trusted-proxy 127.0.0.1"),
            (&["--turn-external-ip=192.0.2.1"], "--turn-external-ip does nothing without --turn"),
            (&["--turn-secret-file=secret"], "--turn-secret-file does nothing without --turn"),
            (&["--turn-ttl=60"], "--turn-ttl does nothing without --turn"),
            (&["--ice-server=stun:a.example", "--turn-allow-peer=10.0.0.0/8"], "--turn-allow-peer does nothing"),
            (&["--turn", "--plain-http", "--trusted-proxy=::1", "--stun-port=0"], "--turn without a port"),
            (&["--acme-agree"], "--acme-agree does nothing without --acme-domain"),
            (&["--state-dir=certs"], "--state-dir does nothing without --acme-domain"),
            (&["--acme-domain=a.example"], "--listen on port 8443: the authority looks for its proof at port 443"),
            (&["--turn", "--turn-relay-ports=3000-4000"], "holds --stun-port 3478"),
            (&["--trusted-proxy=0.0.0.0/0"], "--trusted-proxy"),
            (&["--trusted-proxy=::/0"], "--trusted-proxy"),
            (&["--allow-origin=null"], "--allow-origin null"),
            (&["--allow-origin=https://a.example,file://"], "--allow-origin file://"),
        ] {
            let told = told(flags);
            assert!(told.contains(named) && told.lines().count() == 1, "{flags:?}: {told}");
        }
    }

    #[test]
    fn a_variable_that_is_no_flags_is_told() {
        let mut cli = Cli::try_parse_from(["entremise"]).unwrap();
        let listen = Some("ENTREMISE_LISTEN".to_owned());
        cli.given.unknown_variables = vec![("ENTREMISE_LISTN".into(), listen), ("ENTREMISE_X".into(), None)];
        let told = look(&cli).join("\n");
        assert!(told.contains("ENTREMISE_LISTN") && told.contains("is ENTREMISE_LISTEN meant?"), "{told}");
        assert!(told.contains("ENTREMISE_X: no flag"), "{told}");
    }
}
