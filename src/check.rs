//! `entremise check`: all that a start checks, without one. What was given and what it comes to is printed, and an error
//! is the one by which a start would fail.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::acme::Name;
use crate::cli::{Cli, Origin, Setting};
use crate::config::{self, Config, MemoryBounds};
use crate::error::StartError;
use crate::net::Host;
use crate::server::Server;

/// For the look-up of one name.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Prints the settings in force, what to think about, and what peers may cost.
///
/// # Errors
///
/// [`StartError`] where a start would fail; or where nothing can be written.
///
/// # Panics
///
/// Outside a tokio runtime.
pub async fn run(cli: &Cli, out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    let text = settings(&cli.given.settings);
    out.write_all(text.as_bytes())?;
    let mut config = Config::from_cli(cli)?;
    config.is_rehearsal = true;
    if config.acme.as_ref().is_some_and(|acme| !acme.is_agreed) {
        return Err(StartError::Terms { place: "the start says where they stand".into() }.into());
    }
    let memory = MemoryBounds::of(&config);
    let names = names(&config);
    let mut warnings = config::look(cli);
    let heard = Heard::default();
    let bound = tracing::subscriber::with_default(tracing_subscriber::registry().with(heard.clone()), || {
        // Bound, and given back at once.
        Server::bind(config).map(drop)
    });
    warnings.extend(heard.take());
    for name in names {
        warnings.extend(lead(&name, out).await?);
    }
    for warning in &warnings {
        writeln!(out, "warning: {warning}")?;
    }
    bound?;
    writeln!(out, "{memory}")?;
    writeln!(out, "a start would succeed")?;
    Ok(())
}

/// A line for each setting: what it is and where it comes from. Those that were given stand first.
fn settings(settings: &[Setting]) -> String {
    let mut text = String::new();
    let widest = |of: fn(&Setting) -> usize| settings.iter().map(of).max().unwrap_or(0);
    let (flags, values) = (widest(|it| it.flag.len()), widest(|it| it.value.chars().count()).min(40));
    let is_given = |setting: &&Setting| setting.origin != Origin::Default;
    let given = settings.iter().filter(is_given);
    for Setting { flag, value, origin } in given.chain(settings.iter().filter(|it| !is_given(it))) {
        let origin = match origin {
            Origin::Flag => "flag",
            Origin::Variable(name) => name,
            Origin::Default => "default",
        };
        let _ = writeln!(text, "--{flag:flags$}  {value:values$}  {origin}");
    }
    text
}

/// The operator's own names, which are looked up.
fn names(config: &Config) -> Vec<String> {
    let acme = config.acme.iter().flat_map(|acme| &acme.names).map(Name::to_string);
    let public = config.http.public_host.iter().map(|host| host.host().to_owned());
    let mut names: Vec<String> = acme.chain(public).filter(|name| name.parse::<IpAddr>().is_err()).collect();
    names.dedup();
    names
}

/// Where a name leads, and what is to be thought of that.
async fn lead(name: &str, out: &mut impl Write) -> io::Result<Option<String>> {
    let found = match timeout(LOOK_UP, lookup_host((name, 443))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect::<Vec<_>>(),
        Ok(Err(_)) => Vec::new(),
        Err(_) => return Ok(Some(format!("{name}: DNS has not answered within {} s", LOOK_UP.as_secs()))),
    };
    if found.is_empty() {
        return Ok(Some(format!("{name}: DNS knows no address of it; let it lead to this machine")));
    }
    let addresses: Vec<String> = found.iter().map(ToString::to_string).collect();
    writeln!(out, "{name} leads to {}", addresses.join(", "))?;
    let host = Host::look().unwrap_or_default();
    let is_ours = |address: &IpAddr| address.is_loopback() || host.addresses().contains(address);
    let told = || {
        format!(
            "{name}: none of the addresses that it leads to is this machine's; fine behind a NAT or a balancer that passes \
             its port on to here, else DNS is wrong"
        )
    };
    Ok((!found.iter().any(is_ours)).then(told))
}

/// The warnings of a start.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= Level::WARN {
            let mut line = Line::default();
            event.record(&mut line);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.message + &line.fields);
        }
    }
}

/// A line of the log as text.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
