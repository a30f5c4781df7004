//! `entremise health`: whether a server on this machine lives, for what starts it again if it does not, and has no other
//! program to ask with (a container's health check).

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// For each step of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// As much as has to be read of an answer.
const HEAD: &[u8] = b"HTTP/1.1 200 ";

/// Asks the server whose metrics are at this address.
///
/// # Errors
///
/// Where it does not say that it lives.
pub fn ask(metrics: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&here(metrics), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {metrics}\r\n\r\n").as_bytes())?;
    let mut head = [0; HEAD.len()];
    stream.read_exact(&mut head)?;
    if head == *HEAD { Ok(()) } else { Err(io::Error::other("it answers, and does not say that it lives")) }
}

/// What listens on all addresses is reached on this machine's own.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What is found of a server that says this.
    fn asked(answer: &'static [u8]) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1000]);
            stream.write_all(answer).unwrap();
        });
        let asked = ask(address);
        server.join().unwrap();
        asked
    }

    #[test]
    fn it_lives_where_it_says_so() {
        assert!(asked(b"HTTP/1.1 200 OK\r\n\r\n").is_ok());
        assert!(asked(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
        assert!(asked(b"").is_err());
        assert!(ask("127.0.0.1:1".parse().unwrap()).is_err());
        assert_eq!(here("[::]:9100".parse().unwrap()), "[::1]:9100".parse().unwrap());
    }
}
