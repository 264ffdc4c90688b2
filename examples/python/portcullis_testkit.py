"""Drives `portcullis testkit` from tests: users, mail, time, faults. The standard library only."""

import atexit
import itertools
import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

FIX = (
    "Fix: build the test kit in Portcullis' repository by `cargo xtask testkit build`, and set PORTCULLIS_BIN to its "
    "target/release/portcullis-testkit."
)

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(time):
    """`90`, `"90s"`, `"31m"`, `"24h"` or `"30d"` in seconds."""
    if isinstance(time, int):
        return time
    parsed = re.fullmatch(r"(\d+)([smhd])", time)
    if not parsed:
        raise ValueError(f"{time}: not a time; write 90, '90s', '31m', '24h' or '30d'")
    return int(parsed[1]) * UNITS[parsed[2]]


@dataclass(frozen=True)
class Answer:
    """A status and what came with it."""

    status: int
    body: object

    def expect(self, status):
        """Itself, if that is its status."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body}"
        return self


class Session:
    """Someone who is logged in."""

    def __init__(self, kit, realm, pair):
        self.kit, self.realm = kit, realm
        self._take(pair)

    def _take(self, pair):
        self.access_token, self.refresh_token = pair["access_token"], pair["refresh_token"]
        self.device_token = pair.get("device_token")

    def request(self, method, path, body=None):
        """A request as this user."""
        return self.kit.request(method, path, body, realm=self.realm, token=self.access_token)

    def refresh(self):
        """Exchanges the refresh token; the session goes on with the new ones."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        self._take(self.kit.request("POST", "/token", form=form, realm=self.realm).expect(200).body)
        return self


class Testkit:
    """A server in memory, on a clock that a test moves."""

    __test__ = False  # a name that pytest would collect

    def __init__(self, line, process=None):
        self.url, self.realms, self._process = line["url"], line.get("realms", ["User1", "User2"]), process
        self._serial = itertools.count(1)

    @classmethod
    def start(cls, binary=None, *flags):
        """Starts the binary and waits for its line."""
        binary = binary or os.environ.get("PORTCULLIS_BIN", "portcullis")
        command = [binary, "testkit", "--port", "0", *flags]
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        except OSError as error:
            raise RuntimeError(f"{binary} can't be started: {error}. {FIX}") from error
        line = process.stdout.readline()
        if not line:
            # 2: a default build of the server does not know the command
            code = process.wait()
            raise RuntimeError(f"{binary} ended with exit code {code}; its message is above." + (f" {FIX}" if code == 2 else ""))
        kit = cls(json.loads(line), process)
        atexit.register(kit.stop)
        return kit

    def stop(self):
        """Ends the server that `start` began."""
        process, self._process = self._process, None
        if process:
            atexit.unregister(self.stop)
            process.terminate()
            process.wait()
            process.stdout.close()

    def _send(self, method, url, body=None, form=None, token=None):
        headers, data = {"accept": "application/json"}, None
        if token:
            headers["authorization"] = f"Bearer {token}"
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
        elif body is not None:
            headers["content-type"], data = "application/json", json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return Answer(status, json.loads(text) if text else None)

    def request(self, method, path, body=None, *, realm=None, form=None, token=None):
        """A request to a realm."""
        return self._send(method, f"{self.url}/{realm or self.realms[0]}{path}", body, form, token)

    def control(self, method, path, body=None):
        """A request to the control plane."""
        answer = self._send(method, f"{self.url}/__test__{path}", body)
        assert answer.status < 300, answer
        return answer.body

    def now(self):
        """The server's time, in seconds since 1970."""
        return self.control("GET", "/clock")["seconds"]

    def advance(self, time):
        """Lets time pass."""
        return self.control("POST", "/clock/advance", {"seconds": seconds(time)})["now"]

    def mails(self, to=None, template=None, wait=0):
        """Messages, newest first; waits so many milliseconds for the first that fits."""
        wanted = {"to": to, "template": template, "wait": wait}
        query = urllib.parse.urlencode({name: value for name, value in wanted.items() if value is not None})
        return self.control("GET", f"/outbox?{query}")

    def wait_for_mail(self, to=None, template=None, timeout=5000):
        """The newest message that fits, with the token of its link at hand."""
        found = self.mails(to, template, timeout)
        assert found, f"no {template or 'message'} came to {to or 'anyone'} within {timeout} ms"
        links = found[0]["links"]
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(links[0]).query) if links else {}
        return {**found[0], "token": query.get("token", [None])[0]}

    def clear_mails(self):
        """Forgets the messages."""
        self.control("DELETE", "/outbox")

    def set_faults(self, *faults):
        """The faults from now on, and nothing else."""
        self.control("PUT", "/faults", {"faults": list(faults)})

    def disable(self, user, disabled=True):
        """What an operator's `portcullis users disable` does, and `enable` where `disabled` is false."""
        body = {"realm": user.get("realm") or self.realms[0], "user": user["id"], "disabled": disabled}
        self.control("PUT", "/disabled", body)

    def clear_limits(self):
        """Every limit begins anew."""
        self.control("DELETE", "/limits")

    def add_app(self, session):
        """Adds an authenticator app to the account of a login: its key, and the backup codes."""
        secret = session.request("POST", "/mfa/totp").expect(201).body["secret"]
        confirmed = session.request("PUT", "/mfa/totp", {"otp": self.app_code(secret)}).expect(200)
        return secret, confirmed.body["backup_codes"]

    def app_code(self, secret):
        """The code of an app at the server's time. It works once: advance the clock by a minute for the next one."""
        return self.control("POST", "/factors", {"secret": secret})["code"]

    def new_backup_codes(self, session):
        """New backup codes; the older ones work no more."""
        return session.request("POST", "/mfa/backup_codes").expect(200).body["backup_codes"]

    def create_passkey(self, options, **more):
        """The response of an authenticator in software to the options of a new passkey, and the passkey that signs later.

        `synced=True` makes one that may be on more devices; `origin` is that of the page.
        """
        made = self.control("POST", "/factors", {"create": options, **more})
        return made["credential"], made["passkey"]

    def sign_passkey(self, options, passkey, **more):
        """The response of that passkey to the options of a login or step-up; `origin` is that of the page."""
        return self.control("POST", "/factors", {"get": options, "passkey": passkey, **more})["credential"]

    def add_passkey(self, session, name="Passkey", **more):
        """Adds a passkey to the account of a login: the passkey, and the answer with its id and the backup codes."""
        begun = session.request("POST", "/passkeys/options").expect(200).body
        credential, passkey = self.create_passkey(begun["options"], **more)
        body = {"token": begun["token"], "credential": credential, "name": name}
        return passkey, session.request("POST", "/passkeys", body).expect(201).body

    def login_with_passkey(self, passkey, realm=None):
        """Logs in with a passkey alone."""
        self.clear_limits()
        begun = self.request("POST", "/login/passkey/options", realm=realm).expect(200).body
        body = {"token": begun["token"], "credential": self.sign_passkey(begun["options"], passkey)}
        return Session(self, realm, self.request("POST", "/login/passkey", body, realm=realm).expect(200).body)

    def answer_factor(self, asked, *, realm=None, remember=False, **answer):
        """Answers `mfa_required` of a login by `secret` of an app, `passkey`, or `otp`: a backup code or a code by SMS.

        With `remember`, the session has a `device_token`, which a later login may have.
        """
        body = {"mfa_token": asked["mfa_token"], "remember_device": remember, **self._factor(asked, **answer)}
        return Session(self, realm, self.request("POST", "/login/mfa", body, realm=realm).expect(200).body)

    def step_up(self, session, password, **answer):
        """Authenticates once more, with a factor where one is given; the session has the new access token."""
        body = {"password": password}
        if "passkey" in answer:
            asked = session.request("POST", "/step_up", body).expect(403).body
            body["mfa_token"] = asked["mfa_token"]
            body.update(self._factor(asked, **answer))
        elif answer:
            body.update(self._factor(None, **answer))
        session.access_token = session.request("POST", "/step_up", body).expect(200).body["access_token"]
        return session

    def devices(self, session):
        """The remembered devices of an account."""
        return session.request("GET", "/devices").expect(200).body["devices"]

    def enrol(self, user, passkey_name=None):
        """The first factor where the realm requires one (`MFA_POLICY`): an app, or a passkey of that name.

        The session, the key of the app or the passkey, and the backup codes.
        """
        realm = user.get("realm")
        self.clear_limits()
        form = {"username": user["email"], "password": user["password"]}
        asked = self.request("POST", "/login", form=form, realm=realm).expect(403).body
        code = self.wait_for_mail(user["email"], "enrolment_code")["code"]
        body = {"enrolment_token": asked["enrolment_token"], "code": code}
        offer = self.request("POST", "/login/enrolment", body, realm=realm).expect(200).body
        body = {"enrolment_token": offer["enrolment_token"]}
        if passkey_name is None:
            factor = offer["totp"]["secret"]
            body.update(method="totp", otp=self.app_code(factor))
        else:
            credential, factor = self.create_passkey(offer["passkey_options"])
            body.update(method="passkey", name=passkey_name, credential=credential)
        opened = self.request("POST", "/login/enrolment/factor", body, realm=realm).expect(200).body
        return Session(self, realm, opened), factor, opened["backup_codes"]

    def _factor(self, asked, secret=None, passkey=None, otp=None):
        if passkey:
            return {"method": "passkey", "credential": self.sign_passkey(asked["passkey_options"], passkey)}
        return {"otp": self.app_code(secret) if secret else otp}

    def seed(self, seed):
        """Ids, tokens and codes come in the order of this seed from here on."""
        self.control("PUT", "/seed", {"seed": seed})

    def snapshot(self):
        """Puts everything aside; the name takes it back."""
        return self.control("POST", "/snapshot")["snapshot"]

    def restore(self, snapshot="empty"):
        """Takes a snapshot back; without a name, the server as it began."""
        self.control("POST", "/restore", {"snapshot": snapshot})

    def reset(self):
        """The server as it began, and nothing broken."""
        self.set_faults()
        self.restore()

    def person(self, **wishes):
        """Someone who is nobody else, as `create` takes them."""
        return {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": f"ada+{next(self._serial)}@example.test",
            "phone": "+12025550100",
            "country_code": "US",
            "password": "kq7!Zp2#vW9x-tulip",
            **wishes,
        }

    def verified_user(self, realm=None, **wishes):
        """Registers someone and follows the link of the mail."""
        person = self.person(**wishes)
        self.clear_limits()
        created = self.request("POST", "/create", person, realm=realm).expect(201).body
        mail = self.wait_for_mail(person["email"], "mail_email_verify")
        self.request("POST", "/verify", {"token": mail["token"]}, realm=realm).expect(200)
        return {**person, "id": created["id"], "realm": realm}

    def login(self, user, **answer):
        """Logs someone in; `answer` is for a second factor that is asked for, as `answer_factor` takes it."""
        self.clear_limits()
        form = {"username": user["email"], "password": user["password"]}
        if user.get("device_token"):
            form["device_token"] = user["device_token"]
        logged = self.request("POST", "/login", form=form, realm=user.get("realm"))
        if answer:
            return self.answer_factor(logged.expect(403).body, realm=user.get("realm"), **answer)
        return Session(self, user.get("realm"), logged.expect(200).body)
