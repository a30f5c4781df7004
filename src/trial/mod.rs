//! `entremise ice`: what browsers are offered, and whether it works. Run beside the server, with the same flags.
//!
//! It asks the server for its list as a browser would, looks the host's name up, and tries each URL: a STUN Binding, or
//! an allocation over UDP, TCP or TLS; then whether two relays meet. It tries from this machine, so it sees all but what
//! firewalls and NATs on the way do; it says so where an address is not this machine's.

mod list;
mod target;
mod user;
mod wire;

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::SocketAddr;

use axum::http::uri::Authority;

use crate::config::Config;
use crate::ice::credential::Credential;
use crate::net::{Host, TlsEnd};
use crate::turn;
use list::{IceServer, List};
use target::{Owner, Target, Transport, Url};
use user::User;
use wire::Wire;

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that is offered works, as far as this machine can tell.
    Works,
    /// Something does not, and it has been said what.
    Fails,
}

/// Tries what browsers are offered that open the page at this host, and writes what it finds. The token is for servers
/// that ask for one.
///
/// # Errors
///
/// Where nothing can be written.
pub fn run(config: &Config, host: &Authority, token: Option<&str>, out: &mut impl Write) -> io::Result<Verdict> {
    let machine = config.ice.interfaces.look()?;
    let mut trial = Trial { config, host, token, machine, out, noted: HashSet::new(), failures: 0 };
    trial.run()?;
    Ok(if trial.failures == 0 { Verdict::Works } else { Verdict::Fails })
}

struct Trial<'a, W> {
    config: &'a Config,
    host: &'a Authority,
    token: Option<&'a str>,
    machine: Host,
    out: &'a mut W,
    noted: HashSet<String>,
    failures: usize,
}

impl<W: Write> Trial<'_, W> {
    fn run(&mut self) -> io::Result<()> {
        self.say_concerns()?;
        let servers = match list::ask(self.config, self.host, self.token, &self.machine) {
            Ok(List { at, servers }) => {
                writeln!(
                    self.out,
                    "Browsers that open the page at {} are offered (by the server at {at}):",
                    self.host
                )?;
                servers
            }
            Err(problem) => return self.fail("the server's list of ICE servers", &problem),
        };
        for url in servers.iter().flat_map(|server| &server.urls) {
            writeln!(self.out, "  {url}")?;
        }
        let has_turns = servers.iter().flat_map(|server| &server.urls).any(|url| url.starts_with("turns:"));
        if !has_turns && !self.config.ice.turn.secrets.is_empty() {
            self.say_no_turns()?;
        }
        if servers.is_empty() {
            self.fail(
                "the list",
                "it is empty: nothing that this host reaches is served; see the server's first lines",
            )?;
        }
        for server in &servers {
            self.try_server(server)?;
        }
        Ok(())
    }

    /// What the start of the server warns of too.
    fn say_concerns(&mut self) -> io::Result<()> {
        for concern in turn::concerns(&self.config.ice.turn, &self.machine) {
            writeln!(self.out, "note  {concern}")?;
        }
        Ok(())
    }

    fn say_no_turns(&mut self) -> io::Result<()> {
        let reason = match self.config.http.tls_end {
            TlsEnd::Proxy => "TLS ends at a proxy",
            TlsEnd::Here => {
                "the server believes that TLS ends at a proxy before it (--trusted-proxy), or it is not served"
            }
        };
        writeln!(
            self.out,
            "note  no turns: is offered: browsers whose network lets out TCP 443 alone have no relay: {reason}"
        )
    }

    fn try_server(&mut self, server: &IceServer) -> io::Result<()> {
        let credential = server.username.clone().zip(server.credential.clone());
        let credential = credential.map(|(username, password)| Credential { username, password });
        for text in &server.urls {
            let Some(url) = Url::parse(text) else {
                self.fail(text, "this is no URL that can be tried here")?;
                continue;
            };
            let targets = target::targets(&url, self.owner(&url), &self.machine);
            if targets.is_empty() {
                self.fail(text, "the host's name has no address: browsers cannot find it; look at its DNS")?;
            }
            for target in targets {
                self.try_target(text, &url, &target, credential.as_ref())?;
            }
        }
        Ok(())
    }

    fn owner(&self, url: &Url) -> Owner {
        let ours = [Some(self.host), self.config.ice.public_host.as_ref()];
        let is_ours = ours.into_iter().flatten().any(|host| host.host().trim_matches(['[', ']']) == url.host);
        if is_ours { Owner::Ours } else { Owner::Elsewhere }
    }

    fn try_target(&mut self, text: &str, url: &Url, target: &Target, user: Option<&Credential>) -> io::Result<()> {
        let what = format!("{text} at {}", target.address);
        match try_all(url, target.address, user) {
            Ok(seen) => writeln!(self.out, "ok    {what}: {seen}")?,
            Err(problem) => self.fail(&what, &problem)?,
        }
        match &target.note {
            // Once, although it holds for all that this host is offered by.
            Some(note) if self.noted.insert(note.clone()) => writeln!(self.out, "note  {note}"),
            _ => Ok(()),
        }
    }

    fn fail(&mut self, what: &str, problem: &str) -> io::Result<()> {
        self.failures += 1;
        writeln!(self.out, "FAIL  {what}: {problem}")
    }
}

/// What is seen there, or what is wrong, in words.
fn try_all(url: &Url, at: SocketAddr, user: Option<&Credential>) -> Result<String, String> {
    let connect = || Wire::connect(url.transport, at, &url.host).map_err(|error| in_words(url.transport, &error));
    let Some(credential) = user.filter(|_| url.relays) else {
        let mapped = User::new(connect()?, None).bind()?;
        return Ok(format!("STUN sees {mapped}"));
    };
    let mut alice = User::new(connect()?, Some(credential.clone()));
    let mut bob = User::new(connect()?, Some(credential.clone()));
    let (at_alice, at_bob) = (alice.allocate()?, bob.allocate()?);
    let met = user::meet((&mut alice, at_alice), (&mut bob, at_bob));
    for user in [&mut alice, &mut bob] {
        user.leave();
    }
    met.map(|()| format!("two relays met, {at_alice} and {at_bob}"))
}

/// What an error means to an operator.
fn in_words(transport: Transport, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("nothing serves {transport} there: is the server running, with these flags?")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "no answer in time: a firewall drops it, or another program has the port".into()
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the connection was ended without an answer: is it this server's port?".into()
        }
        _ => error.to_string(),
    }
}
