//! How many may connect, and how fast. 0 is no limit.

use std::num::NonZeroUsize;

use crate::accept::PendingLimits;
use crate::admission::AdmissionLimits;
use crate::cli::Cli;
use crate::token_bucket::TokenRate;

pub(super) fn pending(cli: &Cli) -> PendingLimits {
    PendingLimits {
        connections: NonZeroUsize::new(cli.admission.max_handshakes),
        connections_per_address: NonZeroUsize::new(cli.admission.max_handshakes_per_address),
        proxies: cli.proxy.trusted_proxy.clone(),
    }
}

pub(super) fn connections(cli: &Cli) -> AdmissionLimits {
    let newcomers =
        TokenRate { per_second: cli.admission.connections_per_second, burst: cli.admission.connection_burst.into() };
    AdmissionLimits {
        all: NonZeroUsize::new(cli.admission.max_connections),
        per_address: NonZeroUsize::new(cli.admission.max_connections_per_address),
        newcomers: Some(newcomers).filter(|rate| rate.per_second > 0.0),
    }
}

pub(super) fn parked(cli: &Cli) -> AdmissionLimits {
    AdmissionLimits {
        all: NonZeroUsize::new(cli.resume.max_parked),
        per_address: NonZeroUsize::new(cli.resume.max_parked_per_address),
        newcomers: None,
    }
}
