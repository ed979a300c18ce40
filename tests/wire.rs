//! One conformance table over both wires.

mod house;

use house::model::{ModelServer, Turn, Wire};

#[tokio::test]
async fn the_scripted_server_answers() {
    let server = ModelServer::start(Wire::OpenAi, vec![Turn::text("hello")]).await;
    assert!(server.base_url().ends_with("/v1"));
    assert!(server.requests().is_empty());
}
