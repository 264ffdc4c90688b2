//! Several instances behave as one.

use portcullis_tests::api::token_of;
use portcullis_tests::{Person, TestServer, on_servers};
use serde_json::json;

/// Two instances of one deployment.
async fn two(wanted: &[(&str, &str)]) -> (TestServer, TestServer) {
    let servers = on_servers().unwrap();
    let mut all: Vec<(&str, &str)> = servers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // a token of one is good at the other: they speak for one address
    all.push(("PUBLIC_URL", "http://auth.example.com"));
    all.extend(wanted);
    let one = TestServer::start_with(&all).await;
    let other = one.second_instance().await;
    (one, other)
}

pub async fn a_logout_on_one_is_known_to_the_other_at_once() {
    let (one, other) = two(&[]).await;
    let (here, refresh) = one.realm("User1").logged_in(&Person::john()).await;
    let there = other.realm("User1").with_token(here.token.as_deref().unwrap());
    let _ = there.get("/").await.expect(200);
    let _ = here.post("/logout", &json!({})).await.expect(200);
    let _ = there.get("/").await.expect(401);
    let _ = other.realm("User1").refresh(&refresh).await.expect(400);
    // and all sessions at once
    let (here, _) = one.realm("User1").session(&Person::john()).await;
    let there = other.realm("User1").with_token(here.token.as_deref().unwrap());
    let _ = there.post("/logout_all", &json!({})).await.expect(200);
    let _ = here.get("/").await.expect(401);
}

pub async fn who_is_disabled_by_the_command_line_is_dead_on_all() {
    let (one, other) = two(&[]).await;
    let (api, john) = (one.realm("User1"), Person::john());
    let (here, refresh) = api.logged_in(&john).await;
    let there = other.realm("User1").with_token(here.token.as_deref().unwrap());
    // the cache is filled on both
    for client in [&here, &there, &here, &there] {
        let _ = client.get("/").await.expect(200);
    }
    let (code, out, error) = one.operator(&["users", "disable", &john.email, "--realm", "User1"]);
    assert!(code == 0 && out.contains("1 session ended"), "{out}{error}");
    for client in [&here, &there] {
        let _ = client.get("/").await.expect(401);
    }
    for instance in [&one, &other] {
        let api = instance.realm("User1");
        let _ = api.refresh(&refresh).await.expect(400);
        let _ = api.login(&john.email, &john.password).await.expect(401);
    }
    let (code, out, error) = other.operator(&["users", "enable", &john.email, "--realm", "User1"]);
    assert!(code == 0 && out.contains("is enabled"), "{out}{error}");
    let (again, _) = other.realm("User1").session(&john).await;
    let _ = one.realm("User1").with_token(again.token.as_deref().unwrap()).get("/").await.expect(200);
    let _ = here.get("/").await.expect(401);
}

pub async fn limits_are_shared() {
    let (one, other) = two(&[("RATE_LIMITS", "on")]).await;
    let mut refused = 0;
    for number in 0..10 {
        let api = if number % 2 == 0 { one.realm("User1") } else { other.realm("User1") };
        let answer = api.login("nobody@example.com", "wrong").await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!(refused, 5, "five a minute, whichever instance is asked");
}

pub async fn a_link_is_spent_once() {
    let (one, other) = two(&[]).await;
    let person = Person::john();
    let (here, there) = (one.realm("User1"), other.realm("User1"));
    let _ = here.post("/create", &person.form).await.expect(201);
    let body = json!({"token": token_of(&here.mail("mail_email_verify", &person.email).await)});
    let uses = (0..20).map(|number| {
        let (api, body) = (if number % 2 == 0 { here.clone() } else { there.clone() }, body.clone());
        tokio::spawn(async move { api.post("/verify", &body).await.status })
    });
    let mut good = 0;
    for used in uses.collect::<Vec<_>>() {
        good += usize::from(used.await.unwrap() == 200);
    }
    assert_eq!(good, 1);
    let _ = there.login(&person.email, &person.password).await.expect(200);
}

pub async fn a_refresh_that_races_on_both_leaves_one_branch() {
    let (one, other) = two(&[]).await;
    let (here, there) = (one.realm("User1"), other.realm("User1"));
    let (_, refresh) = here.logged_in(&Person::john()).await;
    let uses = (0..20).map(|number| {
        let (api, token) = (if number % 2 == 0 { here.clone() } else { there.clone() }, refresh.clone());
        tokio::spawn(async move { api.refresh(&token).await.expect(200).member("refresh_token") })
    });
    let mut successors = std::collections::BTreeSet::new();
    for used in uses.collect::<Vec<_>>() {
        successors.insert(used.await.unwrap());
    }
    assert_eq!(successors.len(), 1, "one live branch");
    let successor = successors.first().unwrap();
    let _ = there.refresh(successor).await.expect(200);
}

pub async fn every_message_is_sent_once() {
    let (one, other) = two(&[]).await;
    let (here, there) = (one.realm("User1"), other.realm("User1"));
    for number in 0..20 {
        let api = if number % 2 == 0 { &here } else { &there };
        let _ = api.post("/create", &Person::named(&format!("p{number}@example.com")).form).await.expect(201);
    }
    for number in 0..20 {
        let _ = there.mail("mail_email_verify", &format!("p{number}@example.com")).await;
    }
    let waiting = async || one.service().ports.jobs.depth().await.unwrap().waiting;
    while waiting().await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(here.mailbox().await.len(), 20);
}

pub async fn an_emptied_redis_changes_no_answer() {
    let (one, other) = two(&[("RATE_LIMITS", "on")]).await;
    let (here, there) = (one.realm("User1"), other.realm("User1"));
    let (john, refresh) = here.logged_in(&Person::john()).await;
    let (gone, gone_refresh) = there.session(&Person::john()).await;
    let _ = gone.post("/logout", &json!({})).await.expect(200);
    let mut refused = 0;
    for _ in 0..3 {
        refused += usize::from(here.login("nobody@example.com", "wrong").await.status == 429);
    }
    one.empty_redis().await;
    for _ in 0..6 {
        refused += usize::from(here.login("nobody@example.com", "wrong").await.status == 429);
    }
    assert!(refused >= 5, "{refused}: an instance remembers what it has admitted itself");
    let _ = john.get("/").await.expect(200);
    let _ = there.with_token(gone.token.as_deref().unwrap()).get("/").await.expect(401);
    let _ = there.refresh(&gone_refresh).await.expect(400);
    let _ = there.refresh(&refresh).await.expect(200);
}
