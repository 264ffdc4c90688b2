//! Realms come from configuration, and nothing crosses them.

use portcullis_tests::{Person, TestServer};

#[tokio::test]
async fn a_third_realm_needs_a_setting_only() {
    let server = TestServer::start_with(&[("REALMS", "User1,User2,Staff")]).await;
    let person = Person::john();
    // one address, three accounts
    let mut clients = Vec::new();
    for realm in ["User1", "User2", "Staff"] {
        let (client, _) = server.realm(realm).logged_in(&person).await;
        clients.push(client);
    }
    let ids: Vec<String> = {
        let mut ids = Vec::new();
        for client in &clients {
            ids.push(client.get("/").await.expect(200).json()["id"].as_str().unwrap().to_owned());
        }
        ids
    };
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    let document = server.realm("Staff").get("//openapi.json").await.expect(200).json();
    let realms = &document["components"]["schemas"]["Realm"]["enum"];
    assert_eq!(*realms, serde_json::json!(["User1", "User2", "Staff"]), "the third realm is in the document");
}

#[tokio::test]
async fn a_realm_that_is_not_configured_is_not_found() {
    let server = TestServer::start().await;
    let _ = server.realm("Staff").get("/sessions").await.expect(404);
}
