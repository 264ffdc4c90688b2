//! Core's verdicts, in the form that the npm package gives them.

use portcullis_core::model::code::Violation;
use portcullis_core::model::country::CountryCode;
use portcullis_core::model::name::PersonName;
use portcullis_core::model::password::{Password, PasswordRules};
use portcullis_core::model::phone::{Phone, PhoneValidation};
use portcullis_core::model::registration_form::{
    FormRules, RegistrationForm, parse_country_code, parse_phone, parse_recipient, parse_unmeasured_password,
};
use portcullis_core::model::strength::{StrengthContext, estimate};
use serde_json::{Value, json};

/// The verdict on a case.
pub fn verdict(case: &Value) -> Value {
    let text = |at: usize| case[at].as_str();
    let required = |at: usize| text(at).unwrap();
    match required(0) {
        "email" => outcome(
            parse_recipient(required(1), case[2].as_bool() == Some(true))
                .map(|email| json!({"shown": email.as_str(), "canonical": email.canonical()})),
            false,
        ),
        "phone" => outcome(phone(required(1), text(2)), false),
        "name" => {
            let parsed = PersonName::parse(required(1)).map_err(|error| vec![Violation::new("name", error.code())]);
            outcome(parsed.map(|name| json!(name.as_str())), false)
        }
        "country_code" => outcome(parse_country_code(required(1)).map(|code| json!(code.to_string())), false),
        "policy" => {
            let parsed = parse_unmeasured_password(required(1), &PasswordRules::nist_mfa());
            outcome(parsed.map(|password| json!(password.expose())), false)
        }
        "registration" => outcome(registration([1, 2, 3, 4, 5, 6].map(text), year(&case[7])), true),
        "strength" => strength(case),
        other => panic!("no verdict on {other}"),
    }
}

fn outcome(parsed: Result<Value, Vec<Violation>>, in_form: bool) -> Value {
    let issue = |violation: Violation| {
        let path = if in_form { vec![violation.field] } else { Vec::new() };
        json!({"code": violation.code.as_str(), "message": violation.message, "path": path})
    };
    match parsed {
        Ok(value) => json!({"ok": true, "value": value}),
        Err(violations) => json!({"ok": false, "issues": violations.into_iter().map(issue).collect::<Vec<_>>()}),
    }
}

fn phone(number: &str, country: Option<&str>) -> Result<Value, Vec<Violation>> {
    let parsed = match country {
        Some(country) if !country.is_empty() => {
            let code: CountryCode = parse_country_code(country)?;
            parse_phone(number, &code, PhoneValidation::E164)?
        }
        _ => Phone::parse_international(number, PhoneValidation::E164)
            .map_err(|error| vec![Violation::new("phone", error.code())])?,
    };
    Ok(json!({"e164": parsed.as_str(), "country": parsed.country().as_str()}))
}

fn registration(
    [first_name, last_name, email, phone, country_code, password]: [Option<&str>; 6],
    current_year: i32,
) -> Result<Value, Vec<Violation>> {
    let (passwords, phones) = (&PasswordRules::nist_mfa(), PhoneValidation::E164);
    let rules = FormRules { passwords, smtputf8: false, phones, app_name: "Portcullis", current_year };
    let form = RegistrationForm { first_name, last_name, email, phone, country_code, password };
    let value = |form: RegistrationForm<'_>| {
        form.parse(&rules).map(|parsed| {
            [
                parsed.first_name.as_str(),
                parsed.last_name.as_str(),
                parsed.email.as_str(),
                parsed.phone.as_str(),
                &parsed.country_code.to_string(),
                parsed.password.expose(),
            ]
            .map(str::to_owned)
        })
    };
    let parsed = value(form)?;
    // the value is a request body: the server takes it, as the same value
    let [first_name, last_name, email, phone, country_code, password] =
        parsed.each_ref().map(|text| Some(text.as_str()));
    let body = RegistrationForm { first_name, last_name, email, phone, country_code, password };
    assert_eq!(value(body), Ok(parsed.clone()), "{parsed:?}");
    Ok(json!({
        "first_name": first_name,
        "last_name": last_name,
        "email": email,
        "phone": phone,
        "country_code": country_code,
        "password": password,
    }))
}

fn year(value: &Value) -> i32 {
    i32::try_from(value.as_i64().unwrap()).unwrap()
}

fn strength(case: &Value) -> Value {
    let names: Vec<&str> = case[2].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let context = StrengthContext::new(&names, case[3].as_str(), case[4].as_str().unwrap(), year(&case[5]));
    let Some(password) = Password::from_login_input(case[1].as_str().unwrap()) else { return Value::Null };
    let found = estimate(password.expose(), &context);
    let advice = |code: &str, text: &str| json!({"code": code, "text": text});
    let suggestions: Vec<Value> = found.suggestions.iter().map(|one| advice(one.code(), one.text())).collect();
    json!({
        "score": found.score,
        "guessesLog10": found.guesses_log10,
        "warning": found.warning.map(|warning| advice(warning.code(), warning.text())),
        "suggestions": suggestions,
    })
}
