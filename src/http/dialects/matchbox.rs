//! `/matchbox`, `/matchbox/` and `/matchbox/{room}`, each with `?next=N` or without.

use std::num::NonZeroUsize;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::any;

use super::super::Shared;
use super::super::caller::Caller;
use super::super::query;
use super::super::refusal::Refusal;
use crate::dialect::Dialect;
use crate::dialect::matchbox::Matchbox;
use crate::protocol::{Realm, RoomName};

/// The room of a path without one.
const NO_ROOM: &str = "/";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/matchbox", any(answer_without_room))
        .route("/matchbox/", any(answer_without_room))
        .route("/matchbox/{room}", any(answer))
}

async fn answer_without_room(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    shared.answer_matchbox(&caller, NO_ROOM, request).await
}

async fn answer(
    State(shared): State<Shared>,
    caller: Caller,
    room: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    // What is no UTF-8 is a name that no room has.
    let room = room.map_or_else(|_| String::new(), |Path(room)| room);
    shared.answer_matchbox(&caller, &room, request).await
}

impl Shared {
    async fn answer_matchbox(&self, caller: &Caller, room: &str, request: Request) -> Response {
        let (mut request, _) = request.into_parts();
        self.answer_foreign(Realm::Matchbox, self.accept_matchbox(caller, room, &mut request).await)
    }

    async fn accept_matchbox(&self, caller: &Caller, room: &str, request: &mut Parts) -> Result<Response, Refusal> {
        let (room, next) = (RoomName::new(room).ok_or(Refusal::BadRoom)?, next(&request.uri)?);
        let (handshake, grant) = self.admit_foreign(caller, request)?;
        if grant.as_ref().is_some_and(|grant| !grant.allows(&room)) {
            return Err(Refusal::RoomNotAllowed);
        }
        if next.is_some_and(|size| !self.0.terms.hub.may_hold(size)) {
            return Err(Refusal::BadRoom);
        }
        let dialect = Dialect::Matchbox(Box::new(Matchbox::new(room.clone(), next)));
        self.serve_where_they_meet(caller, handshake, grant, dialect, room.as_str()).await
    }
}

/// How many are to be matched: what is no number is as good as absent, as in the original, and none of them can't be.
fn next(uri: &Uri) -> Result<Option<NonZeroUsize>, Refusal> {
    match query::last(uri, "next").and_then(|size| size.parse::<usize>().ok()) {
        None => Ok(None),
        Some(size) => NonZeroUsize::new(size).map(Some).ok_or(Refusal::BadRoom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_is_a_number_of_players_and_none_of_them_is_refused() {
        let read = |query: &str| next(&format!("/matchbox/hall{query}").parse().unwrap());
        assert_eq!(read("?next=2"), Ok(NonZeroUsize::new(2)));
        assert_eq!(read("?a=1&next=3&b=next"), Ok(NonZeroUsize::new(3)));
        assert_eq!(read("?n%65xt=%32"), Ok(NonZeroUsize::new(2)));
        for absent in
            ["", "?", "?next=", "?next", "?next=two", "?next=-1", "?next=1.5", "?next=+2", "?nexts=2", "?xnext=2"]
        {
            assert_eq!(read(absent), Ok(None), "{absent}");
        }
        assert_eq!(read("?next=99999999999999999999999"), Ok(None));
        assert_eq!(read("?next=0"), Err(Refusal::BadRoom));
    }
}
