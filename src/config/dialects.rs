//! What clients of other dialects are asked, checked.

use crate::cli::Dialects;
use crate::error::StartError;
use crate::http::PeerJsSettings;
use crate::protocol::Realm;

/// What PeerJS's clients are asked. A setting of theirs is for those who speak with them.
pub(super) fn peerjs(cli: &Dialects) -> Result<PeerJsSettings, StartError> {
    let given = [("--peerjs-key", cli.peerjs_key.is_some()), ("--peerjs-discovery", cli.peerjs_discovery)];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) if !cli.dialect.contains(&Realm::PeerJs) => {
            Err(StartError::WithoutDialect { flag, dialect: Realm::PeerJs.as_str() })
        }
        _ => Ok(PeerJsSettings {
            key: cli.peerjs_key.clone().unwrap_or_else(|| PeerJsSettings::DEFAULT_KEY.to_owned()),
            has_discovery: cli.peerjs_discovery,
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::tests::config;

    #[test]
    fn a_setting_of_a_dialect_that_is_not_spoken_is_refused_and_named() {
        for flag in ["--peerjs-key=mine", "--peerjs-discovery"] {
            let error = config(&[flag]).unwrap_err();
            assert!(error.contains(flag.split('=').next().unwrap()) && error.contains("--dialect peerjs"), "{error}");
            assert!(config(&[flag, "--dialect=y-webrtc"]).is_err());
            assert!(config(&[flag, "--dialect=y-webrtc,peerjs"]).is_ok());
        }
    }
}
