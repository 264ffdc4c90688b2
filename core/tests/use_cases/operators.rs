//! Operators' commands: each is one commit with its notice and its audit event, and is recorded with its reason.

use std::time::Duration;

use super::crash_points::{at_every_step, queued, recorded, user};
use super::{EMAIL, OTHER, PASSWORD, PHONE, Play};
use portcullis_core::model::audit::AuditQuery;
use portcullis_core::model::credential::{Scope, Scopes};
use portcullis_core::model::event::EventKind;
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::use_cases::operator::credentials::Issued;
use portcullis_core::use_cases::operator::dead_letters::requeue;
use portcullis_core::use_cases::operator::roles::RolesEdit;
use portcullis_core::use_cases::recovery::undo::UndoProof;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::tokens::TokenPair;
use portcullis_testkit::fakes::outbox::Refusal;
use portcullis_testkit::faults::{Script, When};
use portcullis_testkit::race::block_on;
use portcullis_testkit::samples;

const NEW: &str = "new@example.org";

fn note() -> OperatorNote {
    OperatorNote { operator: "command line".to_owned(), reason: Reason::parse("ticket 4711") }
}

/// The notes of the events of a kind.
fn notes(play: &Play, kind: EventKind) -> Vec<Option<OperatorNote>> {
    let events = play.world.audit.all().into_iter();
    events.filter(|event| event.kind == kind).map(|event| event.operator).collect()
}

fn reset(play: &Play, template: &str) -> Result<(), AuthError> {
    let link = play.link(template);
    block_on(play.service.passwords().reset_password(&play.realm, &link, OTHER, &play.client))
}

#[test]
fn ending_sessions_ends_links_too_and_tells_the_owner() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
        play.deliver();
        (play, pair)
    };
    let note = note();
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.operators_as(&note).end_sessions(&play.realm, EMAIL)).is_ok()
    };
    at_every_step(prepare, story, |play, pair, acknowledged| {
        let ended = play.caller(pair).is_err();
        assert!(ended || !acknowledged);
        assert_eq!((recorded(play, EventKind::SessionsEnded), queued(play, "operator_acted")), (ended, ended));
        assert_eq!(reset(play, "mail_password_reset").is_err(), ended);
        assert!(play.log_in(EMAIL, if ended { PASSWORD } else { OTHER }).is_ok());
    });
}

#[test]
fn a_required_reset_makes_the_password_void_until_its_link_is_used() {
    let note = note();
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.operators_as(&note).require_reset(&play.realm, EMAIL)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let required = play.caller(pair).is_err();
        assert!(required || !acknowledged);
        assert_eq!((recorded(play, EventKind::ResetRequired), queued(play, "reset_required")), (required, required));
        assert_eq!(play.log_in(EMAIL, PASSWORD).is_err(), required);
        if required {
            play.deliver();
            reset(play, "reset_required").unwrap();
            assert!(play.log_in(EMAIL, OTHER).is_ok() && play.log_in(EMAIL, PASSWORD).is_err());
        }
    });
}

#[test]
fn an_account_that_an_operator_disabled_stays_disabled() {
    let play = Play::new();
    let pair = play.user();
    let caller = play.caller(&pair).unwrap();
    block_on(play.service.passwords().change_password(&caller, PASSWORD, OTHER, &play.client)).unwrap();
    block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
    play.deliver();
    let undo = play.link("password_changed");
    let note = note();
    block_on(play.service.operators_as(&note).disable(&play.realm, EMAIL)).unwrap();
    assert!(matches!(reset(&play, "mail_password_reset"), Err(AuthError::InvalidToken)));
    block_on(play.service.operators_as(&note).require_reset(&play.realm, EMAIL)).unwrap();
    block_on(play.service.operators_as(&note).end_sessions(&play.realm, EMAIL)).unwrap();
    play.deliver();
    assert!(play.world.mailer.link_token("reset_required").is_none(), "a disabled account gets no link");
    block_on(play.service.recovery().undo(&play.realm, &undo, UndoProof::Password(PASSWORD), &play.client)).unwrap();
    assert!(play.world.users.all()[0].disabled);
    assert!(play.log_in(EMAIL, PASSWORD).is_err() && play.log_in(EMAIL, OTHER).is_err());
}

#[test]
fn a_new_account_can_log_in_at_once_and_an_invited_one_by_its_link() {
    let invited = RegistrationForm { password: None, ..Play::form(NEW) };
    for (form, job, template) in [(Play::form(NEW), "welcome", "registration"), (invited, "invitation", "invitation")] {
        let note = note();
        let story = |play: &Play, _: &TokenPair| {
            block_on(play.service.operators_as(&note).create_account(&play.realm, &form)).is_ok()
        };
        at_every_step(user, story, |play, _, acknowledged| {
            let made = play.world.users.all().len() == 2;
            assert!(made || !acknowledged);
            assert_eq!((recorded(play, EventKind::AccountCreated), queued(play, job)), (made, made));
            if made {
                play.deliver();
                assert!(play.world.mailer.templates().contains(&template));
                if form.password.is_none() {
                    assert!(play.log_in(NEW, PASSWORD).is_err());
                    reset(play, "invitation").unwrap();
                    assert!(play.log_in(NEW, OTHER).is_ok());
                } else {
                    assert!(play.log_in(NEW, PASSWORD).is_ok());
                }
            }
        });
    }
}

#[test]
fn a_taken_address_and_a_bad_form_make_no_account() {
    let play = Play::new();
    let _ = play.user();
    let operators = play.service.operators();
    let taken = block_on(operators.create_account(&play.realm, &Play::form(EMAIL)));
    assert!(matches!(taken, Err(AuthError::EmailTaken)));
    assert!(matches!(
        block_on(operators.check_new_account(&play.realm, &Play::form(EMAIL))),
        Err(AuthError::EmailTaken)
    ));
    let bad = RegistrationForm { phone: None, first_name: None, ..Play::form(NEW) };
    for refused in [
        block_on(operators.create_account(&play.realm, &bad)).map(|_| ()),
        block_on(operators.check_new_account(&play.realm, &bad)),
    ] {
        let Err(AuthError::Invalid(violations)) = refused else { panic!("{refused:?}") };
        assert_eq!(violations.iter().map(|one| &*one.field).collect::<Vec<_>>(), ["first_name", "phone"]);
    }
    block_on(operators.check_new_account(&play.realm, &Play::form(NEW))).unwrap();
    assert_eq!(play.world.users.all().len(), 1);
}

#[test]
fn deleting_by_an_operator_removes_everything_and_tells_the_owner() {
    let note = note();
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.operators_as(&note).delete_account(&play.realm, EMAIL)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let deleted = play.world.users.all().is_empty();
        assert!(deleted || !acknowledged);
        assert_eq!((recorded(play, EventKind::AccountDeleted), queued(play, "account_deleted")), (deleted, deleted));
        assert_eq!(play.caller(pair).is_err(), deleted);
    });
}

#[test]
fn nothing_of_a_person_is_read_without_an_event() {
    let play = Play::new();
    let pair = play.user();
    let note = note();
    let operators = play.service.operators_as(&note);
    let details = block_on(operators.show_account(&play.realm, &pair.user.to_string())).unwrap();
    assert_eq!((details.profile.email.as_str(), details.sessions.len(), details.state.sessions), (EMAIL, 1, 1));
    assert_eq!(notes(&play, EventKind::AccountRead), [Some(note.clone())]);
    let export = block_on(operators.export_account(&play.realm, EMAIL)).unwrap();
    assert!(export.events.iter().any(|event| event.kind == EventKind::AccountRead));
    assert_eq!(notes(&play, EventKind::DataExported), [Some(note.clone())]);
    assert!(queued(&play, "operator_acted"), "the owner is told of the export");
    // where the event cannot be stored, nothing is read
    for when in [When::Before, When::After] {
        play.world.faults.play(Script::next().port("database").method("commit").breaks(when));
        assert!(block_on(operators.show_account(&play.realm, EMAIL)).is_err());
    }
    let found = block_on(operators.find_account(&play.realm, EMAIL)).unwrap();
    assert_eq!(found.id, pair.user);
    assert_eq!(notes(&play, EventKind::AccountRead).len(), 2, "a search reads no field and records nothing");
}

#[test]
fn a_number_finds_all_accounts_of_its_realm() {
    let play = Play::new();
    let (one, two) = (play.user(), play.user_at(NEW));
    let operators = play.service.operators();
    let found = |realm: &str, phone: &str| {
        let found = block_on(operators.find_accounts_by_phone(&samples::realm(realm), phone, &|_| {}));
        found.map(|found| found.iter().map(|state| state.id).collect::<Vec<_>>())
    };
    let mut both = vec![one.user, two.user];
    both.sort_unstable();
    assert_eq!(found("User1", PHONE).unwrap(), both);
    assert_eq!(found("User1", "+1 (234) 567-890").unwrap(), both);
    assert_eq!(found("User1", "+12025550100").unwrap(), []);
    assert_eq!(found("User2", PHONE).unwrap(), []);
    assert!(matches!(found("User1", "no number"), Err(AuthError::NotFound)));
}

#[test]
fn the_log_lists_what_an_operator_did() {
    let play = Play::new();
    let pair = play.user();
    let note = note();
    block_on(play.service.operators_as(&note).disable(&play.realm, EMAIL)).unwrap();
    let query = AuditQuery { user: Some(pair.user), ..AuditQuery::of_realm(play.realm.clone()) };
    let newest = block_on(play.service.ports.audit.list(&query, None, 1)).unwrap();
    assert_eq!(newest[0].event.kind, EventKind::AccountDisabled);
    assert_eq!(newest[0].event.operator, Some(note));
}

#[test]
fn a_credential_is_one_commit_with_its_event() {
    let note = note();
    let realm = samples::realm("User1");
    let story = |play: &Play, _: &TokenPair| {
        block_on(play.service.operators_as(&note).create_client(&realm, "billing")).is_ok_and(|made| made.is_some())
    };
    at_every_step(user, story, |play, _, acknowledged| {
        let made = !play.world.credentials.all().is_empty();
        assert!(made || !acknowledged);
        assert_eq!(recorded(play, EventKind::ClientCreated), made);
    });
    let rotate = |play: &Play, _: &TokenPair| {
        block_on(play.service.operators_as(&note).rotate_client(&realm, "billing")).is_ok()
    };
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.operators().create_client(&realm, "billing")).unwrap().unwrap();
        (play, pair)
    };
    let before = prepare().0.world.credentials.all();
    at_every_step(prepare, rotate, |play, _, acknowledged| {
        let rotated = play.world.credentials.all() != before;
        assert!(rotated || !acknowledged);
        assert_eq!(recorded(play, EventKind::ClientRotated), rotated);
    });
}

#[test]
fn a_change_of_roles_is_one_commit_with_its_event_and_leaves_sessions() {
    let note = note();
    let given = samples::roles(&["auditor", "billing:read"]);
    let story = |play: &Play, _: &TokenPair| {
        let edit = RolesEdit::Set(&given);
        block_on(play.service.operators_as(&note).change_roles(&play.realm, EMAIL, edit)).is_ok()
    };
    at_every_step(user, story, |play, pair, acknowledged| {
        let caller = play.caller(pair).unwrap();
        let changed = caller.user.roles == given;
        assert!(changed || !acknowledged);
        assert_eq!(recorded(play, EventKind::RolesChanged), changed);
        assert!(caller.claims.roles.is_empty(), "the token is older");
    });
}

#[test]
fn a_change_for_another_version_of_the_account_is_refused() {
    let play = Play::new();
    play.user();
    let version = || play.world.users.all()[0].version;
    let seen = version();
    let at = |expected| play.service.operators().if_version(Some(expected));
    let none = RolesEdit::Change { add: &[], remove: &[] };
    assert!(block_on(at(seen).change_roles(&play.realm, EMAIL, none)).is_ok());
    let now = version();
    assert!(now > seen);
    let refused = |error| assert!(matches!(error, AuthError::PreconditionFailed), "{error}");
    refused(block_on(at(seen).change_roles(&play.realm, EMAIL, none)).unwrap_err());
    refused(block_on(at(seen).disable(&play.realm, EMAIL)).unwrap_err());
    refused(block_on(at(seen).enable(&play.realm, EMAIL)).unwrap_err());
    assert_eq!(version(), now);
    assert!(block_on(at(now).disable(&play.realm, EMAIL)).unwrap().changed);
    assert!(block_on(at(version()).enable(&play.realm, EMAIL)).unwrap().changed);
}

#[test]
fn of_many_secrets_only_the_newest_is_good_and_an_expired_token_is_purged() {
    let play = Play::new();
    let operators = play.service.operators();
    let issue = |issued: &Issued| issued.secret.expose().to_owned();
    let first = issue(&block_on(operators.create_client(&play.realm, "billing")).unwrap().unwrap());
    assert!(block_on(operators.create_client(&play.realm, "billing")).unwrap().is_none());
    let second = issue(&block_on(operators.rotate_client(&play.realm, "billing")).unwrap());
    let good = |realm: &str, secret: &str| {
        block_on(play.service.verify_client(&samples::realm(realm), "billing", secret)).unwrap()
    };
    assert_eq!([good("User1", &first), good("User1", &second), good("User2", &second)], [false, true, false]);
    let scopes = Scopes::of(&[Scope::Observe]);
    let token = block_on(operators.create_operator_token(&play.realm, scopes, Duration::from_secs(60))).unwrap();
    let may = |scope| block_on(play.service.verify_operator_token(token.secret.expose(), scope)).unwrap().is_some();
    assert_eq!([may(Scope::Observe), may(Scope::Introspect)], [true, false]);
    play.world.clock.advance(Duration::from_secs(60));
    assert!(!may(Scope::Observe));
    assert_eq!(block_on(operators.run_housekeeping()).unwrap().credentials, 1);
    assert!(good("User1", &second), "a client has no end");
}

#[test]
fn a_dead_letter_is_queued_again_exactly_if_that_is_recorded() {
    let prepare = || {
        let (play, pair) = user();
        block_on(play.service.passwords().request_reset(&play.realm, EMAIL, &play.client)).unwrap();
        play.world.mailer.refuse_next(1, Refusal::Never);
        play.deliver();
        (play, pair)
    };
    let note = note();
    let story = |play: &Play, _: &TokenPair| {
        let jobs = &play.service.ports.jobs;
        let Ok(letters) = block_on(jobs.list_dead_letters(Some(play.realm.clone()), 10)) else { return false };
        let now = play.service.ports.clock.now();
        block_on(requeue(&letters[0], &*play.service.ports.database, &note, now)).is_ok_and(|queued| queued)
    };
    at_every_step(prepare, story, |play, _, acknowledged| {
        let is_queued = queued(play, "reset_password");
        assert!(is_queued || !acknowledged);
        assert_eq!(recorded(play, EventKind::MessageRequeued), is_queued);
        let left = block_on(play.service.ports.jobs.list_dead_letters(None, 10)).unwrap();
        assert_eq!(left.is_empty(), is_queued);
    });
}
