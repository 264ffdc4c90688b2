//! Every template, with its samples and with values that mean harm.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::strength::{Suggestion, Warning};
use serde_json::{Value, json};

use super::{Kind, Renderer, Sample, TemplateError, builtin, samples};

const HOSTILE: &str = "O'Brien <script>alert(\"1\")</script> & {{ 7*7 }}\r\nBcc: victim@example.com";

fn renderer() -> Renderer {
    Renderer::new(None).unwrap()
}

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

/// Every part of a sample in both languages, with the name of the part.
fn render(renderer: &Renderer, sample: &Sample) -> Vec<(&'static str, String)> {
    ["en", "de"].into_iter().flat_map(|tag| render_in(renderer, sample, &locale(tag))).collect()
}

fn render_in(renderer: &Renderer, sample: &Sample, locale: &Locale) -> Vec<(&'static str, String)> {
    let context = sample.context.clone();
    match sample.kind {
        Kind::Email => {
            let email = renderer.render_email(sample.name, locale, context).unwrap();
            vec![("subject", email.subject), ("text", email.text), ("html", email.html)]
        }
        Kind::Text => vec![("text", renderer.render_text(sample.name, locale, context).unwrap())],
        Kind::Page => vec![("html", renderer.render_page(sample.name, locale, context).unwrap())],
    }
}

/// The sample with every text in it replaced, except those a template compares.
fn hostile(value: &mut Value) {
    match value {
        Value::String(text) => HOSTILE.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(hostile),
        Value::Object(members) => members.values_mut().for_each(hostile),
        _ => {}
    }
}

#[test]
fn every_template_is_built_in_and_has_a_sample() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let found = super::folder::read(&root);
    assert_eq!(found.problems, Vec::<String>::new());
    let on_disk: BTreeSet<_> = found.templates.iter().map(|(name, _)| name.as_str()).collect();
    let built_in: BTreeSet<_> = builtin::TEMPLATES.iter().map(|(name, _)| *name).collect();
    assert_eq!(on_disk, built_in);

    let sampled = samples().into_iter().flat_map(|sample| match sample.kind {
        Kind::Email => {
            ["subject.txt", "body.txt", "body.html"].map(|part| format!("emails/{}/{part}", sample.name)).to_vec()
        }
        Kind::Text => vec![format!("texts/{}.txt", sample.name)],
        Kind::Page => vec![format!("pages/{}", sample.name)],
    });
    let mut sampled: BTreeSet<String> = sampled.collect();
    sampled.extend(["emails/layout.html".to_owned(), "pages/layout.html".to_owned()]);
    let english: BTreeSet<_> = built_in.iter().copied().filter(|name| !name.starts_with("de/")).collect();
    assert_eq!(sampled.iter().map(String::as_str).collect::<BTreeSet<_>>(), english);
    // in German too; layouts and the page of an error have their words from the catalogue, the rest is for developers
    let shared = ["emails/layout.html", "pages/layout.html", "pages/error.html"];
    let for_developers = ["pages/mailbox.html", "pages/problem.html", "pages/problems.html", "pages/start.html"];
    for name in english.iter().filter(|name| !shared.contains(name) && !for_developers.contains(name)) {
        assert!(built_in.contains(format!("de/{name}").as_str()), "{name} has no German");
    }
}

#[test]
fn the_german_catalogue_lacks_nothing() {
    let catalogues = renderer().catalogues;
    let (english, german) = (&catalogues["en"], &catalogues["de"]);
    assert_eq!(german.words.keys().collect::<Vec<_>>(), english.words.keys().collect::<Vec<_>>());
    assert_eq!(german.durations.keys().collect::<Vec<_>>(), english.durations.keys().collect::<Vec<_>>());
    let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(german.codes.keys().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    let advice = Warning::ALL.iter().map(|one| one.text()).chain(Suggestion::ALL.iter().map(|one| one.text()));
    for sentence in advice.chain(["This password is too easy to guess."]) {
        assert!(german.sentences.contains_key(sentence), "{sentence}");
    }
}

#[test]
fn messages_follow_the_language_and_codes_stay() {
    let renderer = renderer();
    let german =
        |code, english: &str| renderer.message(&locale("de-CH"), &Violation::with_message("password", code, english));
    assert_eq!(german(Code::EmailInvalid, Code::EmailInvalid.title()), "Das ist keine E-Mail-Adresse");
    assert_eq!(german(Code::PasswordTooShort, "Use at least 12 characters."), "Nehmen Sie mindestens 12 Zeichen.");
    let weak = "This password is too easy to guess. Sequences like abc or 6543 are easy to guess. Avoid sequences.";
    assert_eq!(
        german(Code::PasswordTooWeak, weak),
        "Dieses Passwort ist zu leicht zu erraten. Folgen wie abc oder 6543 sind leicht zu erraten. Vermeiden Sie Folgen."
    );
    let french = renderer.message(&locale("fr"), &Violation::new("email", Code::EmailInvalid));
    assert_eq!(french, Code::EmailInvalid.title());
}

/// A language of an operator's own, from right to left: its files, its catalogue, and English for the rest.
#[test]
fn a_language_of_the_folder_is_written_from_right_to_left() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("he");
    fs::create_dir_all(folder.join("pages")).unwrap();
    let page = "{% extends \"pages/layout.html\" %}{% block content %}<h1>הסיסמה הוחלפה</h1>{% endblock %}";
    fs::write(folder.join("pages/reset_success.html"), page).unwrap();
    let catalogue =
        json!({"words": {"back": "חזרה אל {app_name}"}, "durations": {"day": {"2": "יומיים", "other": "{n} ימים"}}});
    fs::write(folder.join("messages.json"), catalogue.to_string()).unwrap();
    let renderer = Renderer::new(Some(dir.path())).unwrap();
    assert!(renderer.speaks(&locale("he-IL")) && !renderer.speaks(&locale("fr")));
    let page = renderer.render_page("reset_success.html", &locale("he-IL"), json!({"app_name": "Portcullis"})).unwrap();
    let snapshot = include_str!("right_to_left.html");
    assert_eq!(page.trim(), snapshot.trim());
    let days = |days: u64| renderer.duration(&locale("he"), Duration::from_secs(days * 86_400));
    assert_eq!([days(2), days(7)], ["יומיים", "7 ימים"]);
    assert_eq!(renderer.duration(&locale("he"), Duration::from_secs(1800)), "30 minutes");
    let english = renderer.render_page("reset_failed.html", &locale("he"), json!({"app_name": "Portcullis"})).unwrap();
    assert!(english.contains("<html lang=\"en\" dir=\"ltr\">"), "{english}");
}

#[test]
fn a_file_below_a_language_must_be_a_template() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("fr/pages")).unwrap();
    fs::write(dir.path().join("fr/pages/rest.html"), "").unwrap();
    fs::write(dir.path().join("fr/messages.json"), r#"{"word": {}}"#).unwrap();
    let error = Renderer::new(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("fr/pages/rest.html is not the name of a template"), "{error}");
    assert!(error.contains("fr/messages.json is no catalogue: unknown field `word`"), "{error}");
}

#[test]
fn every_sample_renders_to_something() {
    let renderer = renderer();
    for sample in samples() {
        for (part, text) in render(&renderer, &sample) {
            assert!(!text.trim().is_empty(), "{} {part}", sample.name);
            assert!(!text.contains("{{") && !text.contains("{%"), "{} {part}: {text}", sample.name);
            assert_eq!(part == "html", text.contains("<!DOCTYPE html>"), "{} {part}", sample.name);
        }
    }
}

#[test]
fn hostile_values_stay_text() {
    let renderer = renderer();
    for mut sample in samples() {
        hostile(&mut sample.context);
        for (part, text) in render(&renderer, &sample) {
            assert!(!text.contains("49"), "{} {part} evaluates a value: {text}", sample.name);
            match part {
                "html" => {
                    assert!(!text.contains("<script>"), "{} {part}: {text}", sample.name);
                    assert!(!text.contains("alert(\""), "{} {part}: {text}", sample.name);
                    assert!(text.contains("O&#39;Brien &lt;script&gt;"), "{} {part}: {text}", sample.name);
                }
                "subject" => {
                    assert!(!text.contains(char::is_control), "{}: {text:?}", sample.name);
                    assert!(text.contains("O'Brien <script>"), "{}: {text}", sample.name);
                }
                _ => assert!(text.contains("O'Brien <script>"), "{} {part}: {text}", sample.name),
            }
        }
    }
}

#[test]
fn links_are_written_out_in_both_parts() {
    let renderer = renderer();
    for sample in samples().into_iter().filter(|sample| sample.kind == Kind::Email) {
        let Some(link) = sample.context.get("link").and_then(Value::as_str) else { continue };
        let email = renderer.render_email(sample.name, &Locale::default(), sample.context.clone()).unwrap();
        assert!(email.text.lines().any(|line| line == link), "{}: {}", sample.name, email.text);
        assert!(email.html.contains(&format!("href=\"{link}\"")), "{}: {}", sample.name, email.html);
        assert!(email.html.contains(&format!(">{link}<")), "{}: {}", sample.name, email.html);
    }
}

#[test]
fn a_name_that_is_an_address_is_no_link() {
    let context = json!({"app_name": "Portcullis", "first_name": "win.example/prize"});
    let email = renderer().render_email("registration", &Locale::default(), context).unwrap();
    assert!(!email.text.contains("win.example") && !email.html.contains("win.example"), "{email:?}");
}

#[test]
fn pages_keep_to_their_policy() {
    let renderer = renderer();
    for sample in samples().into_iter().filter(|sample| sample.kind == Kind::Page) {
        for (_, html) in render(&renderer, &sample) {
            let script = "<script src=\"/assets/pages.js\" type=\"module\"></script>";
            assert!(html.contains(script) || !html.contains("type=\"password\""), "{}", sample.name);
            let html = html.replace(script, "");
            for forbidden in [" style=", "<style", "<script", "javascript:", " onload=", " onclick=", "http-equiv"] {
                assert!(!html.contains(forbidden), "{} has {forbidden}", sample.name);
            }
        }
    }
}

#[test]
fn a_call_reads_the_digits_twice() {
    let context = json!({"app_name": "Portcullis", "code": "042137", "expires_in": "5 minutes"});
    let text = renderer().render_text("otp_voice", &Locale::default(), context).unwrap();
    assert_eq!(text.matches("0, 4, 2, 1, 3, 7.").count(), 2, "{text}");
}

#[test]
fn a_missing_variable_is_an_error_that_tells_no_value() {
    let context = json!({"app_name": "Secretive", "first_name": "Ada"});
    let error = renderer().render_email("mail_email_verify", &Locale::default(), context).unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(matches!(error, TemplateError::Render { .. }));
    assert!(!told.contains("Secretive") && !told.contains("Ada"), "{told}");
}

#[test]
fn a_folder_replaces_namesakes_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("emails/registration")).unwrap();
    fs::write(dir.path().join("emails/registration/subject.txt"), "Ahoy {{ first_name }}\n").unwrap();
    fs::write(dir.path().join("README.md"), "ours").unwrap();
    let renderer = Renderer::new(Some(dir.path())).unwrap();
    let context = json!({"app_name": "Portcullis", "first_name": HOSTILE});
    let email = renderer.render_email("registration", &Locale::default(), context).unwrap();
    assert!(email.subject.starts_with("Ahoy O'Brien <script>"), "{}", email.subject);
    assert!(email.subject.ends_with("Bcc: victim@example.com"), "{}", email.subject);
    assert!(email.text.contains("Welcome to Portcullis"));
}

#[test]
fn a_folder_is_refused_with_everything_that_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("pages")).unwrap();
    fs::write(dir.path().join("pages/rest.html"), "").unwrap();
    fs::write(dir.path().join("pages/reset.html"), "{% if %}").unwrap();
    let error = Renderer::new(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("pages/rest.html is not the name of a template; did you mean pages/reset.html?"), "{error}");
    assert!(error.contains("syntax error") && error.contains("(in pages/reset.html:1)"), "{error}");
}

#[test]
fn a_folder_is_rendered_before_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("texts")).unwrap();
    fs::write(dir.path().join("texts/otp.txt"), "{{ kode }}").unwrap();
    let error = Renderer::new(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains("texts/otp.txt"), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_refused() {
    let error = Renderer::new(Some(Path::new("/nonexistent/templates"))).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/templates cannot be read"), "{error}");
}
