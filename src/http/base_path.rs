//! The folder on the public host that is ours, behind a proxy that serves others too. Pure.

use std::fmt;
use std::str::FromStr;

/// Nothing for the whole host, or `/signal`, or `/a/b`: with a slash before each name and none at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The text isn't one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a path: give one such as /signal, of letters, digits and . _ - ~")]
pub struct NotABasePath;

impl FromStr for BasePath {
    type Err = NotABasePath;

    /// Slashes at both ends may be there or not.
    fn from_str(text: &str) -> Result<Self, NotABasePath> {
        if matches!(text, "" | "/") {
            return Ok(Self::default());
        }
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~');
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.bytes().all(is_unreserved);
        if inner.split('/').all(is_name) { Ok(Self(format!("/{inner}"))) } else { Err(NotABasePath) }
    }
}

impl BasePath {
    /// As a prefix of paths: empty, or `/signal`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BasePath {
    /// As the page's own path: `/`, or `/signal/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_one_form() {
        for (text, path) in [
            ("", ""),
            ("/", ""),
            ("signal", "/signal"),
            ("/signal", "/signal"),
            ("/signal/", "/signal"),
            ("a/b-2/", "/a/b-2"),
        ] {
            assert_eq!(text.parse::<BasePath>().unwrap().as_str(), path, "{text}");
        }
        assert_eq!(BasePath::default().to_string(), "/");
        assert_eq!("signal".parse::<BasePath>().unwrap().to_string(), "/signal/");
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for text in ["//", "/a//b", "/.", "/a/../b", "/a b", "/a?b", "/a#b", "/{a}", "/a%2fb", "https://a", "/é", "/a*"]
        {
            assert_eq!(text.parse::<BasePath>(), Err(NotABasePath), "{text}");
        }
    }
}
