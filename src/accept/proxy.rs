//! The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): the line or block with which a proxy that passes on
//! bytes says, before all of them, whose they are. The reading of it is pure; who is believed is the acceptor's business.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// What a header of version 1 begins with.
const V1: &[u8] = b"PROXY ";

/// The longest line of version 1, its end included.
const V1_BYTES: usize = 107;

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// How much of a connection shows that it begins with a header.
pub(super) const FRONT_BYTES: usize = V2.len();

/// The signature, the command, the family and the length.
const V2_PREFIX_BYTES: usize = 16;

/// The longest header that is read, as in nginx: addresses take 36 bytes, and what proxies add to them some hundreds.
const MAX_BYTES: usize = 4096;

/// What is looked at at once: nearly all headers.
const AT_ONCE: usize = 256;

/// Between whom a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    /// What the client has connected to.
    pub(super) server: SocketAddr,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Ends(Ends),
    /// It is the proxy's own connection, or one that it knows nothing of.
    Nothing,
}

/// The front of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// Too little to tell.
    Partial,
    /// A header of this length.
    Header { length: usize, said: Said },
    /// No header.
    Broken,
}

/// Takes the header off the front, and nothing behind it: what is left there is for others. `None`: it does not say between
/// whom the connection is.
pub(super) async fn take_header(tcp: &mut TcpStream) -> io::Result<Option<Ends>> {
    let (mut bytes, mut taken) = (Vec::new(), 0);
    loop {
        bytes.resize(taken + AT_ONCE, 0);
        let seen = match tcp.peek(&mut bytes[taken..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            seen => taken + seen,
        };
        match look(&bytes[..seen]) {
            Front::Partial => {
                tcp.read_exact(&mut bytes[taken..seen]).await?;
                taken = seen;
            }
            Front::Header { length, said } => {
                tcp.read_exact(&mut bytes[taken..length]).await?;
                return Ok(match said {
                    Said::Ends(ends) => Some(ends),
                    Said::Nothing => None,
                });
            }
            Front::Broken => return Err(super::invalid("no PROXY header, where there has to be one")),
        }
    }
}

/// Whether what a connection begins with, as far as [`FRONT_BYTES`], is a header.
pub(super) fn begins(front: &[u8]) -> bool {
    front.starts_with(V1) || front == V2
}

/// Looks at what a connection has brought so far. What can't be a header any more is broken at once.
fn look(bytes: &[u8]) -> Front {
    if bytes.starts_with(V2) {
        look_at_v2(bytes)
    } else if bytes.starts_with(V1) {
        look_at_v1(bytes)
    } else if V1.starts_with(bytes) || V2.starts_with(bytes) {
        Front::Partial
    } else {
        Front::Broken
    }
}

fn look_at_v1(bytes: &[u8]) -> Front {
    let line = &bytes[..bytes.len().min(V1_BYTES)];
    let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
        return if line.len() == V1_BYTES { Front::Broken } else { Front::Partial };
    };
    match std::str::from_utf8(&line[V1.len()..end]).ok().and_then(v1) {
        Some(said) => Front::Header { length: end + 2, said },
        None => Front::Broken,
    }
}

/// What stands between `PROXY ` and the line's end.
fn v1(text: &str) -> Option<Said> {
    let mut words = text.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(Said::Nothing);
    }
    let (client, server) = (v1_ip(family, words.next()?)?, v1_ip(family, words.next()?)?);
    let (from, to) = (v1_port(words.next()?)?, v1_port(words.next()?)?);
    let ends = Ends { client: SocketAddr::new(client, from), server: SocketAddr::new(server, to) };
    words.next().is_none().then_some(Said::Ends(ends))
}

fn v1_ip(family: &str, text: &str) -> Option<IpAddr> {
    match family {
        "TCP4" => text.parse().ok().map(IpAddr::V4),
        "TCP6" => text.parse().ok().map(IpAddr::V6),
        _ => None,
    }
}

fn v1_port(text: &str) -> Option<u16> {
    // Rust's numbers may have a sign.
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn look_at_v2(bytes: &[u8]) -> Front {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    let Some(&[command, family, high, low]) = bytes[V2.len()..].first_chunk() else { return Front::Partial };
    let length = V2_PREFIX_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, LOCAL | PROXY) || length > MAX_BYTES {
        return Front::Broken;
    }
    let Some(block) = bytes.get(V2_PREFIX_BYTES..length) else { return Front::Partial };
    if command == LOCAL {
        return Front::Header { length, said: Said::Nothing };
    }
    match v2(family, block) {
        Some(said) => Front::Header { length, said },
        None => Front::Broken,
    }
}

/// What a block says; there may be more behind its addresses.
fn v2(family: u8, block: &[u8]) -> Option<Said> {
    const UNSPECIFIED: u8 = 0x00;
    const TCP_OVER_IPV4: u8 = 0x11;
    const TCP_OVER_IPV6: u8 = 0x21;
    const UNIX_STREAM: u8 = 0x31;
    match family {
        UNSPECIFIED | UNIX_STREAM => Some(Said::Nothing),
        TCP_OVER_IPV4 => {
            let (client, rest) = block.split_first_chunk::<4>()?;
            let (server, rest) = rest.split_first_chunk::<4>()?;
            v2_ports(Ipv4Addr::from(*client).into(), Ipv4Addr::from(*server).into(), rest)
        }
        TCP_OVER_IPV6 => {
            let (client, rest) = block.split_first_chunk::<16>()?;
            let (server, rest) = rest.split_first_chunk::<16>()?;
            v2_ports(Ipv6Addr::from(*client).into(), Ipv6Addr::from(*server).into(), rest)
        }
        _ => None,
    }
}

fn v2_ports(client: IpAddr, server: IpAddr, rest: &[u8]) -> Option<Said> {
    let &[a, b, c, d] = rest.first_chunk()?;
    let port = |high, low| u16::from_be_bytes([high, low]);
    Some(Said::Ends(Ends { client: SocketAddr::new(client, port(a, b)), server: SocketAddr::new(server, port(c, d)) }))
}

/// Reads any bytes as the front of a connection. No part of the server.
///
/// # Panics
///
/// Where more bytes change what fewer have decided, a header is longer than what is read, or its length is not right.
#[cfg(any(test, feature = "fuzzing"))]
pub fn play_proxy_header(data: &[u8]) {
    let whole = look(data);
    for cut in 0..data.len() {
        let front = look(&data[..cut]);
        assert!(front == Front::Partial || front == whole, "{cut} bytes: {front:?}, and all of them: {whole:?}");
    }
    match whole {
        Front::Partial => assert!(data.len() < MAX_BYTES, "a header ends"),
        Front::Header { length, .. } => {
            assert!(length <= MAX_BYTES && length <= data.len());
            assert_eq!(look(&data[..length]), whole, "what is behind it has no say");
            assert_eq!(look(&data[..length - 1]), Front::Partial, "all of it is needed");
        }
        Front::Broken => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn ends(client: &str, server: &str) -> Said {
        Said::Ends(Ends { client: client.parse().unwrap(), server: server.parse().unwrap() })
    }

    fn block_of(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        [V2, &[command, family], &u16::try_from(block.len()).unwrap().to_be_bytes(), block].concat()
    }

    #[test]
    fn the_headers_of_the_specification_are_read() {
        let v4 = ends("192.0.2.7:56324", "198.51.100.1:443");
        let v6 = ends("[2001:db8::7]:65535", "[2001:db8::1]:0");
        let block = |ends: &[&[u8]]| ends.concat();
        let (v4_block, v6_block) = (
            block(&[&[192, 0, 2, 7, 198, 51, 100, 1], &56324_u16.to_be_bytes(), &443_u16.to_be_bytes()]),
            block(&[
                &"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets(),
                &"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets(),
                &[0xff, 0xff, 0, 0],
            ]),
        );
        let additions = [&v4_block[..], &[4, 0, 3, 0, 0, 0]].concat();
        let longest = b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n".to_vec(), v4),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n".to_vec(), v6),
            (
                longest.to_vec(),
                ends(&format!("[{0}]:65535", ["ffff"; 8].join(":")), &format!("[{0}]:65535", ["ffff"; 8].join(":"))),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), Said::Nothing),
            (b"PROXY UNKNOWN anything at all\r\n".to_vec(), Said::Nothing),
            (block_of(0x21, 0x11, &v4_block), v4),
            (block_of(0x21, 0x21, &v6_block), v6),
            (block_of(0x21, 0x11, &additions), v4),
            (block_of(0x20, 0x00, b""), Said::Nothing),
            (block_of(0x20, 0x11, &v4_block), Said::Nothing),
            (block_of(0x21, 0x00, b"more"), Said::Nothing),
            (block_of(0x21, 0x31, &[0; 216]), Said::Nothing),
        ] {
            let with_more = [&header[..], b"\x16\x03\x01\r\n"].concat();
            assert_eq!(look(&with_more), Front::Header { length: header.len(), said: expected }, "{header:?}");
            play_proxy_header(&with_more);
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        let mut other_version = block_of(0x21, 0x11, &[0; 12]);
        other_version[12] = 0x11;
        for bytes in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"\x16\x03\x01".to_vec(),
            b"PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n".to_vec(),
            b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 \xff\r\n".to_vec(),
            [&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat(),
            block_of(0x22, 0x11, &[0; 12]),
            block_of(0x21, 0x12, &[0; 12]),
            block_of(0x21, 0x11, &[0; 11]),
            block_of(0x21, 0x21, &[0; 35]),
            block_of(0x21, 0x41, &[0; 216]),
            block_of(0x21, 0x11, &[0; 5000]),
            other_version,
        ] {
            assert_eq!(look(&bytes), Front::Broken, "{}", bytes.escape_ascii());
            play_proxy_header(&bytes);
        }
    }

    proptest! {
        #[test]
        fn what_a_proxy_writes_is_what_is_read(client: SocketAddr, server: SocketAddr, more in vec(any::<u8>(), 0..300)) {
            // Neither version has a place for a scope.
            let bare = |address: SocketAddr| SocketAddr::new(address.ip(), address.port());
            let (family, code) = if client.is_ipv4() { ("TCP4", 0x11) } else { ("TCP6", 0x21) };
            prop_assume!(client.is_ipv4() == server.is_ipv4());
            let expected = Said::Ends(Ends { client: bare(client), server: bare(server) });
            let line = format!("PROXY {family} {} {} {} {}\r\n", client.ip(), server.ip(), client.port(), server.port());
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
            let block = block_of(0x21, code, &[octets(client.ip()), octets(server.ip()), ports].concat());
            for header in [line.into_bytes(), block] {
                let bytes = [&header[..], &more].concat();
                prop_assert_eq!(look(&bytes), Front::Header { length: header.len(), said: expected });
                play_proxy_header(&bytes);
            }
        }

        #[test]
        fn noise_behind_a_beginning_breaks_nothing(is_v2: bool, noise in vec(any::<u8>(), 0..200)) {
            play_proxy_header(&[if is_v2 { V2 } else { V1 }, &noise].concat());
        }
    }
}
