//! The caller of the admin API: an operator token with the scope, or an account with the role `admin` that has shown a
//! second factor recently.

use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use portcullis_core::model::code::Code;
use portcullis_core::model::credential::Scope;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::use_cases::shared::errors::AuthError;

use crate::http::app::App;
use crate::http::auth::{credentials, read_whole};
use crate::http::problem::Problem;

/// The operator token or the account behind a request to the admin API. It is in the request's extensions.
#[derive(Clone)]
pub struct AdminCaller {
    /// Its name in the audit log.
    pub name: String,
    /// The account, where it is one.
    pub user: Option<UserId>,
    /// Whether it may change accounts with the role `admin`: it must be able to give that role.
    pub changes_admins: bool,
}

impl AdminCaller {
    fn account(user: UserId) -> Self {
        Self { name: format!("account {user}"), user: Some(user), changes_admins: true }
    }
}

/// A refusal of the admin API, and the caller where it is a known one.
pub struct Refused {
    /// The answer.
    pub problem: Problem,
    /// The caller.
    pub caller: Option<AdminCaller>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, caller: None }
    }
}

/// Finds the operator of a request to the admin API of a realm.
///
/// # Errors
/// `not_authenticated` for another token, `forbidden` without the scope (RFC 6750, section 3.1) or the role,
/// `reauthentication_required` (RFC 9470), `unavailable`.
async fn find_operator(app: &App, realm: &Realm, headers: &HeaderMap, scope: Scope) -> Result<AdminCaller, Refused> {
    let refuse = |error: &str| {
        Problem::new(StatusCode::UNAUTHORIZED, Code::NotAuthenticated)
            .detail(
                "a valid operator token of the realm is needed, or an access token of an account with the role admin",
            )
            .challenge(&format!("Bearer realm=\"{realm}\"{error}"))
    };
    let token = credentials(headers, "bearer").ok_or_else(|| refuse(""))?;
    let invalid = || refuse(", error=\"invalid_token\"");
    let Some(found) = app.service.find_operator_token(token).await.map_err(Problem::from)? else {
        return find_admin(app, realm, token, invalid).await;
    };
    let changes_admins = found.scopes.contains(Scope::RolesWrite);
    let caller = AdminCaller { name: format!("operator token {}", found.name), user: None, changes_admins };
    if found.realm != *realm {
        let name = format!("{} of {}", caller.name, found.realm);
        return Err(Refused { problem: invalid(), caller: Some(AdminCaller { name, ..caller }) });
    }
    if found.scopes.contains(scope) {
        return Ok(caller);
    }
    let scope = scope.as_str();
    let problem = Problem::new(StatusCode::FORBIDDEN, Code::Forbidden)
        .detail(format!("the operator token lacks the scope {scope}"))
        .challenge(&format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{scope}\""));
    Err(Refused { problem, caller: Some(caller) })
}

/// Finds the account with the role `admin` of an access token.
async fn find_admin(
    app: &App,
    realm: &Realm,
    token: &str,
    invalid: impl Fn() -> Problem,
) -> Result<AdminCaller, Refused> {
    let sessions = app.service.sessions();
    let caller = match sessions.authenticate(realm, token).await {
        Ok(caller) => caller,
        Err(AuthError::NotAuthenticated) => return Err(invalid().into()),
        Err(error) => return Err(Problem::from(error).into()),
    };
    let account = AdminCaller::account(caller.user.id);
    let problem = match sessions.check_admin(&caller) {
        Ok(true) => return Ok(account),
        Ok(false) => Problem::new(StatusCode::FORBIDDEN, Code::Forbidden).detail("the account lacks the role admin"),
        Err(error) => Problem::from(error).challenge(&format!(
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"aal2\", max_age={}",
            app.service.policy.fresh_login.as_secs()
        )),
    };
    Err(Refused { problem, caller: Some(account) })
}

/// Finds the operator of a request as [`find_operator`] does, and again once its body is there: a right that ends while a
/// slow body arrives has ended. The request is given back.
///
/// # Errors
/// When the body can't be read. The refusal of the operator is in the answer.
pub async fn identify_operator(
    app: &App,
    realm: &Realm,
    request: Request,
    scope: Scope,
) -> Result<(Request, Result<AdminCaller, Refused>), Problem> {
    let found = find_operator(app, realm, request.headers(), scope).await;
    if found.is_err() || request.body().is_end_stream() {
        return Ok((request, found));
    }
    let (request, _) = read_whole(request).await?;
    let found = find_operator(app, realm, request.headers(), scope).await;
    Ok((request, found))
}
