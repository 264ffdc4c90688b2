//! `portcullis users roles`: shows and changes the roles of an account.

use clap::{Arg, ArgAction, ArgMatches, Command};
use portcullis_core::model::role::{RoleName, Roles};
use portcullis_core::use_cases::operator::roles::RolesEdit;
use portcullis_core::use_cases::shared::errors::AuthError;
use serde_json::json;

use super::account_call::{Call, roles_text};
use super::failure::Failure;
use super::operator::{account, dry_run, json as json_flag, realm_argument, reason};

/// Its arguments.
pub fn command() -> Command {
    let names = |name: &'static str, about: &'static str| {
        let names = Arg::new(name).long(name).value_name("ROLE").action(ArgAction::Append);
        names.value_parser(parse_role).help(about)
    };
    Command::new("roles")
        .about("Shows the roles of an account, gives it some and takes others back")
        .after_help(
            "A change has effect with the next request. Sessions stay; an access token shows the roles of its issue until \
             it is refreshed.",
        )
        .args([account(), realm_argument()])
        .arg(names("add", "Gives this role; may be repeated"))
        .arg(names("remove", "Takes this role back; may be repeated"))
        .args([reason(), dry_run(), json_flag()])
}

fn parse_role(text: &str) -> Result<RoleName, String> {
    RoleName::parse(text).ok_or_else(|| {
        "a role has 1 to 32 letters, digits, dots, colons, dashes and underscores, a letter or digit in front"
            .to_owned()
    })
}

/// Shows the roles, or changes them.
pub async fn run(call: &Call<'_>, matches: &ArgMatches) -> Result<(), Failure> {
    let names = |name: &str| matches.get_many::<RoleName>(name).into_iter().flatten().cloned().collect::<Vec<_>>();
    let (add, remove) = (names("add"), names("remove"));
    let edit = RolesEdit::Change { add: &add, remove: &remove };
    let operators = call.service.operators_as(call.command.note());
    let failed = |error| match error {
        AuthError::MfaOff => Failure::Failed(
            "the role admin needs a second factor, and this account has none. Fix: its owner switches one on first"
                .to_owned(),
        ),
        error => call.explain(error),
    };
    let only_shows = add.is_empty() && remove.is_empty();
    let (user, roles) = if only_shows || call.command.dry_run {
        let state = operators.find_account(call.realm, call.who).await.map_err(failed)?;
        (state.id, edit.apply(&state.roles).map_err(failed)?)
    } else {
        let done = operators.change_roles(call.realm, call.who, edit).await.map_err(failed)?;
        (done.user, done.roles)
    };
    let shown = json!({
        "id": user.to_string(),
        "realm": call.realm.as_str(),
        "roles": roles.names(),
        "dry_run": call.command.dry_run,
    });
    call.command.show(&shown, || said(call, &roles, user))
}

fn said(call: &Call<'_>, roles: &Roles, user: impl std::fmt::Display) -> String {
    let has = if call.command.dry_run { "would have" } else { "has" };
    format!("{user} in {} {has} {}", call.realm, roles_text(roles, "no role"))
}
