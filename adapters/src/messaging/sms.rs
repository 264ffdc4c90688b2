//! Renders the text of an SMS or a voice call from its template.

use portcullis_core::model::locale::Locale;
use portcullis_core::model::message::{Channel, SmsMessage};
use portcullis_core::ports::mailer::SendError;
use serde_json::json;

use crate::messaging::links::LinkBuilder;
use crate::messaging::templates::Renderer;

/// A rendered message.
pub(crate) struct RenderedText {
    /// The name of its template.
    pub template: &'static str,
    /// The text. In a voice call, the template says the code twice.
    pub text: String,
}

/// Renders a message.
///
/// # Errors
/// [`SendError::Later`] if the template can't be rendered.
pub(crate) fn render(
    renderer: &Renderer,
    links: &LinkBuilder,
    locale: &Locale,
    channel: Channel,
    message: &SmsMessage,
) -> Result<RenderedText, SendError> {
    let template = match (message.for_login, channel) {
        (false, Channel::Sms) => "otp",
        (false, Channel::Voice) => "otp_voice",
        (true, Channel::Sms) => "mfa_otp",
        (true, Channel::Voice) => "mfa_otp_voice",
    };
    let values = json!({
        "app_name": links.app_name,
        "domain": links.sms_domain,
        "code": message.code.expose(),
        "expires_in": renderer.duration(locale, message.expires_in),
    });
    let text = renderer.render_text(template, locale, values).map_err(|error| SendError::Later(error.to_string()))?;
    Ok(RenderedText { template, text })
}
