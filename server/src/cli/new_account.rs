//! `portcullis users create` and `invite`: an account that an operator makes. The person's fields come by standard input.

use clap::{ArgMatches, Command};
use portcullis_core::model::registration_form::RegistrationForm;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::operator::{Command as OperatorCommand, dry_run, json as json_flag, realm_argument, reason, stdin};
use super::runtime;

const FORM: &str = "Standard input has the person as JSON: first_name, last_name, email, phone, country_code";

/// The arguments of `create`.
pub fn create() -> Command {
    let about = "Makes an account with a password; the operator vouches for the address";
    with_arguments("create", about)
        .after_help(format!("{FORM} and password. The owner gets the mail of a new account."))
}

/// The arguments of `invite`.
pub fn invite() -> Command {
    let about = "Makes an account without a password, and mails its owner a link to choose one";
    with_arguments("invite", about).after_help(format!("{FORM}."))
}

fn with_arguments(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).args([realm_argument(), reason(), json_flag(), dry_run()])
}

/// The person, as standard input has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    country_code: Option<String>,
    password: Option<String>,
}

/// Makes the account; `invite`: without a password.
pub fn run(matches: &ArgMatches, invite: bool) -> Result<(), Failure> {
    let command = OperatorCommand::read(matches)?;
    let realm = command.realm(matches)?;
    let text = Zeroizing::new(stdin()?);
    let mut person: Person = serde_json::from_str(&text).map_err(|error| {
        // the message of the library may contain a value
        format!("standard input is not the JSON of a person (line {}, column {}). {FORM}", error.line(), error.column())
    })?;
    let password = person.password.take().map(Zeroizing::new);
    match (&password, invite) {
        (Some(_), true) => {
            return Err("password: an invitation has none. Fix: leave it out, or call `users create`".into());
        }
        (None, false) => return Err("password: is missing. Fix: add it, or call `users invite`".into()),
        _ => {}
    }
    let form = RegistrationForm {
        first_name: person.first_name.as_deref(),
        last_name: person.last_name.as_deref(),
        email: person.email.as_deref(),
        phone: person.phone.as_deref(),
        country_code: person.country_code.as_deref(),
        password: password.as_ref().map(|password| password.as_str()),
    };
    runtime()?.block_on(async {
        let service = command.service().await?;
        let operators = service.operators_as(command.note());
        if command.dry_run {
            operators.check_new_account(&realm, &form).await?;
            let shown = json!({"dry_run": true, "realm": realm.as_str(), "invited": invite});
            return command.show(&shown, || format!("an account in {realm} would be made"));
        }
        let id = operators.create_account(&realm, &form).await?;
        let shown = json!({"id": id.to_string(), "realm": realm.as_str(), "invited": invite});
        let text = if invite { "is invited: a mail has the link to choose a password" } else { "is made" };
        command.show(&shown, || format!("{id} in {realm} {text}"))
    })
}
