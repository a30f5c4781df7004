//! The `entremise` program: reads the command line, starts the log and the server, and says what is served.

mod announcement;

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use entremise::cli::{Cli, Command, IceOrder, TokenOrder};
use entremise::config::{self, Config, MemoryBounds};
use entremise::error::StartError;
use entremise::health;
use entremise::log::Log;
use entremise::server::{Files, Server};
use entremise::signals::{Hangup, Signals, Stop};
use entremise::trial::{self, Verdict};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tikv_jemallocator::Jemalloc;
use tracing::warn;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Time for the log's last lines to be written, where its reader is slow.
const LAST_LINES: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(usage) => return usage.print().into(),
    };
    let log = Log::to(io::stderr());
    match &cli.command {
        Some(Command::Token(order)) => ended(print_token(order), &cli, &log),
        Some(Command::Check(order)) => match Cli::with_flags(&order.flags) {
            Ok(server) => ended(check(&server), &server, &log),
            Err(usage) => usage.print().into(),
        },
        Some(Command::Health(order)) => match Cli::with_flags(&order.flags) {
            Ok(server) => ended(ask_health(&server), &server, &log),
            Err(usage) => usage.print().into(),
        },
        Some(Command::Flags) => ended(print(Cli::all_flags().as_bytes()), &cli, &log),
        Some(Command::Man) => ended(Cli::write_manual(&mut io::stdout()).map_err(Into::into), &cli, &log),
        Some(Command::Completions(order)) => ended(print(&Cli::completions(order.shell)), &cli, &log),
        Some(Command::Ice(order)) => match Cli::with_flags(&order.flags) {
            Ok(server) => ended(try_ice(&server, order), &server, &log),
            Err(usage) => usage.print().into(),
        },
        None => ended(run(&cli, &log), &cli, &log),
    }
}

fn print(text: &[u8]) -> Result<(), Box<dyn Error>> {
    Ok(io::stdout().write_all(text)?)
}

fn check(server: &Cli) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(entremise::check::run(server, &mut io::stdout().lock()))
}

fn ask_health(server: &Cli) -> Result<(), Box<dyn Error>> {
    let metrics =
        server.listening.metrics_listen.ok_or("--metrics-listen is not given: it is there that a server is asked")?;
    health::ask(metrics).map_err(|error| format!("the server at {metrics} does not answer: {error}").into())
}

/// Prints nothing else, so that it can be taken by `$(…)`.
fn print_token(order: &TokenOrder) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    writeln!(io::stdout(), "{}", config::token(order, now)?)?;
    Ok(())
}

/// That something does not work is a failure too, which has been told by then.
fn try_ice(server: &Cli, order: &IceOrder) -> Result<(), Box<dyn Error>> {
    let config = Config::from_cli(server)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let token = config::own_token(server, now)?;
    match trial::run(&config, &order.host, token.as_deref(), &mut io::stdout().lock())? {
        Verdict::Works => Ok(()),
        Verdict::Fails => Err("not all that browsers are offered works".into()),
    }
}

/// Says why it ends, if it was not asked to, and waits until the log is written.
fn ended(done: Result<(), Box<dyn Error>>, cli: &Cli, log: &Log) -> ExitCode {
    let code = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(log.clone(), "entremise: {}", cli.given.named(&error.to_string()));
            ExitCode::FAILURE
        }
    };
    log.settle(LAST_LINES);
    code
}

fn run(cli: &Cli, log: &Log) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(serve(cli, log));
    // A thread that reads a file which hangs is left to it: a runtime that is dropped would wait.
    runtime.shutdown_background();
    done
}

async fn serve(cli: &Cli, log: &Log) -> Result<(), Box<dyn Error>> {
    let signals = Signals::handle()?;
    log.start(&cli.logging.log, cli.logging.log_format)?;
    let mut config = Config::from_cli(cli)?;
    if let Some(acme) = &config.acme {
        acme.agreed().await?;
    }
    config.listener = inherited_listener()?;
    raise_descriptor_limit(cli.admission.max_connections, cli.admission.max_handshakes);
    let memory = MemoryBounds::of(&config);
    let server = Server::bind(config)?;
    for concern in config::look(cli) {
        warn!("{concern}");
    }
    let (stop, hangup) = signals.serve()?;
    // So that what the start has to say is there once the program says that it serves.
    log.settle(LAST_LINES);
    let announcement = announcement::text(&server, memory);
    // That standard output is closed, or a pipe that is not read, is no reason not to serve.
    apart(move || drop(io::stdout().write_all(announcement.as_bytes())));
    tell_service_manager(NotifyState::Ready);
    let files = server.files();
    tokio::select! {
        ran = server.run(told_to_stop(stop)) => ran?,
        never = reload(hangup, &files) => match never {},
    };
    Ok(())
}

/// Does something that may take for ever, in a thread that ends with the process.
fn apart(work: impl FnOnce() + Send + 'static) {
    // Where the system has no thread left, it is not done.
    let _ = thread::Builder::new().spawn(work);
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

/// The first of the sockets that systemd listens on for this process, where it does (sd_listen_fds(3)).
fn inherited_listener() -> Result<Option<TcpListener>, StartError> {
    let inherited = || {
        let listener = ListenFd::from_env().take_tcp_listener(0)?;
        listener.as_ref().map(|listener| listener.set_nonblocking(true)).transpose()?;
        Ok(listener)
    };
    inherited().map_err(StartError::Inherited)
}

/// Where a service manager wants to know (sd_notify(3)). That it can't be told, or is too busy to read, is no reason not
/// to serve.
fn tell_service_manager(state: NotifyState<'static>) {
    apart(move || {
        if let Err(error) = sd_notify::notify(&[state]) {
            warn!(%error, "the service manager could not be told");
        }
    });
}

/// Has the operator's files read again at each signal. Never ready.
async fn reload(mut hangup: Hangup, files: &Files) -> Infallible {
    loop {
        hangup.asked().await;
        files.reload();
    }
}

async fn told_to_stop(stop: Stop) {
    stop.asked().await;
    tell_service_manager(NotifyState::Stopping);
}
