//! The one list of stable error codes: HTTP answers, OpenAPI, problem pages and WASM all speak these.

use std::borrow::Cow;
use std::fmt;

macro_rules! codes {
    (
        answers { $($answer:ident = $answer_text:literal, $answer_title:literal;)* }
        fields { $($field:ident = $field_text:literal, $field_title:literal;)* }
    ) => {
        /// The error code: a word that never changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $answer_title] $answer,)*
            $(#[doc = $field_title] $field,)*
        }

        impl Code {
            /// Every code there is, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$answer,)* $(Self::$field,)*];

            /// The word on the wire, `snake_case`. A page's module has those of fields alone: it checks nothing else.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(#[cfg(not(target_family = "wasm"))] Self::$answer => $answer_text,)*
                    $(Self::$field => $field_text,)*
                    #[cfg(target_family = "wasm")]
                    _ => "",
                }
            }

            /// One short sentence for a person, the same for every occurrence. In a page's module those of fields alone.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(#[cfg(not(target_family = "wasm"))] Self::$answer => $answer_title,)*
                    $(Self::$field => $field_title,)*
                    #[cfg(target_family = "wasm")]
                    _ => "",
                }
            }
        }
    };
}

codes! {
    answers {
        // the request as a whole
        MalformedRequest = "malformed_request", "The request could not be read";
        ValidationFailed = "validation_failed", "Some fields are not acceptable";
        NotFound = "not_found", "There is nothing here";
        MethodNotAllowed = "method_not_allowed", "This path does not know that method";
        UnsupportedMediaType = "unsupported_media_type", "The body is of a type that is not understood";
        PayloadTooLarge = "payload_too_large", "The body is too large";
        HeadersTooLarge = "headers_too_large", "The headers are too large";
        UriTooLong = "uri_too_long", "The URI is too long";
        RequestTimeout = "request_timeout", "The request took too long to arrive";
        RateLimited = "rate_limited", "Too many requests";
        PreconditionFailed = "precondition_failed", "The record has changed meanwhile";
        Unavailable = "unavailable", "The service cannot answer right now";
        Overloaded = "overloaded", "Too much work is waiting";
        Internal = "internal", "Something went wrong here";
        // who is asking
        NotAuthenticated = "not_authenticated", "A valid access token is needed";
        InvalidCredentials = "invalid_credentials", "The e-mail or the password is wrong";
        InvalidClient = "invalid_client", "The client's credentials are wrong";
        EmailNotVerified = "email_not_verified", "The e-mail address is not verified yet";
        MfaRequired = "mfa_required", "A second factor is needed";
        MfaEnrolmentRequired = "mfa_enrolment_required", "The account must add a second factor first";
        WrongPassword = "wrong_password", "The current password is wrong";
        ReauthenticationRequired = "reauthentication_required", "A recent login or the password is needed";
        Forbidden = "forbidden", "This is not yours to see or do";
        PhoneNotVerified = "phone_not_verified", "The phone number is not verified yet";
        TooManyChanges = "too_many_changes", "The account was changed too often within a week";
        MfaInUse = "mfa_in_use", "The phone number is the second factor: switch that off before changing it";
        TotpOn = "totp_on", "An authenticator app is on already: remove it first";
        MfaOff = "mfa_off", "No second factor is on";
        LastFactor = "last_factor", "It is the last second factor of an account that must have one";
        PasskeyKnown = "passkey_known", "The account has this passkey already";
        PasskeyLimit = "passkey_limit", "The account has as many passkeys as it may have";
        InvalidPasskey = "invalid_passkey", "The passkey is not valid here, or its challenge was used or has expired";
        EmailTaken = "email_taken", "The e-mail address already has an account";
        InvalidToken = "invalid_token", "The link or code is not valid, was used, or has expired";
        InvalidGrant = "invalid_grant", "The grant is not valid, was used, or has expired";
        UnsupportedGrantType = "unsupported_grant_type", "This grant type is not supported";
    }
    fields {
        Required = "required", "The field is missing";
        UnknownField = "unknown_field", "The field is not known here";
        WrongType = "wrong_type", "The value is of the wrong type";
        EmailInvalid = "email_invalid", "This is not an e-mail address";
        EmailTooLong = "email_too_long", "The e-mail address is too long";
        NameEmpty = "name_empty", "The name is empty";
        NameTooLong = "name_too_long", "The name is longer than 100 characters";
        NameForbiddenCharacter = "name_forbidden_character", "The name has a control, line-break or text-direction character";
        PhoneInvalid = "phone_invalid", "This is not a phone number in E.164 form";
        PhoneCountryMismatch = "phone_country_mismatch", "The phone number does not belong to that country";
        PhoneCountryNotServed = "phone_country_not_served", "No texts or calls go to numbers of that country";
        CountryUnknown = "country_unknown", "This is neither an ISO 3166-1 alpha-2 code nor a dial code";
        PasswordTooShort = "password_too_short", "The password is too short";
        PasswordTooLong = "password_too_long", "The password is too long";
        PasswordTooWeak = "password_too_weak", "The password is too easy to guess";
        PasswordBreached = "password_breached", "The password is in a list of breached passwords";
        OtpMalformed = "otp_malformed", "The code is six digits";
        ValueInvalid = "value_invalid", "The value is not acceptable";
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing wrong with one field. The message is for a person and never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field's name on the wire, e.g. `email`.
    pub field: Cow<'static, str>,
    /// The stable code.
    pub code: Code,
    /// A sentence for a person; may carry advice.
    pub message: String,
}

impl Violation {
    /// A violation with the code's own title as its message.
    #[must_use]
    pub fn new(field: impl Into<Cow<'static, str>>, code: Code) -> Self {
        Self { field: field.into(), code, message: code.title().to_owned() }
    }

    /// A violation with its own message.
    #[must_use]
    pub fn with_message(field: impl Into<Cow<'static, str>>, code: Code, message: impl Into<String>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }
}
