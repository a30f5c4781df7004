//! The command line: flags, each with its environment variable, its unit and its default. No IO.

mod acme;
mod admission;
mod auth;
#[cfg(feature = "cluster")]
mod cluster;
mod deadlines;
mod dialects;
mod essential;
mod given;
mod ice;
mod listening;
mod logging;
mod messages;
mod order;
mod proxy;
mod queues;
mod read;
mod resume;
mod rooms;
mod usage;
mod value;

use clap::Parser;

pub use acme::AcmeFlags;
pub use admission::Admission;
pub use auth::Credentials;
#[cfg(feature = "cluster")]
pub use cluster::ClusterFlags;
pub use deadlines::Deadlines;
pub use dialects::Dialects;
pub use essential::ESSENTIAL;
pub use given::{Given, Origin, Setting};
pub use ice::Ice;
pub use listening::Listening;
pub use logging::{LogFormat, Logging};
pub use messages::Messages;
pub use order::{CheckOrder, Command, CompletionsOrder, HealthOrder, IceOrder, TokenOrder};
pub use proxy::BehindProxy;
pub use queues::Queues;
pub use resume::Resume;
pub use rooms::Rooms;
pub use usage::Usage;

/// What the help ends with.
const EXAMPLES: &str = "All flags: entremise flags
Each can be a variable too: --listen is ENTREMISE_LISTEN.

Examples:
  entremise
      to try it out: on port 8443, with a certificate that is made for it
  entremise --listen :443 --acme-domain example.org --acme-agree --turn
      on the internet, with a certificate that comes by itself and a relay
  entremise --listen :443 --cert fullchain.pem --key privkey.pem --turn
      the same with a certificate of yours
  entremise --plain-http --listen 127.0.0.1:8080 --trusted-proxy 127.0.0.1
      behind a proxy on the same machine";

/// The go-between for WebRTC: serves a page over HTTPS and carries offers, answers and candidates between browsers
/// over a WebSocket.
///
/// Each flag can be given as an environment variable too: an empty one is not set, a repeatable one takes a list with
/// commas, a switch takes 1 or 0. Times are in seconds, fractions allowed; sizes in bytes.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 120, hide_possible_values = false)]
#[command(disable_help_subcommand = true, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// What of the rest was given.
    #[arg(skip)]
    pub given: Given,

    /// Where it is served, and with which certificate.
    #[command(flatten)]
    pub listening: Listening,

    /// Certificates that come by themselves.
    #[command(flatten)]
    pub acme: AcmeFlags,

    /// Who may connect, and how many.
    #[command(flatten)]
    pub admission: Admission,

    /// What clients have to show.
    #[command(flatten)]
    pub auth: Credentials,

    /// Clients that other servers were made for.
    #[command(flatten)]
    pub dialects: Dialects,

    /// What stands between clients and us.
    #[command(flatten)]
    pub proxy: BehindProxy,

    /// How sessions outlive their connections.
    #[command(flatten)]
    pub resume: Resume,

    /// What a client may say.
    #[command(flatten)]
    pub messages: Messages,

    /// What may wait for peers.
    #[command(flatten)]
    pub queues: Queues,

    /// How large rooms may be.
    #[command(flatten)]
    pub rooms: Rooms,

    /// STUN and TURN, here and elsewhere.
    #[command(flatten)]
    pub ice: Ice,

    /// Many machines as one service.
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub cluster: ClusterFlags,

    /// How long things may take.
    #[command(flatten)]
    pub deadlines: Deadlines,

    /// What is logged, and how.
    #[command(flatten)]
    pub logging: Logging,
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory as _;

    use super::*;

    /// What the program prints instead of serving.
    pub(super) fn error(typed: &[&str]) -> String {
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        Cli::parse_typed(&read::words(typed)).unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable_its_heading_and_one_line() {
        for argument in Cli::command().get_arguments() {
            let flag = argument.get_long().unwrap();
            let variable = format!("ENTREMISE_{}", flag.to_uppercase().replace('-', "_"));
            assert_eq!(argument.get_env().unwrap().to_str(), Some(&*variable));
            assert!(argument.get_help_heading().is_some(), "{flag}");
            assert!(argument.get_long_help().is_none() && argument.get_help().is_some(), "{flag}");
        }
    }

    #[test]
    fn every_flag_of_a_subcommand_has_one_line() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                assert!(argument.get_long_help().is_none() && argument.get_help().is_some(), "{}", argument.get_id());
            }
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        for flags in [
            &["--auth-jwt-secret-file=a", "--auth-jwt-public-key-file=b"][..],
            &["--auth-audience=a"],
            &["--auth-issuer=a"],
            &["--insecure-plain-http-on-any-address"],
            &["--plain-http", "--turn-tls-port=5349"],
            &["--listen=[::]:1", "token", "--secret-file=a", "--subject=b"],
            &["token", "--subject=b"],
            &["token", "--secret-file=a"],
            &["token", "--secret-file=a", "--subject="],
            &["token", "--secret-file=a", "--subject=b", "--rooms=c,,d"],
            &["token", "--secret-file=a", "--subject=b", "--ttl=0"],
        ] {
            assert!(Cli::try_parse_from(["entremise"].iter().chain(flags)).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn a_size_queue_or_deadline_of_zero_is_refused_at_start() {
        let flags = [
            "max-message-bytes",
            "mailbox-messages",
            "mailbox-bytes",
            "queued-bytes",
            "message-burst",
            "connection-burst",
        ];
        let deadlines = ["heartbeat", "write-timeout", "drain-timeout", "handshake-timeout"];
        for flag in flags.into_iter().chain(deadlines) {
            assert!(Cli::try_parse_from(["entremise", &format!("--{flag}=0")]).is_err(), "{flag}");
        }
    }

    #[test]
    fn an_admission_rate_or_room_limit_of_zero_is_no_limit() {
        for flag in [
            "max-connections",
            "max-connections-per-address",
            "connections-per-second",
            "max-handshakes",
            "max-handshakes-per-address",
            "messages-per-second",
            "refused-messages",
            "rooms-per-peer",
            "peers-per-room",
        ] {
            assert!(Cli::try_parse_from(["entremise", &format!("--{flag}=0")]).is_ok(), "{flag}");
        }
    }
}
