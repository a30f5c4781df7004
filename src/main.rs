//! The `entremise` program: reads the command line, starts logging and the server, and owns the signals.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use entremise::cli::{Cli, LogFormat};
use entremise::config::Config;
use entremise::error::StartError;
use entremise::server::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;
use tracing_subscriber::EnvFilter;

/// Addresses that are printed at most, after the one of this machine: a server may have hundreds.
const OTHER_URLS: usize = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("entremise: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    start_logging(&cli.log, cli.log_format)?;
    let config = Config::from_cli(cli)?;
    raise_descriptor_limit(cli.max_connections);
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = Server::bind(config)?;
    announce(&server);
    server.run(stop(interrupt, terminate)).await?;
    Ok(())
}

fn start_logging(filter: &str, format: LogFormat) -> Result<(), StartError> {
    let parsed = EnvFilter::try_new(filter)
        .map_err(|error| StartError::LogFilter { filter: filter.to_owned(), problem: error.to_string() })?;
    // The codecs warn about each malformed datagram: those lines are for a stranger to write. tungstenite's trace has each
    // frame, and so resume tokens and credentials.
    let parsed = ["stun_types=off", "turn_types=off", "tungstenite=off"]
        .into_iter()
        .fold(parsed, |filter, quiet| filter.add_directive(quiet.parse().expect("a directive")));
    let logging = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logging.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => logging.json().init(),
    }
    Ok(())
}

/// The usual soft limit (1,024 files) is for programs that use `select`; the hard limit is what the operator means.
fn raise_descriptor_limit(max_connections: usize) {
    // Listeners, logs, and connections that are not yet WebSockets.
    const OTHERS: u64 = 256;
    let needed = max_connections as u64 + OTHERS;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < needed => {
            warn!(limit, needed, "the limit of open files is below what --max-connections needs: raise it (ulimit -n)");
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files is unknown"),
    }
}

/// Tells where the page is. That nobody listens to standard output is no reason not to serve.
fn announce(server: &Server) {
    let urls = server.urls();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "entremise {}: open {}", env!("CARGO_PKG_VERSION"), urls[0]);
    if let Some(others) = urls.get(1..).filter(|others| !others.is_empty()) {
        let _ = writeln!(out, "on your network: {}", others[..others.len().min(OTHER_URLS)].join(" "));
    }
}

/// Ready at the first signal. The second one ends the process at once.
async fn stop(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
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
