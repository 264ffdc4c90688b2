//! Refresh tokens: lost replies are forgiven, thieves are caught.

use portcullis_tests::{Person, TestServer};
use std::time::Duration;

#[tokio::test]
async fn a_lost_reply_gets_the_same_successor_then_a_fresh_one() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (_, first) = api.logged_in(&Person::john()).await;
    let second = api.refresh(&first).await.expect(200).member("refresh_token");
    server.advance(Duration::from_secs(59));
    assert_eq!(api.refresh(&first).await.expect(200).member("refresh_token"), second);
    server.advance(Duration::from_secs(1));
    let third = api.refresh(&first).await.expect(200).member("refresh_token");
    assert_ne!(third, second);
    // the old successor is a tripwire now
    assert_eq!(api.refresh(&second).await.expect(400).code(), "invalid_grant");
    let problem = api.refresh(&third).await.expect(400);
    assert_eq!(problem.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_used_token_ends_the_family_and_its_access_tokens() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, first) = api.logged_in(&Person::john()).await;
    let (other, other_refresh) = api.session(&Person::john()).await;
    let second = api.refresh(&first).await.expect(200);
    let third = api.refresh(&second.member("refresh_token")).await.expect(200);
    let _ = api.refresh(&first).await.expect(400);
    let _ = api.refresh(&third.member("refresh_token")).await.expect(400);
    let _ = john.get("/").await.expect(401);
    let _ = api.with_token(&third.member("access_token")).get("/").await.expect(401);
    // other logins are other families
    let _ = other.get("/").await.expect(200);
    let _ = api.refresh(&other_refresh).await.expect(200);
}

#[tokio::test]
async fn a_forged_refresh_token_ends_no_session() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (john, refresh) = api.logged_in(&Person::john()).await;
    for at in [0, 20, 30, 50, 85] {
        let mut forged = refresh.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let _ = api.refresh(std::str::from_utf8(&forged).unwrap()).await.expect(400);
    }
    for text in ["", "x", &refresh[1..], &format!("{refresh}="), &"a".repeat(5000)] {
        let _ = api.refresh(text).await.expect(400);
    }
    let _ = john.get("/").await.expect(200);
    let _ = api.refresh(&refresh).await.expect(200);
}

#[tokio::test]
async fn sessions_end_after_thirty_idle_days_and_ninety_at_most() {
    let day = Duration::from_secs(86_400);
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let (_, mut refresh) = api.logged_in(&Person::john()).await;
    for _ in 0..3 {
        server.advance(29 * day);
        refresh = api.refresh(&refresh).await.expect(200).member("refresh_token");
    }
    server.advance(3 * day);
    let _ = api.refresh(&refresh).await.expect(400);
    let (_, refresh) = api.session(&Person::john()).await;
    server.advance(30 * day);
    let _ = api.refresh(&refresh).await.expect(400);
}

#[tokio::test]
async fn access_tokens_expire_to_the_second_and_live_across_a_restart() {
    let mut server = TestServer::start_with(&[("PUBLIC_URL", "http://auth.example.com")]).await;
    let (john, refresh) = server.realm("User1").logged_in(&Person::john()).await;
    let token = john.token.clone().unwrap();
    server.restart().await;
    let api = server.realm("User1");
    let john = api.with_token(&token);
    server.advance(Duration::from_secs(1799));
    let _ = john.get("/").await.expect(200);
    server.advance(Duration::from_secs(1));
    let _ = john.get("/").await.expect(401);
    let _ = api.refresh(&refresh).await.expect(200);
}
