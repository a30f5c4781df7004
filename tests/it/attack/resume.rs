//! Many who take one session over at once.

use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use crate::client::V1;
use crate::http::read_head;
use crate::raw::{FIN, HANDSHAKE, TEXT, offering, read_frame};
use crate::server::Server;
use crate::within;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_frame_of_a_connection_that_is_taken_over_at_once_is_its_welcome() {
    const ATTEMPTS: usize = 20;

    let server = Server::start(&[]);
    for _ in 0..5 {
        let client = server.connect_v1().await;
        let offer = offering(&format!("{V1}, {}", client.ticket().offer().split_once(", ").expect("two offers").1));
        let head = server.head("GET", "/ws", &[&HANDSHAKE[..], &[&offer]].concat());
        let mut attempts = JoinSet::new();
        for _ in 0..ATTEMPTS {
            let (mut tls, head) = (server.tls().await, head.clone());
            attempts.spawn(async move {
                tls.write_all(head.as_bytes()).await.expect("the server reads");
                let answer = read_head(&mut tls).await.expect("an answer");
                assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
                let (first, payload) = read_frame(&mut tls).await.expect("a frame");
                (first, String::from_utf8_lossy(&payload).into_owned(), tls)
            });
        }
        let heard = within("all of them to be answered", attempts.join_all()).await;
        for (first, text, _) in &heard {
            assert_eq!(*first, FIN | TEXT, "{text:?}");
            assert!(text.starts_with(r#"{"type":"welcome""#), "{text}");
        }
        assert_eq!(heard.len(), ATTEMPTS);
    }
}
