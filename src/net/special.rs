//! Addresses that are on no host of the public internet. Pure.

use std::net::IpAddr;

use super::Cidr;

/// IANA's special-purpose registries (RFC 6890 and its updates), multicast and what is reserved: nothing in them is a
/// peer on the public internet.
const SPECIAL: [Cidr; 31] = [
    Cidr::v4(0, 0, 0, 0, 8),
    Cidr::v4(10, 0, 0, 0, 8),
    Cidr::v4(100, 64, 0, 0, 10),
    Cidr::v4(127, 0, 0, 0, 8),
    Cidr::v4(169, 254, 0, 0, 16),
    Cidr::v4(172, 16, 0, 0, 12),
    Cidr::v4(192, 0, 0, 0, 24),
    Cidr::v4(192, 0, 2, 0, 24),
    Cidr::v4(192, 31, 196, 0, 24),
    Cidr::v4(192, 52, 193, 0, 24),
    Cidr::v4(192, 88, 99, 0, 24),
    Cidr::v4(192, 168, 0, 0, 16),
    Cidr::v4(192, 175, 48, 0, 24),
    Cidr::v4(198, 18, 0, 0, 15),
    Cidr::v4(198, 51, 100, 0, 24),
    Cidr::v4(203, 0, 113, 0, 24),
    Cidr::v4(224, 0, 0, 0, 4),
    Cidr::v4(240, 0, 0, 0, 4),
    // ::/96 holds the unspecified address, loopback and the deprecated IPv4-compatible ones.
    Cidr::v6(0, 0, 0, 96),
    Cidr::v6(0x64, 0xff9b, 1, 48),
    Cidr::v6(0x100, 0, 0, 64),
    Cidr::v6(0x2001, 0, 0, 23),
    Cidr::v6(0x2001, 0xdb8, 0, 32),
    Cidr::v6(0x2620, 0x4f, 0x8000, 48),
    Cidr::v6(0x3fff, 0, 0, 20),
    Cidr::v6(0x5f00, 0, 0, 16),
    Cidr::v6(0xfc00, 0, 0, 7),
    Cidr::v6(0xfe80, 0, 0, 10),
    Cidr::v6(0xfec0, 0, 0, 10),
    Cidr::v6(0xff00, 0, 0, 8),
    Cidr::v6(0x2002, 0, 0, 16),
];

/// Whether it is one of them.
pub(crate) fn is_special(ip: IpAddr) -> bool {
    SPECIAL.iter().any(|block| block.contains(ip))
}
