//! The `entremise` program: reads the command line, starts logging and the server, and owns the signals.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser as _;
use entremise::cli::{Cli, Command, LogFormat, TokenOrder};
use entremise::config::{self, Config};
use entremise::error::StartError;
use entremise::server::Server;
use entremise::tls::ServedPair;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Whose lines are never written, whatever the operator's filter says. The codecs warn about each malformed datagram,
/// so strangers would write the log.
const UNSPEAKABLE: [&str; 2] = ["stun_types", "turn_types"];

/// Addresses that are printed at most, after the one of this machine: a server may have hundreds.
const OTHER_URLS: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Token(order)) => print_token(order),
        None => serve(&cli).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Not `eprintln`: it panics where nobody can hear it.
            let _ = writeln!(std::io::stderr(), "entremise: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints nothing else, so that it can be taken by `$(…)`.
fn print_token(order: &TokenOrder) -> Result<(), Box<dyn std::error::Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    writeln!(std::io::stdout(), "{}", config::token(order, now)?)?;
    Ok(())
}

async fn serve(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    start_logging(&cli.log, cli.log_format)?;
    let mut config = Config::from_cli(cli)?;
    config.listener = inherited_listener()?;
    raise_descriptor_limit(cli.max_connections, cli.max_handshakes);
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let hangup = signal(SignalKind::hangup())?;
    let (peer_bytes, queued_bytes) = (config.peer_bytes(), config.hub.queued_bytes);
    let server = Server::bind(config)?;
    announce(&server, peer_bytes, queued_bytes);
    tell_systemd(NotifyState::Ready);
    let pair = server.pair();
    tokio::select! {
        ran = server.run(stop(interrupt, terminate)) => ran?,
        never = reload(hangup, pair.as_deref()) => match never {},
    };
    Ok(())
}

fn start_logging(filter: &str, format: LogFormat) -> Result<(), StartError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| StartError::LogFilter { filter: filter.to_owned(), problem: error.to_string() })?;
    // A line that can't be written (the disk is full, the reader is gone) is lost. To say so on standard error, of all
    // places, would panic.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let may_be_said = filter_fn(|line| !UNSPEAKABLE.iter().any(|target| line.target().starts_with(target)));
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(may_be_said).with_filter(parsed)).init();
    Ok(())
}

/// The usual soft limit (1,024 files) is for programs that use `select`; the hard limit is what the operator means.
fn raise_descriptor_limit(max_connections: usize, max_handshakes: usize) {
    // Listeners, logs, and connections that are neither new nor WebSockets.
    const OTHERS: usize = 256;
    let needed = max_connections.saturating_add(max_handshakes).saturating_add(OTHERS) as u64;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < needed => {
            warn!(
                limit,
                needed,
                "the limit of open files is below what --max-connections and --max-handshakes need: raise it (ulimit -n)"
            );
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files is unknown"),
    }
}

/// The socket that systemd listens on for us, where it does (sd_listen_fds(3)): the first one.
fn inherited_listener() -> Result<Option<TcpListener>, StartError> {
    let inherited = || {
        let listener = ListenFd::from_env().take_tcp_listener(0)?;
        listener.as_ref().map(|listener| listener.set_nonblocking(true)).transpose()?;
        Ok(listener)
    };
    inherited().map_err(StartError::Inherited)
}

/// Where a service manager wants to know (sd_notify(3)). That it can't be told is no reason not to serve.
fn tell_systemd(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "the service manager could not be told");
    }
}

/// Tells where the page is, and how much memory peers may take. That nobody listens to standard output is no reason not to serve.
fn announce(server: &Server, peer_bytes: usize, queued_bytes: usize) {
    let urls = server.urls();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "entremise {}: open {}", env!("CARGO_PKG_VERSION"), urls[0]);
    if let Some(others) = urls.get(1..).filter(|others| !others.is_empty()) {
        let _ = writeln!(out, "on your network: {}", others[..others.len().min(OTHER_URLS)].join(" "));
    }
    let _ = writeln!(out, "{}", server.relaying());
    let (peer, queued) = (peer_bytes / 1024, queued_bytes / 1024);
    let _ = writeln!(out, "memory: at most {peer} KiB for one peer, {queued} KiB for what peers say to each other");
}

/// Has the certificate, if there is one, read again at each signal. Never ready.
async fn reload(mut hangup: Signal, pair: Option<&ServedPair>) -> Infallible {
    loop {
        hangup.recv().await;
        if let Some(pair) = pair {
            pair.reload();
        }
    }
}

/// Ready at the first signal. The second one ends the process at once.
async fn stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tell_systemd(NotifyState::Stopping);
    #[expect(clippy::disallowed_methods, reason = "it has to outlive the drain, and to end it")]
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        warn!("second signal: leaving at once");
        std::process::exit(1);
    });
}
