//! STUN and TURN: the settings, and which addresses can be meant.

use std::collections::HashSet;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use axum::http::uri::Authority;

use super::secret::{secret, turn_secret};
use crate::cli::Cli;
use crate::error::StartError;
use crate::ice::credential::{Credential, TurnSecret};
use crate::ice::{Access, IceUrl, IceUrlKind};
use crate::net::{Family, Interfaces, is_link_local};
use crate::turn::{External, Stun, TurnConfig, TurnLimits};

/// STUN and TURN, here and elsewhere.
#[derive(Clone, Debug)]
pub struct IceSettings {
    /// The addresses of STUN and TURN, whatever the page's is. An unspecified one is all of its family, `::` all of both.
    pub listen: Vec<IpAddr>,
    /// The UDP port of STUN, and with TURN its UDP and TCP port. None: neither.
    pub stun_port: Option<u16>,
    /// A TLS port of TURN besides the page's.
    pub turn_tls_port: Option<u16>,
    /// Where this host's addresses are seen.
    pub interfaces: Interfaces,
    /// How often.
    pub look_every: Duration,
    /// The embedded server; without secrets it is STUN only.
    pub turn: TurnConfig,
    /// Servers elsewhere.
    pub servers: Vec<IceUrl>,
    /// How clients authenticate to those of them that relay.
    pub access: Access,
    /// How long TURN credentials are good for, in seconds.
    pub ttl: u64,
    /// The name by which clients reach us, where their Host header does not say it.
    pub public_host: Option<Authority>,
}

/// For an address that comes later, or a port that another program gives back.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl IceSettings {
    pub(super) fn from_cli(cli: &Cli) -> Result<Self, StartError> {
        let files = cli.ice.turn_secret_file.iter();
        let given: Vec<TurnSecret> =
            files.map(|path| Ok(TurnSecret::new(&turn_secret(path)?))).collect::<Result<_, StartError>>()?;
        let relays_elsewhere = cli.ice.ice_server.iter().find(|url| url.kind() == IceUrlKind::Turn);
        let access = match (&cli.ice.ice_username, &cli.ice.ice_password_file, given.first()) {
            (Some(username), Some(file), _) => {
                let password = String::from_utf8_lossy(&secret("--ice-password-file", file)?).into_owned();
                Access::Fixed(Credential { username: username.clone(), password })
            }
            (_, _, Some(secret)) => Access::Minted(Box::new(secret.clone())),
            _ => Access::None,
        };
        if let (Some(url), Access::None) = (relays_elsewhere, &access) {
            return Err(StartError::NoAccess { url: url.to_string() });
        }
        let secrets = match (cli.ice.turn, given) {
            (false, _) => Vec::new(),
            (true, given) if given.is_empty() => vec![TurnSecret::random()],
            (true, given) => given,
        };
        Ok(Self {
            listen: addresses("--turn-listen", &cli.ice.turn_listen, listen_problem)?,
            stun_port: Some(cli.ice.stun_port).filter(|port| *port != 0),
            turn_tls_port: Some(cli.ice.turn_tls_port).filter(|port| cli.ice.turn && *port != 0),
            interfaces: Interfaces::default(),
            look_every: LOOK_EVERY,
            turn: turn_config(cli, secrets)?,
            servers: cli.ice.ice_server.clone(),
            access,
            ttl: cli.ice.turn_ttl,
            public_host: cli.ice.public_host.clone(),
        })
    }
}

fn turn_config(cli: &Cli, secrets: Vec<TurnSecret>) -> Result<TurnConfig, StartError> {
    let relay_addresses = addresses("--turn-relay-address", &cli.ice.turn_relay_address, relay_problem)?;
    Ok(TurnConfig {
        secrets,
        relay_ports: cli.ice.turn_relay_ports.clone(),
        external: externals(&cli.ice.turn_external_ip, &relay_addresses)?,
        relay_addresses,
        allowed_peers: cli.ice.turn_allow_peer.clone(),
        stun: if cli.ice.stun_open { Stun::Open } else { Stun::WithCredentials },
        limits: TurnLimits {
            allocations: NonZeroUsize::new(cli.ice.turn_allocations),
            allocations_per_user: NonZeroUsize::new(cli.ice.turn_allocations_per_user),
            allocations_per_address: NonZeroUsize::new(cli.ice.turn_allocations_per_address),
            bytes_per_second: NonZeroUsize::new(cli.ice.turn_bytes_per_second),
            refusals_per_second: cli.ice.turn_refusals_per_second,
            bindings_per_second: cli.ice.stun_bindings_per_second,
        },
        handshake_timeout: cli.deadlines.handshake_timeout,
    })
}

/// Addresses, none of which is one that can't be meant.
fn addresses(
    flag: &'static str,
    given: &[IpAddr],
    problem: impl Fn(IpAddr) -> Option<&'static str>,
) -> Result<Vec<IpAddr>, StartError> {
    let checked = given.iter().map(|ip| {
        let ip = ip.to_canonical();
        problem(ip).map_or(Ok(ip), |problem| Err(StartError::Address { flag, value: ip.to_string(), problem }))
    });
    checked.collect()
}

fn listen_problem(ip: IpAddr) -> Option<&'static str> {
    if ip.is_unspecified() { None } else { host_problem(ip) }
}

fn relay_problem(ip: IpAddr) -> Option<&'static str> {
    if ip.is_unspecified() {
        Some("no relay can be advertised by it; give one address of this host")
    } else {
        host_problem(ip)
    }
}

/// Why no host has this address for others to send to.
fn host_problem(ip: IpAddr) -> Option<&'static str> {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if ip.is_multicast() || is_broadcast {
        Some("it is of a group, and of no host")
    } else if ip.is_ipv6() && is_link_local(&ip) {
        Some("it is link-local, and means nothing without its interface; give another one")
    } else {
        None
    }
}

/// Why others can't send to this host by this address.
fn external_problem(ip: IpAddr) -> Option<&'static str> {
    const BY_OTHERS: &str = "others cannot reach this host by it; give the address by which they do";
    let is_nowhere = ip.is_unspecified() || ip.is_loopback() || is_link_local(&ip);
    if is_nowhere { Some(BY_OTHERS) } else { host_problem(ip) }
}

fn externals(given: &[External], relay_addresses: &[IpAddr]) -> Result<Vec<External>, StartError> {
    let mut externals = Vec::new();
    for external in given {
        let external = External {
            advertised: external.advertised.to_canonical(),
            local: external.local.map(|local| local.to_canonical()),
        };
        let own = external_problem(external.advertised).or_else(|| external.local.and_then(relay_problem));
        if let Some(problem) = own.or_else(|| pair_problem(external, &externals)) {
            return Err(StartError::Address { flag: EXTERNAL, value: external.to_string(), problem });
        }
        externals.push(external);
    }
    one_address_for_all(&externals, relay_addresses)?;
    Ok(externals)
}

const EXTERNAL: &str = "--turn-external-ip";

/// Why this one can't be beside those before it.
fn pair_problem(external: External, others: &[External]) -> Option<&'static str> {
    let family = |external: &External| Family::of(external.advertised);
    let is_mixed = external.local.is_some_and(|local| Family::of(local) != Family::of(external.advertised));
    let of_all =
        |other: &External| other.local.is_none() && external.local.is_none() && family(other) == family(&external);
    if is_mixed {
        Some("the two are of different families")
    } else if others.iter().any(of_all) {
        Some("there is one of its family already; give each as ADVERTISED/LOCAL, such as 198.51.100.1/10.0.0.5")
    } else if others.iter().any(|other| other.advertised == external.advertised) {
        Some("it is given twice, and stands for one address")
    } else if external.local.is_some() && others.iter().any(|other| other.local == external.local) {
        Some("its local address has another one already")
    } else {
        None
    }
}

/// Relays that are all advertised by one address are on one address too: nothing else tells two of one port apart.
fn one_address_for_all(externals: &[External], relay_addresses: &[IpAddr]) -> Result<(), StartError> {
    let named: HashSet<IpAddr> = externals.iter().filter_map(|external| external.local).collect();
    for external in externals.iter().filter(|external| external.local.is_none()) {
        let family = Family::of(external.advertised);
        let unnamed = relay_addresses.iter().filter(|ip| Family::of(**ip) == family && !named.contains(ip));
        if unnamed.count() > 1 {
            let problem =
                "it stands for several addresses of --turn-relay-address; give each its own as ADVERTISED/LOCAL";
            return Err(StartError::Address { flag: EXTERNAL, value: external.to_string(), problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn settings(flags: &[&str]) -> Result<IceSettings, String> {
        let cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        IceSettings::from_cli(&cli).map_err(|error| error.to_string())
    }

    #[test]
    fn an_external_address_that_cannot_work_is_refused_and_named() {
        for (value, problem) in [
            ("0.0.0.0", "others cannot reach"),
            ("::", "others cannot reach"),
            ("127.0.0.1", "others cannot reach"),
            ("::1", "others cannot reach"),
            ("::ffff:127.0.0.1", "others cannot reach"),
            ("169.254.1.1", "others cannot reach"),
            ("fe80::1", "others cannot reach"),
            ("224.0.0.1", "of a group"),
            ("255.255.255.255", "of a group"),
            ("ff02::1", "of a group"),
            ("198.51.100.1,198.51.100.2", "one of its family already"),
            ("2001:db8::1,2001:db8::2", "one of its family already"),
            ("198.51.100.1/10.0.0.5,198.51.100.2/10.0.0.5", "has another one already"),
            ("198.51.100.1/10.0.0.5,198.51.100.1/10.0.0.6", "given twice"),
            ("198.51.100.1/fd00::5", "different families"),
            ("198.51.100.1/0.0.0.0", "one address of this host"),
        ] {
            let error = settings(&[&format!("--turn-external-ip={value}")]).unwrap_err();
            assert!(error.starts_with("--turn-external-ip ") && error.contains(problem), "{value}: {error}");
        }
        let several = ["--turn-relay-address=10.0.0.5,10.0.0.6", "--turn-external-ip=198.51.100.1"];
        assert!(settings(&several).unwrap_err().contains("several addresses"));
    }

    #[test]
    fn external_addresses_that_work_are_taken() {
        for value in [
            "198.51.100.1",
            "198.51.100.1,2001:db8::1",
            "198.51.100.1/10.0.0.5,198.51.100.2/10.0.0.6",
            "198.51.100.1/10.0.0.5,198.51.100.9",
            "10.0.0.7",
        ] {
            assert!(settings(&[&format!("--turn-external-ip={value}")]).is_ok(), "{value}");
        }
    }

    #[test]
    fn addresses_that_no_host_has_are_refused_and_named() {
        for flag in ["--turn-relay-address", "--turn-listen"] {
            for value in ["224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1"] {
                let error = settings(&[&format!("{flag}={value}")]).unwrap_err();
                assert!(error.starts_with(&format!("{flag} {value}: it is")), "{error}");
            }
        }
        assert!(settings(&["--turn-relay-address=0.0.0.0"]).is_err());
        assert!(settings(&["--turn-listen=0.0.0.0,fd00::5"]).is_ok());
    }
}
