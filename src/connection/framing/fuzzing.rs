//! A second, slower reading of frames, for `fuzz/`.

use super::{BinaryMessages, Broken, Decoder, Event, LONG, MAX_CONTROL_BYTES, MEDIUM};

const MAX_MESSAGE_BYTES: usize = 300;

/// Any bytes, whole and in pieces: both come to the same, which is what a second, slower reading comes to.
///
/// The first byte is the size of the pieces.
///
/// # Panics
///
/// Where one of these is not so.
pub fn play_websocket(data: &[u8]) {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let expected = read_slowly(bytes);
    assert_eq!(read(bytes.chunks(bytes.len().max(1))), expected);
    assert_eq!(read(bytes.chunks(usize::from(piece).max(1))), expected);
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Option<Broken>) {
    let (mut decoder, mut events) = (Decoder::new(MAX_MESSAGE_BYTES, BinaryMessages::Refused), Vec::new());
    for mut piece in pieces {
        loop {
            let held = decoder.message.as_ref().map_or(0, Vec::capacity);
            assert!(held <= MAX_MESSAGE_BYTES, "{held} bytes");
            match decoder.decode(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(broken) => return (events, Some(broken)),
            }
        }
        assert!(piece.is_empty(), "all is taken");
    }
    (events, None)
}

/// Frame by frame, from the whole.
fn read_slowly(mut bytes: &[u8]) -> (Vec<Event>, Option<Broken>) {
    let (mut events, mut message) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let frame = match frame(bytes, message.as_ref().map(Vec::len)) {
            Ok(Some(frame)) => frame,
            Ok(None) => return (events, None),
            Err(broken) => return (events, Some(broken)),
        };
        let Frame { first, payload, length } = frame;
        bytes = &bytes[length..];
        let event = match first & 0xf {
            8 => match &payload[..] {
                [] => Ok(Some(Event::Close(None))),
                [high, low, reason @ ..] => {
                    let code = u16::from_be_bytes([*high, *low]);
                    let is_allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                    let event = || Event::Close(Some(code));
                    let reason = std::str::from_utf8(reason).map_err(|_| Broken::NotUtf8);
                    if is_allowed { reason.map(|_| Some(event())) } else { Err(Broken::Rule) }
                }
                _ => Err(Broken::Rule),
            },
            9 => Ok(Some(Event::Ping(payload))),
            10 => Ok(Some(Event::Pong)),
            _ => {
                let mut whole = message.take().unwrap_or_default();
                whole.extend(payload);
                let text = std::str::from_utf8(&whole);
                match text {
                    Ok(text) if first & 0x80 != 0 => Ok(Some(Event::Text(text.into()))),
                    Err(error) if first & 0x80 != 0 || error.error_len().is_some() => Err(Broken::NotUtf8),
                    _ => {
                        message = Some(whole);
                        Ok(None)
                    }
                }
            }
        };
        match event {
            Ok(event) => events.extend(event),
            Err(broken) => return (events, Some(broken)),
        }
    }
}

struct Frame {
    first: u8,
    payload: Vec<u8>,
    /// With its header.
    length: usize,
}

fn frame(bytes: &[u8], begun: Option<usize>) -> Result<Option<Frame>, Broken> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let opcode = first & 0xf;
    let is_control = matches!(opcode, 8..=10);
    let is_known = if begun.is_some() { opcode == 0 } else { matches!(opcode, 1 | 2) };
    let is_cut = is_control && first & 0x80 == 0;
    if first & 0x70 != 0 || second & 0x80 == 0 || !(is_control || is_known) || is_cut {
        return Err(Broken::Rule);
    }
    let (length, rest) = match second & 0x7f {
        MEDIUM => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LONG => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    if is_control && length > MAX_CONTROL_BYTES.into() {
        return Err(Broken::Rule);
    }
    if !is_control && u128::from(length) + begun.unwrap_or(0) as u128 > MAX_MESSAGE_BYTES as u128 {
        return Err(Broken::TooLarge);
    }
    if opcode == 2 {
        return Err(Broken::Binary);
    }
    let length = usize::try_from(length).expect("what is allowed is short");
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Ok(Some(Frame { first, payload, length: bytes.len() - rest.len() + length }))
}
