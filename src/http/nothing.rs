//! What is said where there is no file, and what to do about it where that is known.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

/// Where there is no file.
pub(super) const HERE: &str = "There is nothing here.\n";

/// What a socket.io server hands out as its client. It is not ours to hand out.
const SOCKET_IO_CLIENTS: [&str; 4] =
    ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];

/// The answer at a path without a file.
pub(super) fn at(path: &str) -> Response {
    let name = path.trim_start_matches('/').strip_prefix("socket.io/").unwrap_or_default();
    let text = if SOCKET_IO_CLIENTS.contains(&name.trim_end_matches(".map")) { client_hint(name) } else { HERE.into() };
    (StatusCode::NOT_FOUND, text).into_response()
}

fn client_hint(name: &str) -> String {
    format!(
        "socket.io's client does not come with this server. Copy dist/{name} of the npm package socket.io-client\n\
         to socket.io/{name} in your page's folder, which is given by --page.\n"
    )
}
