"""Logs a user in, verifies the access token in both ways, refreshes the tokens and logs out."""

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import jwt

URL, REALM = os.environ["PORTCULLIS_URL"], os.environ["REALM"]

# the addresses of the realm's endpoints (RFC 8414)
with urllib.request.urlopen(f"{URL}/.well-known/oauth-authorization-server/{REALM}") as response:
    METADATA = json.load(response)


def post(endpoint, form, headers=None):
    """Sends a form; an error has the server's code."""
    request = urllib.request.Request(endpoint, urllib.parse.urlencode(form).encode(), headers or {})
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        raise RuntimeError(f"{endpoint}: {error.code} {problem['code']}: {problem['detail']}") from error


def log_in(email, password, address):
    """Logs a user in; `address` is the user's, so that the rate limit counts each user and not this program."""
    form = {"grant_type": "password", "username": email, "password": password}
    return post(METADATA["token_endpoint"], form, {"X-Forwarded-For": address})


KEYS = jwt.PyJWKClient(METADATA["jwks_uri"])


def verify_by_keys(token):
    """Verifies a token with the public keys, which PyJWT caches. A logout counts when the token expires."""
    if jwt.get_unverified_header(token)["typ"] != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    key = KEYS.get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=REALM, issuer=METADATA["issuer"])


def introspect(token):
    """Asks the server about a token. A logout counts at once."""
    credentials = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()
    return post(METADATA["introspection_endpoint"], {"token": token}, {"Authorization": f"Basic {credentials}"})


login = log_in(os.environ["EMAIL"], os.environ["PASSWORD"], "203.0.113.7")
print("keys", verify_by_keys(login["access_token"])["sub"])
print("introspection", introspect(login["access_token"])["sub"])

renewed = post(
    METADATA["token_endpoint"], {"grant_type": "refresh_token", "refresh_token": login["refresh_token"]}
)
print("refreshed", verify_by_keys(renewed["access_token"])["sub"])

post(METADATA["revocation_endpoint"], {"token": renewed["access_token"]})
print("active after logout", json.dumps(introspect(renewed["access_token"])["active"]))
