//! The control plane of `portcullis testkit`: what a test sees of time, messages, faults, limits and snapshots, and
//! what the document says of it.

use std::time::Duration;

use portcullis_server::bootstrap::Server;
use portcullis_server::http::routes;
use portcullis_tests::testkit::RunningTestkit;
use portcullis_tests::{Api, Person};
use reqwest::Method;
use serde_json::json;

async fn kit() -> (RunningTestkit, Api) {
    let kit = RunningTestkit::start(&[("RATE_LIMITS", "on")]).await;
    let api = Api::new(kit.address, "User1");
    (kit, api)
}

#[tokio::test]
async fn every_control_is_described() {
    let (_kit, api) = kit().await;
    let document = api.get("//openapi.json").await.expect(200).json();
    for row in routes::testkit_endpoints() {
        for method in row.methods {
            let operation = &document["paths"][row.path][method.as_str().to_ascii_lowercase()];
            assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {}", row.path);
        }
    }
    let references = document.to_string();
    // left for the validator that `cargo xtask openapi` runs
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/openapi-testkit.json"), &references).unwrap();
    for schema in ["TestClock", "TestAdvance", "TestFaults", "TestSnapshot", "TestSeed", "TestDisabled", "TestFactor"] {
        assert!(references.contains(&format!("#/components/schemas/{schema}\"")), "{schema}");
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
}

#[tokio::test]
async fn time_stands_still_until_it_is_moved() {
    let (_kit, api) = kit().await;
    let before = api.get("//__test__/clock").await.expect(200).json();
    let after = api.post("//__test__/clock/advance", &json!({"seconds": 90})).await.expect(200).json();
    assert_eq!(after["seconds"].as_i64().unwrap() - before["seconds"].as_i64().unwrap(), 90);
    assert_eq!(api.get("//__test__/clock").await.expect(200).json(), after);
    for bad in [json!({"seconds": -1}), json!({"seconds": "soon"}), json!({}), json!({"seconds": 10_000_000_000_u64})] {
        let _ = api.post("//__test__/clock/advance", &bad).await.expect(422);
    }
    let _ = api.post("//__test__/clock/advance", &json!([])).await.expect(400);
}

#[tokio::test]
async fn it_answers_the_code_of_an_authenticator_app() {
    let (_kit, api) = kit().await;
    let (ada, _) = api.logged_in(&Person::named("ada@example.test")).await;
    let begun = ada.post("/mfa/totp", &json!({})).await.expect(201);
    let code = async || api.post("//__test__/factors", &json!({"secret": begun.member("secret")})).await.expect(200);
    let first = code().await.member("code");
    let _ = ada.json(Method::PUT, "/mfa/totp", &json!({"otp": first})).await.expect(200);
    let _ = api.post("//__test__/clock/advance", &json!({"seconds": 60})).await.expect(200);
    assert_ne!(code().await.member("code"), first);
    for bad in [json!({}), json!({"secret": "A"}), json!({"secret": 1}), json!({"get": {}}), json!({"create": {}})] {
        let _ = api.post("//__test__/factors", &bad).await.expect(422);
    }
}

#[tokio::test]
async fn it_makes_a_passkey_and_signs_with_it() {
    let (_kit, api) = kit().await;
    let (ada, _) = api.logged_in(&Person::named("ada@example.test")).await;
    let answer = async |body| api.post("//__test__/factors", &body).await;
    let begun = ada.post("/passkeys/options", &json!({})).await.expect(200).json();
    let made = answer(json!({"create": begun["options"], "synced": true})).await.expect(200).json();
    let body = json!({"token": begun["token"], "credential": made["credential"], "name": "Phone"});
    assert_eq!(ada.post("/passkeys", &body).await.expect(201).json()["synced"], true);

    let log_in = async |origin: Option<&str>| {
        let begun = api.post("/login/passkey/options", &json!({})).await.expect(200).json();
        let mut body = json!({"get": begun["options"], "passkey": made["passkey"]});
        if let Some(origin) = origin {
            body["origin"] = json!(origin);
        }
        let signed = answer(body).await.expect(200).json();
        api.post("/login/passkey", &json!({"token": begun["token"], "credential": signed["credential"]})).await
    };
    let _ = log_in(None).await.expect(200);
    assert_eq!(log_in(Some("https://evil.test")).await.expect(401).code(), "invalid_passkey");
    let options = json!({"rpId": "localhost", "challenge": "x"});
    for bad in [
        json!({"get": options, "passkey": "x"}),
        json!({"get": options}),
        json!({"get": 7, "passkey": made["passkey"]}),
        json!({"get": options, "passkey": made["passkey"], "origin": 7}),
        json!({"get": options, "create": begun["options"]}),
        json!({"create": begun["options"], "synced": "yes"}),
    ] {
        let _ = answer(bad).await.expect(422);
    }
}

#[tokio::test]
async fn the_outbox_waits_until_the_wanted_message_is_there() {
    let (_kit, api) = kit().await;
    let person = Person::named("ada@example.test");
    let waiting = tokio::spawn({
        let api = api.clone();
        async move { api.get("//__test__/outbox?to=ADA@example.test&template=mail_email_verify&wait=20000").await }
    });
    let _ = api.post("/create", &person.form).await.expect(201);
    let found = waiting.await.unwrap().expect(200).json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["to"]), (1, &json!("ada@example.test")));
    assert_eq!(api.get("//dev/mailbox").await.expect(200).json(), found, "the shape of the mailbox");
    let none = api.get("//__test__/outbox?to=bob@example.test&wait=20").await.expect(200).json();
    assert_eq!(none, json!([]));
    let _ = api.get("//__test__/outbox?wait=soon").await.expect(422);
    let _ = api.delete("//__test__/outbox").await.expect(204);
    assert_eq!(api.get("//__test__/outbox").await.expect(200).json(), json!([]));
}

#[tokio::test]
async fn a_fault_lasts_until_it_is_cleared() {
    let (kit, api) = kit().await;
    let person = Person::named("ada@example.test");
    api.verified(&person).await;
    let put = |faults| {
        let api = api.clone();
        async move { api.json(Method::PUT, "//__test__/faults", &json!({"faults": faults})).await }
    };
    let _ = put(json!([{"port": "database", "method": "commit", "when": "after"}])).await.expect(204);
    assert_eq!(api.login(&person.email, &person.password).await.expect(503).code(), "unavailable");
    assert_eq!(kit.world.sessions.all().len(), 1, "done, and the answer lost");
    let _ = put(json!([{"port": "password_hasher", "probability": 1, "seed": 3}])).await.expect(204);
    let _ = api.login(&person.email, &person.password).await.expect(503);
    let _ = put(json!([])).await.expect(204);
    let _ = api.login(&person.email, &person.password).await.expect(200);

    let before = api.get("//__test__/clock").await.json()["seconds"].as_i64().unwrap();
    let _ = put(json!([{"port": "password_hasher", "method": "hash_like", "delay_seconds": 7}])).await.expect(204);
    let _ = api.login(&person.email, &person.password).await.expect(200);
    assert_eq!(api.get("//__test__/clock").await.json()["seconds"].as_i64().unwrap() - before, 7);

    for bad in [
        json!({"port": "sessions"}),
        json!({"port": "session_store", "method": "turn"}),
        json!({"port": "token_signer"}),
        json!({"when": "maybe"}),
        json!({"probability": 2}),
        json!({"nth": -1}),
        json!({"prot": "session_store"}),
        json!(7),
    ] {
        let refused = put(json!([bad])).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "faults/0", "{refused}");
    }
    let _ = api.json(Method::PUT, "//__test__/faults", &json!({})).await.expect(422);
}

#[tokio::test]
async fn an_operator_speaks_through_it() {
    let (_kit, api) = kit().await;
    let person = Person::named("ada@example.test");
    let id = api.verified(&person).await;
    let (user, _) = api.session(&person).await;
    let _ = api.switch(&person.email, true).await.expect(204);
    let _ = user.get("/").await.expect(401);
    let _ = api.login(&person.email, &person.password).await.expect(401);
    let _ = api.switch(&id, false).await.expect(204);
    let _ = api.login(&person.email, &person.password).await.expect(200);
    assert_eq!(api.switch("nobody@example.test", true).await.expect(404).code(), "not_found");
    for (bad, status) in [
        (json!({"realm": "User3", "user": id, "disabled": true}), 404),
        (json!({"user": id, "disabled": true}), 422),
        (json!({"realm": "User1", "disabled": true}), 422),
        (json!({"realm": "User1", "user": id}), 422),
        (json!({"realm": "User1", "user": id, "disabled": "yes"}), 422),
        (json!([]), 400),
    ] {
        let _ = api.json(Method::PUT, "//__test__/disabled", &bad).await.expect(status);
    }
    let _ = api.login(&person.email, &person.password).await.expect(200);
}

#[tokio::test]
async fn limits_are_forgotten() {
    let (_kit, api) = kit().await;
    for _ in 0..5 {
        let _ = api.login("nobody@example.test", "x").await.expect(401);
    }
    let _ = api.login("nobody@example.test", "x").await.expect(429);
    let _ = api.delete("//__test__/limits").await.expect(204);
    let _ = api.login("nobody@example.test", "x").await.expect(401);
}

#[tokio::test]
async fn a_snapshot_comes_back_and_time_does_not() {
    let (_kit, api) = kit().await;
    let person = Person::named("ada@example.test");
    api.verified(&person).await;
    let name = api.post("//__test__/snapshot", &json!({})).await.expect(201).member("snapshot");
    let (user, refresh) = api.session(&person).await;
    let _ = user.json(Method::DELETE, "/delete", &json!({"password": person.password})).await.expect(200);
    let _ = api.post("//__test__/clock/advance", &json!({"seconds": 60})).await.expect(200);
    let now = api.get("//__test__/clock").await.json();
    let _ = api.post("//__test__/restore", &json!({"snapshot": name})).await.expect(204);
    assert_eq!(api.get("//__test__/clock").await.json(), now);
    let _ = api.session(&person).await;
    // a session of what never was
    let _ = api.refresh(&refresh).await.expect(400);
    assert_eq!(api.get("//__test__/outbox?template=mail_email_verify").await.json().as_array().unwrap().len(), 1);
    let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
    let _ = api.login(&person.email, &person.password).await.expect(401);
    let _ = api.post("//__test__/restore", &json!({"snapshot": "another"})).await.expect(404);
    let _ = api.post("//__test__/restore", &json!({})).await.expect(422);
}

#[tokio::test]
async fn numbers_of_films_fare_as_they_say() {
    let (_kit, api) = kit().await;
    let mut texts = Vec::new();
    for (n, number) in ["+12025550100", "+12025550150", "+12025550151", "+12025550153"].into_iter().enumerate() {
        let _ = api.delete("//__test__/limits").await.expect(204);
        let mut person = Person::named(&format!("ada+{n}@example.test"));
        person.form["phone"] = json!(number);
        let id = api.verified(&person).await;
        let _ = api.post("/otp_phone", &json!({"id": id, "phone": number})).await.expect(202);
        let mut codes = std::collections::BTreeSet::new();
        for _ in 0..4 {
            let outbox = api.get(&format!("//__test__/outbox?to=%2B{}", &number[1..])).await.expect(200).json();
            codes.extend(outbox.as_array().unwrap().iter().map(|text| text["code"].to_string()));
            let _ = api.post("//__test__/clock/advance", &json!({"seconds": 5})).await.expect(200);
        }
        texts.push(codes.len());
    }
    // after a lost reply, the second try generates a new code
    assert_eq!(texts, [1, 0, 1, 2], "by number");
}

#[tokio::test]
async fn production_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = portcullis_tests::settings(folder.path(), &[]);
    settings.environment = portcullis_server::config::Environment::Production;
    let world = portcullis_testkit::world::TestWorld::new(1);
    let refused = Server::compose_testkit(&settings, ([127, 0, 0, 1], 1).into(), &world).err();
    assert!(refused.is_some_and(|why| why.contains("ENVIRONMENT=production")));
}

#[tokio::test]
async fn chance_comes_again_with_its_seed() {
    let (kit, api) = kit().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
        let _ = api.json(Method::PUT, "//__test__/seed", &json!({"seed": 42})).await.expect(204);
        ids.push(api.verified(&Person::named("ada@example.test")).await);
        kit.world.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(ids[0], ids[1]);
}

/// Messages as a client tells them apart.
async fn told(api: &Api) -> Vec<String> {
    let outbox = api.get("//__test__/outbox").await.expect(200).json();
    let told = |message: &serde_json::Value| format!("{} {} {}", message["to"], message["code"], message["links"]);
    let mut all: Vec<String> = outbox.as_array().unwrap().iter().map(told).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_seed_decides_ids_and_codes_independent_of_other_work() {
    let kit = RunningTestkit::start(&[]).await;
    let api = Api::new(kit.address, "User1");
    let mut runs = Vec::new();
    for run in 0..4 {
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
        let _ = api.json(Method::PUT, "//__test__/seed", &json!({"seed": 42})).await.expect(204);
        let mut seen = Vec::new();
        for n in 0..6 {
            // one after the other, while the background mails the one before
            let person = Person::named(&format!("ada+{n}@example.test"));
            seen.push(api.post("/create", &person.form).await.expect(201).member("id"));
            for _ in 0..run {
                // what a page loads beside
                let _ = api.get("//livez").await.expect(200);
            }
        }
        seen.extend(told(&api).await);
        assert_eq!(seen.len(), 12);
        runs.push(seen);
    }
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:#?}");
}

#[tokio::test]
async fn names_fare_the_same_in_every_test() {
    let kit = RunningTestkit::start(&[]).await;
    let api = Api::new(kit.address, "User1");
    for _ in 0..2 {
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
        let _ = api.json(Method::PUT, "//__test__/seed", &json!({"seed": 42})).await.expect(204);
        let _ = api.post("/create", &Person::named("slow@example.test").form).await.expect(201);
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(told(&api).await.len());
            let _ = api.post("//__test__/clock/advance", &json!({"seconds": 5})).await.expect(200);
        }
        assert_eq!(seen, [0, 0, 1]);
    }
}

#[tokio::test]
async fn looking_for_work_is_no_call() {
    let (_kit, api) = kit().await;
    let _ = api.json(Method::PUT, "//__test__/faults", &json!({"faults": [{}]})).await.expect(204);
    for _ in 0..3 {
        let _ = api.get("//__test__/outbox").await.expect(200);
    }
    let person = Person::named("ada@example.test");
    let _ = api.post("/create", &person.form).await.expect(503);
    let _ = api.post("/create", &person.form).await.expect(201);
}

#[tokio::test]
async fn no_older_message_arrives_after_a_restore() {
    let kit = RunningTestkit::start(&[]).await;
    let api = Api::new(kit.address, "User1");
    for n in 0..60 {
        let _ = api.post("/create", &Person::named(&format!("ada+{n}@example.test")).form).await.expect(201);
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
        assert_eq!(told(&api).await, [""; 0], "restored, {n}");
        let _ = api.post("/create", &Person::named(&format!("ada+{n}@example.test")).form).await.expect(201);
        let _ = api.delete("//__test__/outbox").await.expect(204);
        assert_eq!(told(&api).await, [""; 0], "emptied, {n}");
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
    }
}

#[tokio::test]
async fn the_controls_answer_while_everything_is_broken() {
    let (_kit, api) = kit().await;
    let person = Person::named("ada@example.test");
    let _ = api.post("/create", &person.form).await.expect(201);
    let before = api.get("//__test__/clock").await.json()["seconds"].as_i64().unwrap();
    let _ = api.json(Method::PUT, "//__test__/faults", &json!({"faults": [{"probability": 1}]})).await.expect(204);
    let _ = api.post("/create", &person.form).await.expect(503);
    let after = api.post("//__test__/clock/advance", &json!({"seconds": 90})).await.expect(200).json();
    assert_eq!(after["seconds"].as_i64().unwrap() - before, 90);
    let _ = api.get("//__test__/outbox?to=bob@example.test&wait=20").await.expect(200);
    let name = api.post("//__test__/snapshot", &json!({})).await.expect(201).member("snapshot");
    let _ = api.post("//__test__/restore", &json!({"snapshot": name})).await.expect(204);
    let _ = api.delete("//__test__/limits").await.expect(204);
    let _ = api.delete("//__test__/outbox").await.expect(204);
}

#[tokio::test]
async fn contradicting_settings_are_refused() {
    let (_kit, api) = kit().await;
    for bad in [
        json!({"nth": 0}),
        json!({"times": 0}),
        json!({"seed": 5}),
        json!({"when": "after", "delay_seconds": 1}),
        json!({"delay_seconds": 0}),
        json!({"delay_seconds": 86_401}),
        json!({"port": "keyed_digest"}),
    ] {
        let refused = api.json(Method::PUT, "//__test__/faults", &json!({"faults": [bad]})).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "faults/0", "{bad}: {refused}");
    }
    for (method, path, body) in [
        (Method::POST, "clock/advance", json!({"seconds": 1, "minutes": 1})),
        (Method::POST, "restore", json!({"snapshot": "empty", "time": "then"})),
        (Method::PUT, "seed", json!({"seed": 1, "of": "what"})),
        (Method::PUT, "faults", json!({"faults": [], "for": 3})),
        (Method::PUT, "disabled", json!({"realm": "User1", "user": "a@b.example", "disabled": true, "why": 1})),
    ] {
        let refused = api.json(method, &format!("//__test__/{path}"), &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["code"], "unknown_field", "{path}: {refused}");
    }
    let twice = api.request(Method::POST, "//__test__/clock/advance").body(r#"{"seconds":1,"seconds":2}"#);
    let _ = api.send(twice).await.expect(400);
}

#[tokio::test]
async fn a_probability_ends_after_so_many_times() {
    let (_kit, api) = kit().await;
    let faults = json!({"faults": [{"port": "user_store", "probability": 1, "times": 2}]});
    let _ = api.json(Method::PUT, "//__test__/faults", &faults).await.expect(204);
    for status in [503, 503, 401] {
        let _ = api.login("nobody@example.test", "x").await.expect(status);
    }
}

#[tokio::test]
async fn time_has_an_end_that_can_be_written() {
    let (_kit, api) = kit().await;
    let hundred_years = json!({"seconds": 100_u64 * 365 * 86_400});
    let mut last = 200;
    for _ in 0..82 {
        last = api.post("//__test__/clock/advance", &hundred_years).await.status.as_u16();
        assert_ne!(api.get("//__test__/clock").await.json()["now"], "");
    }
    assert_eq!(last, 422);
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_was_sent() {
    let (_kit, api) = kit().await;
    for (when, at_once) in [("before", 0), ("after", 1)] {
        let _ = api.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
        let faults = json!({"faults": [{"port": "mailer", "method": "send", "when": when}]});
        let _ = api.json(Method::PUT, "//__test__/faults", &faults).await.expect(204);
        let _ = api.post("/create", &Person::named("ada@example.test").form).await.expect(201);
        assert_eq!(told(&api).await.len(), at_once, "{when}");
        let _ = api.post("//__test__/clock/advance", &json!({"seconds": 5})).await.expect(200);
        assert_eq!(told(&api).await.len(), at_once + 1, "{when}, and once more");
    }
}
