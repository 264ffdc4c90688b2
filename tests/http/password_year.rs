//! The server judges the dates in a password by the year of its clock.

use std::time::Duration;

use portcullis_core::model::time::Timestamp;
use portcullis_tests::testkit::RunningTestkit;
use portcullis_tests::{Api, Person};
use serde_json::json;

async fn current_year(api: &Api) -> i32 {
    let seconds = api.get("//__test__/clock").await.expect(200).json()["seconds"].as_i64().unwrap();
    Timestamp::from_millis(seconds * 1000).year()
}

#[tokio::test]
async fn a_date_in_a_password_is_judged_by_the_year_of_the_clock() {
    let kit = RunningTestkit::start(&[]).await;
    let api = Api::new(kit.address, "User1");
    let year = current_year(&api).await;
    // a date needs 35 years between itself and the current year for score 3; the clock of the test kit stands at 2050,
    // and later years are no dates to the estimate
    let (old, new) = (format!("kqz13.12.{}", year - 34), format!("kqz31.12.{year}"));
    let (mut ada, mut bob) = (Person::named("ada@example.test"), Person::named("bob@example.test"));
    ada.form["password"] = json!(old);
    bob.form["password"] = json!(new);
    for person in [&ada, &bob] {
        let refused = api.post("/create", &person.form).await.expect(422).json();
        assert_eq!(refused["errors"][0]["code"], "password_too_weak", "{refused}");
    }
    let a_year = Duration::from_hours(24 * 366).as_secs();
    let _ = api.post("//__test__/clock/advance", &json!({"seconds": a_year})).await.expect(200);
    let _ = api.post("/create", &ada.form).await.expect(201);
    let _ = api.post("/create", &bob.form).await.expect(422);
    let _ = api.post("//__test__/clock/advance", &json!({"seconds": 35 * a_year})).await.expect(200);
    let _ = api.post("/create", &bob.form).await.expect(201);
}
