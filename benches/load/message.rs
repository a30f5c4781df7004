//! Messages between peers: payloads as large as browsers', each with a stamp in it by which it is verified.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Offer,
    Answer,
    Candidate,
}

const OFFER_BYTES: usize = 2500;
const CANDIDATE_BYTES: usize = 250;

/// Candidates in each direction of a call.
pub(crate) const CANDIDATES: u64 = 20;

impl Kind {
    /// The kind of the message with this number, where peers are busy: one offer and one answer among 20 candidates.
    pub(crate) fn of(number: u64) -> Self {
        match number % (CANDIDATES + 2) {
            0 => Self::Offer,
            11 => Self::Answer,
            _ => Self::Candidate,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
        }
    }

    /// JSON of the size that it has in browsers, with this stamp.
    pub(crate) fn payload(self, stamp: Stamp) -> String {
        let (head, tail) = match self {
            Self::Offer => &*OFFER,
            Self::Answer => &*ANSWER,
            Self::Candidate => &*CANDIDATE,
        };
        let Stamp { from, to, number, at } = stamp;
        format!("{head}{MARK}{from:08x}{to:08x}{number:016x}{at:016x}{tail}")
    }
}

/// The text before a message's stamp, and the text after it.
type Template = (String, String);

static OFFER: LazyLock<Template> = LazyLock::new(|| description("offer"));
static ANSWER: LazyLock<Template> = LazyLock::new(|| description("answer"));
static CANDIDATE: LazyLock<Template> = LazyLock::new(|| {
    let head = r#"{"candidate":"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx ufrag "#;
    let end = r#"","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"EsAw"}"#;
    let fill = CANDIDATE_BYTES - head.len() - Stamp::BYTES - end.len();
    (head.to_owned(), format!("{}{end}", " raddr 10.0.0.17 rport 46154 generation 0".repeat(9).split_at(fill).0))
});

/// Its lines are escaped, as they are in every offer.
fn description(kind: &str) -> Template {
    let head = format!(r#"{{"type":"{kind}","sdp":"v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns="#);
    let mut tail = r"\r\nt=0 0\r\n".to_owned();
    let end = "\"}";
    while head.len() + Stamp::BYTES + tail.len() + end.len() < OFFER_BYTES - 40 {
        tail.push_str(r"a=rtcp-fb:96 transport-cc\r\n");
    }
    (head, tail + end)
}

/// Sender and addressee, the number among the sender's messages to this partner, and when the message was due, in
/// nanoseconds of [`now`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) number: u64,
    pub(crate) at: u64,
}

/// No payload has it elsewhere.
const MARK: char = '~';

impl Stamp {
    const BYTES: usize = 1 + 8 + 8 + 16 + 16;

    pub(crate) fn read(payload: &str) -> Option<Self> {
        let (_, digits) = payload.split_once(MARK)?;
        let field = |from, to| u64::from_str_radix(digits.get(from..to)?, 16).ok();
        let short = |from, to| field(from, to).and_then(|number| u32::try_from(number).ok());
        Some(Self { from: short(0, 8)?, to: short(8, 16)?, number: field(16, 32)?, at: field(32, 48)? })
    }
}

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since this program began to count.
pub(crate) fn now() -> u64 {
    nanoseconds(BEGIN.elapsed())
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("less than centuries")
}
