//! The `oauth2` crate logs in with the credentials in the header and in the form, refreshes, introspects, revokes, and reads
//! the error of a wrong password.

use std::error::Error;
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthType, ClientId, ClientSecret, IntrospectionUrl, RequestTokenError, ResourceOwnerPassword,
    ResourceOwnerUsername, RevocationUrl, StandardRevocableToken, TokenIntrospectionResponse as _, TokenResponse as _,
    TokenUrl,
};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde_json::Value;

fn setting(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(std::env::var(format!("PORTCULLIS_{name}"))?)
}

fn run(style: AuthType) -> Result<(), Box<dyn Error>> {
    let (url, realm, email) = (setting("URL")?, setting("REALM")?, setting("EMAIL")?);
    let http = Client::builder().redirect(Policy::none()).build()?;
    let metadata: Value = http.get(format!("{url}/.well-known/oauth-authorization-server/{realm}")).send()?.json()?;
    let endpoint = |name: &str| metadata[name].as_str().unwrap_or_default().to_owned();
    let client = BasicClient::new(ClientId::new(setting("CLIENT_ID")?))
        .set_client_secret(ClientSecret::new(setting("CLIENT_SECRET")?))
        .set_auth_type(style)
        .set_token_uri(TokenUrl::new(endpoint("token_endpoint"))?)
        .set_introspection_url(IntrospectionUrl::new(endpoint("introspection_endpoint"))?)
        .set_revocation_url(RevocationUrl::new(endpoint("revocation_endpoint"))?);
    let name = ResourceOwnerUsername::new(email.clone());
    let password = ResourceOwnerPassword::new(setting("PASSWORD")?);
    let pair = client.exchange_password(&name, &password).request(&http)?;
    assert_eq!(pair.expires_in(), Some(Duration::from_secs(1800)));
    let refresh = pair.refresh_token().ok_or("a refresh token")?;
    let newer = client.exchange_refresh_token(refresh).request(&http)?;
    let profile: Value =
        http.get(format!("{url}/{realm}/")).bearer_auth(newer.access_token().secret()).send()?.json()?;
    assert_eq!(profile["email"], email.as_str());
    let told = client.introspect(newer.access_token()).request(&http)?;
    assert!(told.active() && told.sub() == Some(&setting("USER")?), "{told:?}");
    let newest = newer.refresh_token().ok_or("a refresh token")?;
    // the crate revokes over https alone
    let over_http = client.revoke_token(StandardRevocableToken::from(newest.clone()));
    assert!(over_http.is_err());
    match client.exchange_password(&name, &ResourceOwnerPassword::new("wrong".to_owned())).request(&http) {
        Err(RequestTokenError::ServerResponse(error)) => {
            assert_eq!(error.error(), &BasicErrorResponseType::InvalidGrant);
            Ok(())
        }
        other => Err(format!("a wrong password: {other:?}").into()),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(AuthType::BasicAuth)?;
    run(AuthType::RequestBody)?;
    println!("the oauth2 crate logs in");
    Ok(())
}
