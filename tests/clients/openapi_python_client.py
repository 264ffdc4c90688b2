"""openapi-python-client: the generated package has every operation, and logs in. Its folder is the first argument."""

import inspect
import os
import pkgutil
import sys
from http import HTTPStatus
from importlib import import_module

sys.path.insert(0, sys.argv[1])
operations = int(sys.argv[2])

import portcullis_client.api  # noqa: E402
from portcullis_client import AuthenticatedClient, Client  # noqa: E402
from portcullis_client.api.login import login  # noqa: E402
from portcullis_client.api.profile import profile  # noqa: E402
from portcullis_client.api.registration import verify  # noqa: E402
from portcullis_client.models import Login, Realm, VerificationType0  # noqa: E402

modules = [name for _, name, package in pkgutil.walk_packages(portcullis_client.api.__path__, "portcullis_client.api.") if not package]
assert len(modules) == operations, f"{len(modules)} of {operations} operations were generated"
for name in modules:
    assert inspect.isfunction(import_module(name).sync_detailed), name

url, realm = os.environ["PORTCULLIS_URL"], Realm.USER1
email, password = os.environ["PORTCULLIS_EMAIL"], os.environ["PORTCULLIS_PASSWORD"]
client = Client(base_url=url)
refused = login.sync_detailed(realm, client=client, body=Login(username=email, password="wrong"))
assert (refused.status_code, refused.parsed.code) == (HTTPStatus.UNAUTHORIZED, "invalid_credentials"), refused
pair = login.sync(realm, client=client, body=Login(username=email, password=password))
shown = profile.sync(realm, client=AuthenticatedClient(base_url=url, token=pair.access_token))
assert shown.email == email and shown.is_email_verified is True, shown
answer = verify.sync_detailed(realm, client=client, body=VerificationType0(token="x" * 43, reject=True))
assert answer.status_code == HTTPStatus.BAD_REQUEST, answer
print("openapi-python-client: logged in")
