"""Authlib and requests-oauthlib log in, refresh, introspect and revoke; PyJWT verifies by the published keys."""

import os
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import jwt  # noqa: E402
import requests  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession  # noqa: E402
from oauthlib.oauth2 import LegacyApplicationClient  # noqa: E402
from requests.auth import HTTPBasicAuth  # noqa: E402
from requests_oauthlib import OAuth2Session  # noqa: E402

URL, REALM, USER = (os.environ[f"PORTCULLIS_{name}"] for name in ("URL", "REALM", "USER"))
EMAIL, PASSWORD = os.environ["PORTCULLIS_EMAIL"], os.environ["PORTCULLIS_PASSWORD"]
ID, SECRET = os.environ["PORTCULLIS_CLIENT_ID"], os.environ["PORTCULLIS_CLIENT_SECRET"]
METADATA = requests.get(f"{URL}/.well-known/oauth-authorization-server/{REALM}").json()


@contextmanager
def a_second_behind():
    """The clock of PyJWT is a second behind that of the server, which has just issued the token."""

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(seconds=1)

    with mock.patch("jwt.api_jwt.datetime", Behind):
        yield


def verified(token, client_id):
    """The claims, as a resource server reads them: by key set, algorithm, issuer and audience, without leeway."""
    keys = jwt.PyJWKClient(METADATA["jwks_uri"])
    key = keys.get_signing_key_from_jwt(token)
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
    expected = {"algorithms": ["ES256"], "audience": REALM, "issuer": METADATA["issuer"]}
    claims = jwt.decode(token, key, **expected)
    with a_second_behind():
        jwt.decode(token, key, **expected)
    assert claims["client_id"] == client_id, claims
    return claims


def authlib():
    for method in ("client_secret_basic", "client_secret_post"):
        with AuthlibSession(ID, SECRET, token_endpoint_auth_method=method) as session:
            token = session.fetch_token(METADATA["token_endpoint"], username=EMAIL, password=PASSWORD, grant_type="password")
            assert session.get(f"{URL}/{REALM}/").json()["email"] == EMAIL
            session.refresh_token(METADATA["token_endpoint"], token["refresh_token"])
            claims = verified(session.token["access_token"], ID)
            told = session.introspect_token(METADATA["introspection_endpoint"], token=session.token["access_token"]).json()
            assert told["active"] is True and told["sub"] == claims["sub"] == USER, told
            assert session.revoke_token(METADATA["revocation_endpoint"], token=session.token["refresh_token"]).ok
            assert session.get(f"{URL}/{REALM}/").status_code == 401
    with AuthlibSession("my-app", token_endpoint_auth_method="none") as session:
        token = session.fetch_token(METADATA["token_endpoint"], username=EMAIL, password=PASSWORD, grant_type="password")
        verified(token["access_token"], REALM)
    with AuthlibSession(ID, "wrong") as session:
        try:
            session.fetch_token(METADATA["token_endpoint"], username=EMAIL, password=PASSWORD, grant_type="password")
            raise AssertionError("a wrong secret was accepted")
        except Exception as error:
            assert getattr(error, "error", "") == "invalid_client", error


def requests_oauthlib():
    session = OAuth2Session(client=LegacyApplicationClient(client_id="my-app"))
    token = session.fetch_token(METADATA["token_endpoint"], username=EMAIL, password=PASSWORD)
    verified(token["access_token"], REALM)
    assert session.get(f"{URL}/{REALM}/").json()["id"] == USER
    for how in ({"auth": HTTPBasicAuth(ID, SECRET)}, {"client_secret": SECRET, "include_client_id": True}):
        session = OAuth2Session(client=LegacyApplicationClient(client_id=ID))
        token = session.fetch_token(METADATA["token_endpoint"], username=EMAIL, password=PASSWORD, **how)
        verified(token["access_token"], ID)
        refreshed = session.refresh_token(METADATA["token_endpoint"], client_id=ID, client_secret=SECRET)
        verified(refreshed["access_token"], ID)


authlib()
requests_oauthlib()
print("Authlib, requests-oauthlib and PyJWT: logged in and verified")
