//! Input as people type, paste and send it.

use portcullis_tests::{Person, TestServer};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_person_with_one_name_registers_and_is_greeted() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for (at, last_name) in [None, Some(""), Some("  ")].into_iter().enumerate() {
        let mut person = Person::named(&format!("suharto{at}@example.com"));
        person.form["first_name"] = json!("Suharto");
        match last_name {
            Some(text) => person.form["last_name"] = json!(text),
            None => drop(person.form.as_object_mut().unwrap().remove("last_name")),
        }
        let (api, _) = api.logged_in(&person).await;
        let mail = api.mail("registration", &person.email).await;
        assert!(mail["text"].as_str().unwrap().contains("Hello Suharto,"), "{mail}");
        let profile = api.get("/").await.expect(200).json();
        assert_eq!((&profile["first_name"], &profile["last_name"]), (&json!("Suharto"), &json!("")));
    }
}

#[tokio::test]
async fn a_last_name_can_be_taken_out_of_a_profile() {
    let server = TestServer::start().await;
    let (api, _) = server.realm("User1").logged_in(&Person::john()).await;
    let changed = api.json(Method::PUT, "/update", &json!({"last_name": ""})).await.expect(200).json();
    assert_eq!(changed["last_name"], "");
    assert_eq!(
        api.json(Method::PUT, "/update", &json!({"first_name": ""})).await.expect(422).json()["errors"][0]["code"],
        "name_empty"
    );
}

#[tokio::test]
async fn numbers_of_every_region_and_network_are_accepted() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for (at, (phone, code, e164, country)) in [
        ("+38344123456", "XK", "+38344123456", "XK"),
        ("+38344123456", "+383", "+38344123456", "XK"),
        ("+24740123", "+247", "+24740123", "AC"),
        ("+2908123", "+290 8", "+2908123", "TA"),
        ("+881612345678", "+881", "+881612345678", "001"),
        ("+882161234567", "+882", "+882161234567", "001"),
        ("+883510000000094", "+883", "+883510000000094", "001"),
        ("0151 23456789", "DE", "+4915123456789", "DE"),
        ("\u{202d}+49 151 23456789\u{202c}", "DE", "+4915123456789", "DE"),
        ("\u{2068}＋49–151–23456789\u{2069}", "DE", "+4915123456789", "DE"),
        ("+1234567890", "US", "+1234567890", "US"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut person = Person::named(&format!("caller{at}@example.com"));
        (person.form["phone"], person.form["country_code"]) = (json!(phone), json!(code));
        let (api, _) = api.logged_in(&person).await;
        let profile = api.get("/").await.expect(200).json();
        assert_eq!((&profile["phone"], &profile["country"]), (&json!(e164), &json!(country)), "{phone} {code}");
    }
}

#[tokio::test]
async fn a_number_that_is_known_to_be_of_another_country_is_refused() {
    let server = TestServer::start().await;
    for (phone, code) in [("+14165550123", "US"), ("+441534123456", "GB"), ("+77011234567", "RU"), ("hello", "DE")] {
        let mut person = Person::john();
        (person.form["phone"], person.form["country_code"]) = (json!(phone), json!(code));
        let refused = server.realm("User1").post("/create", &person.form).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "phone", "{phone}");
    }
}

#[tokio::test]
async fn a_plus_that_a_query_turned_into_a_blank_is_a_plus() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::john();
    let id = api.verified(&person).await;
    // what is typed into an address bar: the plus is not encoded
    let _ = api.send(api.request(Method::POST, &format!("/otp_phone?id={id}&phone=+1234567890"))).await.expect(202);
    assert_eq!(api.mail("otp", "+1234567890").await["channel"], "sms");
}

#[tokio::test]
async fn a_code_for_what_can_be_no_number_is_refused() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let id = api.verified(&Person::john()).await;
    for phone in ["hello", "", "+", "12", "+99912345678", "+1abc567890"] {
        let refused = api.post("/otp_phone", &json!({"id": id, "phone": phone})).await.expect(422).json();
        assert_eq!(
            (&refused["errors"][0]["field"], &refused["errors"][0]["code"]),
            (&json!("phone"), &json!("phone_invalid"))
        );
    }
    let _ = api.post("/otp_phone", &json!({"id": id, "phone": "+1987654321"})).await.expect(202);
}

#[tokio::test]
async fn an_address_with_invisible_characters_is_refused() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    for hidden in ['\u{200b}', '\u{ad}', '\u{2800}', '\u{2060}', '\u{feff}', '\u{180e}', '\u{3164}', '\u{e0020}'] {
        for email in [format!("jo{hidden}hn@example.com"), format!("john@exam{hidden}ple.com")] {
            let refused = api.post("/create", &Person::named(&email).form).await.expect(422).json();
            assert_eq!(refused["errors"][0]["code"], "email_invalid", "{hidden:?}");
        }
    }
}

#[tokio::test]
async fn a_quoted_address_is_the_same_account_as_the_plain_one() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let person = Person::named("\"abc\"@example.com");
    let _ = api.verified(&person).await;
    for email in ["\"abc\"@example.com", "abc@example.com", "ABC@EXAMPLE.com"] {
        let _ = api.login(email, &person.password).await.expect(200);
    }
}
