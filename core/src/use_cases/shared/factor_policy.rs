//! The accounts that must have a second factor: those of a realm that requires one, and those with the role `admin`.

use crate::model::user::User;
use crate::service::AuthService;

impl AuthService {
    /// Whether the account must keep its last second factor. The role `admin` needs one in every realm: it is given to
    /// accounts with a factor only, and its owner can't remove the last one before an operator takes the role back.
    #[must_use]
    pub fn needs_factor(&self, user: &User) -> bool {
        self.policy.mfa_required.contains(&user.realm) || user.roles.has_admin()
    }

    /// Whether the account must have a second factor and has none. Then a password opens nothing but the way to the first
    /// factor, and sessions from before the realm required one are not valid.
    pub(crate) fn must_enrol(&self, user: &User) -> bool {
        self.needs_factor(user) && !user.has_second_factor()
    }
}
