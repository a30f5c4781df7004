//! WebSocket framing, the server's side of RFC 6455, section 5, without extensions: bytes in, messages out, and the
//! reverse. Pure.
//!
//! Nothing is kept between two messages, and of one that has not come whole only what has come of it.

/// The last frame of a message, or all of it.
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// A length that is said in the two or the eight bytes after it (RFC 6455, 5.2).
const MEDIUM: u8 = 126;
const LONG: u8 = 127;

/// RFC 6455, 5.5.
const MAX_CONTROL_BYTES: u8 = 125;

/// Two bytes, a length of eight, a mask of four.
const MAX_HEADER_BYTES: usize = 14;

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message, whole.
    Text(String),
    /// A message that is no text, whole, where such messages are accepted.
    Binary(Vec<u8>),
    /// Its payload has to be given back.
    Ping(Vec<u8>),
    /// An answer to a ping, or a sign of life that was not asked for.
    Pong,
    /// It says no more. With a code, if it gives one.
    Close(Option<u16>),
}

/// What a client may not say. Nothing after it can be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Against the rules of framing.
    Rule,
    /// A message that is no text.
    Binary,
    /// Text, or a reason to close, that is not UTF-8.
    NotUtf8,
    /// More than was agreed.
    TooLarge,
}

/// What is done with messages that are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryMessages {
    Refused,
    Accepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Continuation,
    Binary,
    Ping,
    Pong,
    Close,
}

/// A frame that has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    kind: Kind,
    is_last: bool,
    /// For the next byte first.
    mask: [u8; 4],
    /// Bytes that are still to come.
    missing: usize,
}

/// Makes messages of bytes, in whatever pieces they come.
#[derive(Debug)]
pub(super) struct Decoder {
    max_message_bytes: usize,
    binary: BinaryMessages,
    /// Whether the message that has begun is no text.
    is_binary: bool,
    /// What has come of a header.
    header: [u8; MAX_HEADER_BYTES],
    header_bytes: usize,
    frame: Option<Begun>,
    /// What has come of a message. Allocated as bytes arrive, not as lengths announce.
    // Invariant: at most `max_message_bytes`, its capacity too (`a_message_takes_no_more_than_has_come_of_it_twice`).
    message: Option<Vec<u8>>,
    /// How many bytes of it are known to be UTF-8.
    checked: usize,
    /// What has come of a control frame, which may come in the middle of a message.
    control: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(max_message_bytes: usize, binary: BinaryMessages) -> Self {
        Self {
            max_message_bytes,
            binary,
            is_binary: false,
            header: [0; MAX_HEADER_BYTES],
            header_bytes: 0,
            frame: None,
            message: None,
            checked: 0,
            control: Vec::new(),
        }
    }

    pub(super) fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    /// Takes bytes from the input until something is whole. `None`: all of it is taken, and nothing is.
    ///
    /// After an error it is not to be used again.
    pub(super) fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Broken> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.begin(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            self.frame = Some(self.take_payload(frame, input)).filter(|frame| frame.missing > 0);
            if self.frame.is_some() {
                return Ok(None);
            }
            if let Some(event) = self.end(frame)? {
                return Ok(Some(event));
            }
        }
    }

    /// A header, once it is whole. What is wrong with it is said as soon as that can be seen.
    fn begin(&mut self, input: &mut &[u8]) -> Result<Option<Begun>, Broken> {
        if !self.gather(2, input) {
            return Ok(None);
        }
        let kind = self.kind()?;
        let short = self.header[1] & !MASKED;
        let length_bytes = match short {
            MEDIUM => 2,
            LONG => 8,
            _ => 0,
        };
        if !self.gather(2 + length_bytes, input) {
            return Ok(None);
        }
        let said = &self.header[2..2 + length_bytes];
        let length =
            if said.is_empty() { short.into() } else { said.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)) };
        let missing = self.admit(kind, length)?;
        if !self.gather(2 + length_bytes + 4, input) {
            return Ok(None);
        }
        self.header_bytes = 0;
        let mask = *self.header[2 + length_bytes..].first_chunk().expect("a header has room for its mask");
        if matches!(kind, Kind::Text | Kind::Binary) {
            self.message = Some(Vec::new());
            self.is_binary = kind == Kind::Binary;
        }
        Ok(Some(Begun { kind, is_last: self.header[0] & FIN != 0, mask, missing }))
    }

    /// Takes what is missing of so many bytes of a header; says whether they are there.
    fn gather(&mut self, bytes: usize, input: &mut &[u8]) -> bool {
        let missing = bytes.saturating_sub(self.header_bytes);
        let taken = take(missing, input);
        self.header[self.header_bytes..][..taken.len()].copy_from_slice(taken);
        self.header_bytes += taken.len();
        taken.len() == missing
    }

    fn kind(&self) -> Result<Kind, Broken> {
        let [first, second, ..] = self.header;
        let is_whole_or_data = first & FIN != 0 || first & 0x8 == 0;
        if first & RESERVED != 0 || second & MASKED == 0 || !is_whole_or_data {
            return Err(Broken::Rule);
        }
        match (first & 0xf, self.message.is_some()) {
            (CONTINUATION, true) => Ok(Kind::Continuation),
            (TEXT, false) => Ok(Kind::Text),
            (BINARY, false) => Ok(Kind::Binary),
            (PING, _) => Ok(Kind::Ping),
            (PONG, _) => Ok(Kind::Pong),
            (CLOSE, _) => Ok(Kind::Close),
            _ => Err(Broken::Rule),
        }
    }

    /// The length, if it is allowed.
    fn admit(&self, kind: Kind, length: u64) -> Result<usize, Broken> {
        if matches!(kind, Kind::Ping | Kind::Pong | Kind::Close) {
            return match u8::try_from(length) {
                Ok(length @ ..=MAX_CONTROL_BYTES) => Ok(length.into()),
                _ => Err(Broken::Rule),
            };
        }
        let room = self.max_message_bytes - self.message.as_ref().map_or(0, Vec::len);
        match usize::try_from(length) {
            Ok(length) if length <= room && kind == Kind::Binary && self.binary == BinaryMessages::Refused => {
                Err(Broken::Binary)
            }
            Ok(length) if length <= room => Ok(length),
            _ => Err(Broken::TooLarge),
        }
    }

    /// Unmasks what the input has of a frame's payload. What is left of the frame is yet to come.
    fn take_payload(&mut self, frame: Begun, input: &mut &[u8]) -> Begun {
        let taken = take(frame.missing, input);
        let payload = match (&mut self.message, frame.kind) {
            (Some(message), Kind::Text | Kind::Continuation | Kind::Binary) => message,
            _ => &mut self.control,
        };
        grow(payload, taken.len(), self.max_message_bytes);
        let from = payload.len();
        payload.extend_from_slice(taken);
        unmask(&mut payload[from..], frame.mask);
        let mut mask = frame.mask;
        mask.rotate_left(taken.len() % 4);
        Begun { mask, missing: frame.missing - taken.len(), ..frame }
    }

    /// What a frame comes to, now that it is whole.
    fn end(&mut self, frame: Begun) -> Result<Option<Event>, Broken> {
        match frame.kind {
            Kind::Text | Kind::Continuation | Kind::Binary if frame.is_last => {
                self.checked = 0;
                let message = self.message.take().unwrap_or_default();
                if self.is_binary {
                    return Ok(Some(Event::Binary(message)));
                }
                String::from_utf8(message).map(|text| Some(Event::Text(text))).map_err(|_| Broken::NotUtf8)
            }
            Kind::Text | Kind::Continuation | Kind::Binary => self.check_fragment().map(|()| None),
            Kind::Ping => Ok(Some(Event::Ping(std::mem::take(&mut self.control)))),
            Kind::Pong => {
                self.control = Vec::new();
                Ok(Some(Event::Pong))
            }
            Kind::Close => closing(&std::mem::take(&mut self.control)).map(Some),
        }
    }

    /// A character may be cut by the end of a fragment, and nothing else may be wrong with it.
    fn check_fragment(&mut self) -> Result<(), Broken> {
        if self.is_binary {
            return Ok(());
        }
        let message = self.message.as_deref().unwrap_or_default();
        let unchecked = &message[self.checked..];
        match std::str::from_utf8(unchecked) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Broken::NotUtf8),
        }
        Ok(())
    }
}

fn take<'a>(bytes: usize, input: &mut &'a [u8]) -> &'a [u8] {
    let (taken, rest) = input.split_at(bytes.min(input.len()));
    *input = rest;
    taken
}

/// Makes room as a `Vec` does, by twice as much, but never for more than there may be.
fn grow(payload: &mut Vec<u8>, bytes: usize, most: usize) {
    let needed = payload.len() + bytes;
    if needed > payload.capacity() {
        let wanted = (2 * payload.capacity()).min(most).max(needed);
        payload.reserve_exact(wanted - payload.len());
    }
}

/// RFC 6455, 5.3, eight bytes at a time.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}

/// RFC 6455, 5.5.1 and 7.4, and what IANA has registered since: nothing, or a code that may be sent and a reason.
fn closing(payload: &[u8]) -> Result<Event, Broken> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(Event::Close(None)) } else { Err(Broken::Rule) };
    };
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => match std::str::from_utf8(reason) {
            Ok(_) => Ok(Event::Close(Some(code))),
            Err(_) => Err(Broken::NotUtf8),
        },
        _ => Err(Broken::Rule),
    }
}

/// Puts a whole message behind what is to be sent.
///
/// The text is written where it will stay, behind room for the header of most frames; the header is known afterwards.
pub(super) fn put_text(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const ROOM: usize = 4;

    let start = out.len();
    out.extend_from_slice(&[0; ROOM]);
    write(out);
    let (header, length) = header(TEXT, out.len() - start - ROOM);
    let header = &header[..length];
    if length == ROOM {
        out[start..start + ROOM].copy_from_slice(header);
    } else {
        out.splice(start..start + ROOM, header.iter().copied());
    }
}

/// Puts a message that is no text.
pub(super) fn put_binary(out: &mut Vec<u8>, message: &[u8]) {
    put(out, BINARY, message);
}

/// Puts a ping without a payload.
pub(super) fn put_ping(out: &mut Vec<u8>) {
    put(out, PING, b"");
}

/// Puts the answer to a ping.
pub(super) fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put(out, PONG, payload);
}

/// Puts the last frame. The reason is short.
pub(super) fn put_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let code = code.map(u16::to_be_bytes);
    put(out, CLOSE, &[code.as_ref().map_or(&b""[..], |code| code), reason.as_bytes()].concat());
}

/// A server's frames have no mask and, ours, no fragments.
fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    let (header, length) = header(opcode, payload.len());
    out.reserve(length + payload.len());
    out.extend_from_slice(&header[..length]);
    out.extend_from_slice(payload);
}

/// A frame's header, and its length.
fn header(opcode: u8, payload: usize) -> ([u8; MAX_HEADER_BYTES], usize) {
    let mut header = [0; MAX_HEADER_BYTES];
    header[0] = FIN | opcode;
    let length = match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(short @ ..MEDIUM), _) => {
            header[1] = short;
            2
        }
        (_, Ok(medium)) => {
            header[1] = MEDIUM;
            header[2..4].copy_from_slice(&medium.to_be_bytes());
            4
        }
        _ => {
            header[1] = LONG;
            header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        }
    };
    (header, length)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::fuzzing::play_websocket;
    use super::*;

    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A client's frame, by the server's own writer: a mask makes all the difference.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put(&mut frame, first & 0xf, payload);
        let header = frame.len() - payload.len();
        frame[0] = first;
        frame[1] |= MASKED;
        frame.truncate(header);
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn decode_all(max_message_bytes: usize, mut bytes: &[u8]) -> Result<Vec<Event>, Broken> {
        let mut decoder = Decoder::new(max_message_bytes, BinaryMessages::Refused);
        let mut events = Vec::new();
        while let Some(event) = decoder.decode(&mut bytes)? {
            events.push(event);
        }
        Ok(events)
    }

    /// RFC 6455, 5.7.
    #[test]
    fn the_examples_of_the_rfc_are_read_and_written() {
        let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(decode_all(100, &hello), Ok(vec![Event::Text("Hello".into())]));
        let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(decode_all(100, &pong), Ok(vec![Event::Pong]));
        let mut out = Vec::new();
        put_text(&mut out, |out| out.extend_from_slice(b"Hello"));
        assert_eq!(out, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    }

    #[test]
    fn lengths_are_written_in_the_fewest_bytes() {
        for (length, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65535, &[0x81, 126, 0xff, 0xff]),
            (65536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put_text(&mut out, |out| out.resize(out.len() + length, b'x'));
            assert_eq!(&out[..header.len()], header);
            assert_eq!(out.len(), header.len() + length);
        }
    }

    #[test]
    fn a_close_has_a_code_and_a_reason_or_neither() {
        let mut out = Vec::new();
        put_close(&mut out, Some(1001), "bye");
        put_close(&mut out, None, "");
        assert_eq!(out, [0x88, 5, 0x03, 0xe9, b'b', b'y', b'e', 0x88, 0]);
    }

    #[test]
    fn a_ping_in_the_middle_of_a_message_comes_before_it() {
        let bytes =
            [masked(TEXT, "caf\u{e9}".as_bytes().split_at(4).0), masked(FIN | PING, b"now"), masked(FIN, b"\xa9")];
        let expected = vec![Event::Ping(b"now".to_vec()), Event::Text("caf\u{e9}".into())];
        assert_eq!(decode_all(100, &bytes.concat()), Ok(expected));
    }

    #[test]
    fn a_message_takes_no_more_than_has_come_of_it_twice() {
        let mut decoder = Decoder::new(1_000_000, BinaryMessages::Refused);
        let frame = masked(FIN | TEXT, &vec![b'x'; 1_000_000]);
        let mut come = 0;
        for mut piece in frame[..900_000].chunks(1000) {
            come += piece.len();
            assert_eq!(decoder.decode(&mut piece), Ok(None));
            let held = decoder.message.as_ref().map_or(0, Vec::capacity);
            assert!(held <= (2 * come).min(1_000_000), "{held} bytes for {come}");
        }
    }

    #[test]
    fn nothing_is_kept_between_two_messages() {
        let mut decoder = Decoder::new(1000, BinaryMessages::Refused);
        let bytes =
            [masked(TEXT, &[b'x'; 500]), masked(FIN | PING, &[0; 100]), masked(FIN, b""), masked(FIN | PONG, b"!")];
        let mut input = &bytes.concat()[..];
        while decoder.decode(&mut input).expect("frames").is_some() {}
        assert!(decoder.message.is_none());
        assert_eq!(decoder.control.capacity(), 0);
    }

    #[test]
    fn unmasking_is_the_same_from_any_byte_on() {
        let masked_bytes: Vec<u8> = (0..100).collect();
        for length in 0..masked_bytes.len() {
            let mut bytes = masked_bytes[..length].to_vec();
            unmask(&mut bytes, MASK);
            let slowly: Vec<u8> = masked_bytes[..length].iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m).collect();
            assert_eq!(bytes, slowly);
        }
    }

    /// A frame that is mostly right.
    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            8 => prop::sample::select(vec![FIN | TEXT, TEXT, CONTINUATION, FIN, FIN | PING, FIN | PONG, FIN | CLOSE]),
            1 => any::<u8>(),
        ];
        let payload = prop_oneof![
            4 => "[a-z\u{e9}\u{20ac}]{0,40}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 0..20),
            1 => vec(Just(b'x'), 100..320),
            1 => Just(vec![0x03, 0xe8, b'!']),
        ];
        (first, payload).prop_map(|(first, payload)| masked(first, &payload))
    }

    proptest! {
        #[test]
        fn frames_come_to_the_same_in_any_pieces(piece: u8, frames in vec(any_frame(), 0..8)) {
            play_websocket(&[&[piece][..], &frames.concat()].concat());
        }

        #[test]
        fn noise_comes_to_the_same_in_any_pieces(noise in vec(any::<u8>(), 0..100)) {
            play_websocket(&noise);
        }
    }
}
