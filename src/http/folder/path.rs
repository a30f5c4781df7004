//! Which paths of a request may be files of the operator's folder. Pure.

use percent_encoding::percent_decode_str;

/// Whether a path can name something in the folder: names alone, none of which begins with a dot (so neither `..` nor
/// `.git`), or has what a file system could take for the end of a name.
pub(super) fn is_served(path: &str) -> bool {
    let Some(inner) = path.strip_prefix('/') else { return false };
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    // The root, and nothing that begins with two slashes: as a redirect that would be another host.
    path == "/" || inner.split('/').all(is_name)
}

fn is_name(segment: &str) -> bool {
    let Ok(name) = percent_decode_str(segment).decode_utf8() else { return false };
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_written_a_path_that_is_served_has_plain_names_alone(
            path in "(/|//|\\.|%2[ef]|%5c|%00|%c0%ae|\\\\|[a-z]|\\PC){0,12}"
        ) {
            let path = format!("/{path}");
            if is_served(&path) {
                let decoded = percent_decode_str(&path[1..]).decode_utf8().unwrap();
                let is_plain = |part: Component| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
                prop_assert!(Path::new(&*decoded).components().all(is_plain), "{decoded}");
                prop_assert!(!decoded.contains(['\\', '\0']) && !decoded.contains("//"), "{decoded}");
            }
        }
    }

    #[test]
    fn a_path_of_plain_names_is_served() {
        for path in ["/", "/index.html", "/a/b/c.js", "/a/", "/a%20b", "/%C3%A9", "/a..b", "/a.", "/a:b", "/%25", "/~"]
        {
            assert!(is_served(path), "{path}");
        }
    }

    #[test]
    fn a_path_with_a_dot_first_a_backslash_or_nul_in_any_disguise_is_not() {
        let dots = ["/.", "/..", "/../a", "/a/..", "/a/../b", "/.env", "/a/.git/config", "/.well-known/a", "/..."];
        let encoded = ["/%2e%2e/a", "/%2E%2E%2Fa", "/a/%2e%2e", "/..%2fa", "/%2eenv", "/a%2f%2e%2e%2fb", "/.%2e/a"];
        let others = ["/a\\b", "/..\\a", "/a%5cb", "/%5c..%5ca", "/a%00", "/%00", "/a%2fb", "/%2f", "/%ff", "/%c0%ae"];
        let slashes = ["", "//", "//a", "//evil.example", "/a//b", "/a//", "a", "*"];
        for path in dots.iter().chain(&encoded).chain(&others).chain(&slashes) {
            assert!(!is_served(path), "{path}");
        }
    }
}
