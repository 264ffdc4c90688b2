//! The groups in which viewers show the operations, in the order of their use.

/// A group of operations.
pub struct Tag {
    pub name: &'static str,
    pub about: &'static str,
    /// The endpoints, by id.
    endpoints: &'static [&'static str],
}

const SYSTEM: &str = "System";

/// All groups, in the order in which they are shown.
pub static TAGS: &[Tag] = &[
    Tag {
        name: "Registration",
        about: "An account begins when its address is verified.",
        endpoints: &["create", "verify_page", "verify", "resend_verification"],
    },
    Tag {
        name: "Login",
        about: "By password and second factor, or by passkey; the token endpoint of OAuth 2.0.",
        endpoints: &[
            "login",
            "token",
            "login_mfa",
            "login_enrolment",
            "login_enrolment_factor",
            "login_passkey_options",
            "login_passkey",
            "step_up",
        ],
    },
    Tag { name: "Profile", about: "The caller's own data.", endpoints: &["profile", "update", "export", "delete"] },
    Tag { name: "Phone", about: "Verification of the phone on record.", endpoints: &["otp_phone", "verify_otp_phone"] },
    Tag {
        name: "Second factor",
        about: "SMS, an authenticator app, backup codes.",
        endpoints: &["mfa", "set_mfa", "begin_totp", "confirm_totp", "remove_totp", "backup_codes"],
    },
    Tag {
        name: "Passkeys",
        about: "Added, listed, renamed, removed.",
        endpoints: &["passkey_options", "add_passkey", "passkeys", "rename_passkey", "remove_passkey"],
    },
    Tag {
        name: "Password",
        about: "Forgotten, reset, changed; and the undo of a change.",
        endpoints: &[
            "forget_password",
            "reset_password_form",
            "reset_password",
            "change_password",
            "undo_page",
            "undo",
        ],
    },
    Tag {
        name: "Sessions",
        about: "Where the caller is logged in, and the remembered devices.",
        endpoints: &["sessions", "end_session", "logout", "logout_all", "devices", "forget_device"],
    },
    Tag {
        name: "Services",
        about: "For resource servers: introspection, revocation, keys and metadata.",
        endpoints: &["introspect", "revoke", "jwks", "authorization_server"],
    },
    Tag {
        name: "Administration",
        about: "For operators: accounts, roles, the audit log, messages that could not be delivered.",
        endpoints: &[
            "admin_search",
            "admin_user",
            "admin_profile",
            "admin_change",
            "admin_roles",
            "admin_end_sessions",
            "admin_require_reset",
            "admin_reset_factors",
            "admin_delete",
            "admin_audit",
            "admin_dead_letters",
            "admin_retry",
            "admin_webhooks",
            "admin_create_webhook",
            "admin_webhook",
            "admin_change_webhook",
            "admin_delete_webhook",
            "admin_rotate_webhook",
            "admin_test_webhook",
            "admin_deliveries",
            "admin_replay",
        ],
    },
    Tag { name: SYSTEM, about: "Health, metrics and documentation.", endpoints: &[] },
    Tag { name: "Development", about: "In development only.", endpoints: &["mailbox"] },
    Tag { name: "Test control", about: "The control plane of the test kit.", endpoints: &[] },
];

/// The group of an endpoint.
#[must_use]
pub fn tag_of(endpoint: &str) -> &'static str {
    if endpoint.starts_with("test_") {
        return "Test control";
    }
    TAGS.iter().find(|tag| tag.endpoints.contains(&endpoint)).map_or(SYSTEM, |tag| tag.name)
}
