//! The short help: the flags that most people use. All others are in `entremise flags`, in their groups.

use clap::{Arg, ArgAction, Command};

/// Those of the short help and of the README.
pub const ESSENTIAL: [&str; 20] = [
    "listen",
    "cert",
    "key",
    "metrics-listen",
    "page",
    "acme-domain",
    "acme-agree",
    "max-connections",
    "allow-origin",
    "auth-jwt-secret-file",
    "dialect",
    "trusted-proxy",
    "plain-http",
    "turn",
    "turn-secret-file",
    "turn-external-ip",
    "ice-server",
    "public-host",
    "cluster",
    "log",
];

/// The command line with no more than these in its help, a line or two each.
pub(super) fn short(command: Command) -> Command {
    // In place of clap's own, whose long form would have all flags.
    let help = Arg::new("this help")
        .short('h')
        .long("help")
        .action(ArgAction::HelpShort)
        .help("Print this help")
        .help_heading(None);
    command.disable_help_flag(true).arg(help).mut_args(|arg| {
        let is_shown = arg.get_long().is_some_and(|flag| ESSENTIAL.contains(&flag));
        match arg.get_id().as_str() {
            "this help" => arg,
            _ if is_shown => arg.hide_env(true).help_heading("Flags that most people use"),
            _ => arg.hide(true),
        }
    })
}
