//! The templates that are part of the binary: name below the templates folder, and source.

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../templates/", $name)))),*]
    };
}

/// Every template there is; an operator's folder can replace these and bring no others.
pub const TEMPLATES: &[(&str, &str)] = templates![
    "emails/already_registered/body.html",
    "emails/already_registered/body.txt",
    "emails/already_registered/subject.txt",
    "emails/email_change_confirm/body.html",
    "emails/email_change_confirm/body.txt",
    "emails/email_change_confirm/subject.txt",
    "emails/email_change_requested/body.html",
    "emails/email_change_requested/body.txt",
    "emails/email_change_requested/subject.txt",
    "emails/email_changed/body.html",
    "emails/email_changed/body.txt",
    "emails/email_changed/subject.txt",
    "emails/layout.html",
    "emails/mail_email_verify/body.html",
    "emails/mail_email_verify/body.txt",
    "emails/mail_email_verify/subject.txt",
    "emails/mail_password_reset/body.html",
    "emails/mail_password_reset/body.txt",
    "emails/mail_password_reset/subject.txt",
    "emails/mfa_changed/body.html",
    "emails/mfa_changed/body.txt",
    "emails/mfa_changed/subject.txt",
    "emails/password_changed/body.html",
    "emails/password_changed/body.txt",
    "emails/password_changed/subject.txt",
    "emails/phone_changed/body.html",
    "emails/phone_changed/body.txt",
    "emails/phone_changed/subject.txt",
    "emails/registration/body.html",
    "emails/registration/body.txt",
    "emails/registration/subject.txt",
    "pages/email_change_button.html",
    "pages/email_verified.html",
    "pages/email_verified_failed.html",
    "pages/layout.html",
    "pages/mailbox.html",
    "pages/problem.html",
    "pages/problems.html",
    "pages/registration_rejected.html",
    "pages/reset.html",
    "pages/reset_failed.html",
    "pages/reset_success.html",
    "pages/verify_button.html",
    "texts/mfa_otp.txt",
    "texts/mfa_otp_voice.txt",
    "texts/otp.txt",
    "texts/otp_voice.txt",
];
