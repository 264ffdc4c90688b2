//! `portcullis users show` and `export`: a person's data, for a support call or a request for it.

use portcullis_core::use_cases::operator::personal_data::AccountDetails;
use serde_json::json;

use super::account_call::{Call, factors_text, roles_text, sessions_text};
use super::failure::Failure;
use super::print;
use crate::http::{ProfileResponse, account_json, export_json, rfc3339, session_json};

/// Shows an account with the fields of its owner.
pub async fn show(call: &Call<'_>) -> Result<(), Failure> {
    let operators = call.service.operators_as(call.command.note());
    let details = operators.show_account(call.realm, call.who).await.map_err(|error| call.explain(error))?;
    let sessions: Vec<_> = details.sessions.iter().map(session_json).collect();
    let shown = json!({
        "account": account_json(call.realm, &details.state),
        "profile": ProfileResponse::of(&details.profile),
        "sessions": sessions,
    });
    call.command.show(&shown, || text(&details))
}

/// Prints everything that is stored about a person.
pub async fn export(call: &Call<'_>) -> Result<(), Failure> {
    let operators = call.service.operators_as(call.command.note());
    let export = operators.export_account(call.realm, call.who).await.map_err(|error| call.explain(error))?;
    print(&serde_json::to_string_pretty(&export_json(&export)).map_err(|error| error.to_string())?);
    Ok(())
}

fn text(details: &AccountDetails) -> String {
    let AccountDetails { state, profile, sessions } = details;
    let pending = profile.pending_email.as_ref().map(|email| format!(" (waits for {})", email.as_str()));
    let mut lines = vec![
        format!("id        {}", state.id),
        format!("status    {}", if state.disabled { "disabled" } else { "enabled" }),
        format!("name      {} {}", profile.first_name.as_str(), profile.last_name.as_str()),
        format!("email     {}{}", profile.email.as_str(), pending.unwrap_or_default()),
        format!("phone     {}{}", profile.phone.as_str(), if state.phone_verified { " (verified)" } else { "" }),
        format!("factor    {}", factors_text(state, "none")),
        format!("roles     {}", roles_text(&state.roles, "none")),
        format!("since     {}", rfc3339(state.created_at)),
        format!("sessions  {}", sessions_text(state.sessions)),
    ];
    lines.extend(sessions.iter().map(|session| {
        let (id, used) = (session.id, rfc3339(session.last_used_at));
        format!("          {id}  last used {used}  {}  {}", session.address, session.user_agent)
    }));
    lines.join("\n")
}
