//! A client whose place is on another node: what it says goes there, and what is said there comes back.

use std::io;

use tokio::io::{AsyncWriteExt as _, BufReader, copy_buf, split};

use crate::accept::Stream;
use crate::net::Line;

/// What is on its way in each direction, in bytes. Less than a record: there is one for each such client.
const BUFFER: usize = 4096;

/// Carries both ways until the other node has said its last, or one side is lost.
///
/// # Errors
///
/// Where one is.
pub(super) async fn carry(client: Stream, node: Box<dyn Line>) -> io::Result<()> {
    let (from_client, mut to_client) = split(client);
    let (from_node, mut to_node) = split(node);
    let there = async {
        copy_buf(&mut BufReader::with_capacity(BUFFER, from_client), &mut to_node).await?;
        to_node.shutdown().await?;
        // What the node has to say to that comes the other way.
        std::future::pending().await
    };
    let back = async {
        copy_buf(&mut BufReader::with_capacity(BUFFER, from_node), &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::select! {
        lost = there => lost,
        done = back => done,
    }
}
