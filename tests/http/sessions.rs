//! Sessions, logging out, introspection and revocation.

use portcullis_tests::{Person, TestServer};
use serde_json::json;

const CLIENT: &str = "billing:kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA";

#[tokio::test]
async fn an_owner_sees_and_ends_sessions() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (here, _) = api.logged_in(&Person::john()).await;
    let (there, there_refresh) = api.session(&Person::john()).await;
    let (jane, _) = api.logged_in(&Person::named("jane@example.com")).await;
    let sessions = here.get("/sessions").await.expect(200).json();
    let sessions = sessions["sessions"].as_array().unwrap().clone();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert_eq!(sessions[0]["address"], "127.0.0.0");
    let other = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    // another user's and an unknown id are alike
    assert_eq!(jane.delete(&format!("/sessions/{other}")).await.expect(404).code(), "not_found");
    assert_eq!(jane.delete("/sessions/ses_00000000000000000000000000000000").await.expect(404).code(), "not_found");
    let _ = here.delete(&format!("/sessions/{other}")).await.expect(200);
    let _ = there.get("/").await.expect(401);
    let _ = api.refresh(&there_refresh).await.expect(400);
    let _ = here.get("/").await.expect(200);
    let _ = here.delete(&format!("/sessions/{other}")).await.expect(404);
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_token_at_once() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (here, here_refresh) = api.logged_in(&Person::john()).await;
    let (there, _) = api.session(&Person::john()).await;
    let _ = here.post("/logout_all", &json!({})).await.expect(200);
    for client in [&here, &there] {
        let problem = client.get("/").await.expect(401);
        assert!(problem.header("www-authenticate").starts_with("Bearer realm=\"User1\""));
    }
    let _ = api.refresh(&here_refresh).await.expect(400);
    let _ = api.login("john.doe@example.com", "SecureP@ssw0rd123!").await.expect(200);
}

#[tokio::test]
async fn services_introspect_and_anyone_revokes() {
    let server = TestServer::start_with(&[("SERVICE_CLIENTS", &format!("{CLIENT}@User1"))]).await;
    let api = server.realm("User1");
    let (john, refresh) = api.logged_in(&Person::john()).await;
    let token = john.token.clone().unwrap();
    let (id, secret) = CLIENT.split_once(':').unwrap();
    let introspect = async |realm: &str, token: &str| {
        let api = server.realm(realm);
        let request = api.request(reqwest::Method::POST, "/introspect").basic_auth(id, Some(secret));
        api.send(request.form(&[("token", token)])).await.expect(200).json()
    };
    let active = introspect("User1", &token).await;
    assert_eq!(active["active"], true);
    assert_eq!(active["aud"], "User1");
    assert!(active["sub"].as_str().unwrap().starts_with("usr_"));
    assert_eq!(introspect("User1", &refresh).await["token_type"], "refresh_token");
    let elsewhere = server.realm("User2");
    let foreign = elsewhere.request(reqwest::Method::POST, "/introspect").basic_auth(id, Some(secret));
    let _ = elsewhere.send(foreign.form(&[("token", &token)])).await.expect(401);
    assert_eq!(introspect("User1", "garbage").await, json!({"active": false}));
    let stranger = api.form("/introspect", &[("token", &token)]).await.expect(401);
    assert_eq!(stranger.json()["error"], "invalid_client");
    assert!(stranger.header("www-authenticate").starts_with("Basic"));

    let _ = api.form("/revoke", &[("token", "garbage")]).await.expect(200);
    let _ = john.get("/").await.expect(200);
    let _ = api.form("/revoke", &[("token", &refresh), ("token_type_hint", "refresh_token")]).await.expect(200);
    let _ = john.get("/").await.expect(401);
    assert_eq!(introspect("User1", &token).await, json!({"active": false}));
}

#[tokio::test]
async fn public_keys_are_shown_where_signing_is_asymmetric() {
    for (signing, curve) in [("EdDSA", "Ed25519"), ("ES256", "P-256")] {
        let server = TestServer::start_with(&[("SIGNING", signing)]).await;
        let api = server.realm("User1");
        let (john, _) = api.logged_in(&Person::john()).await;
        let _ = john.get("/").await.expect(200);
        let keys = api.get("//.well-known/jwks.json").await.expect(200).json();
        assert_eq!((&keys["keys"][0]["crv"], &keys["keys"][0]["alg"]), (&json!(curve), &json!(signing)));
        assert_eq!(keys["keys"][0]["use"], "sig");
    }
    let plain = TestServer::start().await;
    let _ = plain.realm("User1").get("//.well-known/jwks.json").await.expect(404);
}
