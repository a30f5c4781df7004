//! Which file of a page a path means. Pure.

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    File(String),
    /// A folder that has an `index.html`, without the slash from which that one's own links go out.
    Folder,
    Nothing,
}

/// The file at a path (which begins after the host's slash): a folder means its `index.html`, and a name that no file has
/// the page of that name, so that `learn/fr` is `learn/fr.html`.
pub(super) fn meant(path: &str, is_file: impl Fn(&str) -> bool) -> Meant {
    let file = |name: String| if is_file(&name) { Meant::File(name) } else { Meant::Nothing };
    if path.is_empty() || path.ends_with('/') {
        return file(format!("{path}index.html"));
    }
    if is_file(path) {
        return Meant::File(path.to_owned());
    }
    if is_file(&format!("{path}/index.html")) { Meant::Folder } else { file(format!("{path}.html")) }
}

/// Where a folder is whose path has no slash at its end: relative, because a proxy may have taken away a part of the path
/// before it came here.
pub(in crate::http) fn with_slash(path: &str, query: Option<&str>) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    // A name such as `a:b` would be a scheme without the dot.
    format!("./{name}/{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 6] =
        ["index.html", "style.css", "js/app.js", "learn/index.html", "learn/fr.html", "learn/deep/index.html"];

    fn at(path: &str) -> Meant {
        meant(path, |name| FILES.contains(&name))
    }

    #[test]
    fn each_file_is_at_its_own_path() {
        for name in FILES {
            assert_eq!(at(name), Meant::File(name.to_owned()));
        }
    }

    #[test]
    fn a_folder_is_its_index_and_a_name_the_page_of_that_name() {
        for (path, name) in [
            ("", "index.html"),
            ("index", "index.html"),
            ("learn/", "learn/index.html"),
            ("learn/fr", "learn/fr.html"),
            ("learn/deep/", "learn/deep/index.html"),
        ] {
            assert_eq!(at(path), Meant::File(name.to_owned()), "{path}");
        }
        for path in ["learn", "learn/deep"] {
            assert_eq!(at(path), Meant::Folder, "{path}");
        }
    }

    #[test]
    fn where_there_is_neither_a_file_nor_an_index_is_nothing() {
        for path in
            ["js", "js/", "js/app", "learn/fr/", "learn/fr.", "style", "index.html/", "/", "/learn", "learn//", "."]
        {
            assert_eq!(at(path), Meant::Nothing, "{path}");
        }
    }

    #[test]
    fn a_folder_is_found_from_where_its_name_stands() {
        for (path, query, location) in [
            ("/sub", None, "./sub/"),
            ("/a/sub%20b", Some("x=/y"), "./sub%20b/?x=/y"),
            ("/javascript:a", None, "./javascript:a/"),
        ] {
            assert_eq!(with_slash(path, query), location);
        }
    }
}
