"""An account's life, in milliseconds."""

import pytest

from portcullis_testkit import Testkit


def test_a_user_is_who_they_said(user, session):
    profile = session.request("GET", "/").expect(200).body
    assert (profile["id"], profile["email"], profile["is_email_verified"]) == (user["id"], user["email"], True)


def test_an_access_token_ends_and_a_refresh_goes_on(kit, session):
    kit.advance("31m")
    session.request("GET", "/").expect(401)
    session.refresh().request("GET", "/").expect(200)


def test_a_stolen_refresh_token_ends_the_family(kit, session):
    stolen = session.refresh_token
    session.refresh().refresh()
    form = {"grant_type": "refresh_token", "refresh_token": stolen}
    assert kit.request("POST", "/token", form=form).expect(400).body["error"] == "invalid_grant"
    session.request("GET", "/").expect(401)


def test_an_operators_word_ends_every_session(kit, user, session):
    kit.disable(user)
    assert session.request("GET", "/").status == 401
    kit.disable(user, False)
    assert kit.login(user).request("GET", "/").status == 200
    assert session.request("GET", "/").status == 401


def test_a_reset_link_works_once_and_not_for_long(kit, user):
    for wait, status in [("29m", 200), ("31m", 400)]:
        kit.request("POST", "/forget_password", {"email": user["email"]}).expect(202)
        token = kit.wait_for_mail(user["email"], "mail_password_reset")["token"]
        kit.advance(wait)
        kit.clear_limits()
        body = {"token": token, "password": "Mj4$rB8?nL1c-garden"}
        kit.request("POST", "/reset_password", body).expect(status)
        kit.request("POST", "/reset_password", body).expect(400)


def test_an_app_is_asked_for_at_the_next_login(kit, user, session):
    secret, backup_codes = kit.add_app(session)
    kit.advance("1m")
    form = {"username": user["email"], "password": user["password"]}
    asked = kit.request("POST", "/login", form=form).expect(403).body
    assert asked["methods"] == ["totp", "backup_code"] and len(backup_codes) == 10
    kit.answer_factor(asked, secret=secret)
    answer = {"mfa_token": asked["mfa_token"], "otp": kit.app_code(secret)}
    kit.request("POST", "/login/mfa", answer).expect(400)


def test_a_passkey_logs_in_alone_and_is_a_second_factor(kit, user, session):
    passkey, added = kit.add_passkey(session, "Phone", synced=True)
    assert (added["name"], added["synced"], len(added["backup_codes"])) == ("Phone", True, 10)
    alone = kit.login_with_passkey(passkey)
    kit.advance("16m")
    alone.request("DELETE", f"/passkeys/{added['id']}").expect(403)
    kit.step_up(alone, user["password"], passkey=passkey)
    kit.login(user, passkey=passkey)
    begun = kit.request("POST", "/login/passkey/options").expect(200).body
    credential = kit.sign_passkey(begun["options"], passkey, origin="https://evil.test")
    kit.request("POST", "/login/passkey", {"token": begun["token"], "credential": credential}).expect(401)
    alone.request("DELETE", f"/passkeys/{added['id']}").expect(204)


def test_a_remembered_device_needs_no_factor_until_it_is_forgotten(kit, user, session):
    _, backup_codes = kit.add_app(session)
    opened = kit.login(user, otp=backup_codes[0], remember=True)
    known = {**user, "device_token": opened.device_token}
    kit.login(known)
    for device in kit.devices(opened):
        opened.request("DELETE", f"/devices/{device['id']}").expect(204)
    kit.step_up(opened, user["password"], otp=backup_codes[1])
    newer = kit.new_backup_codes(opened)
    kit.login(known, otp=newer[0])


@pytest.mark.parametrize("passkey_name", [None, "Phone"])
def test_a_realm_that_requires_a_factor_is_entered_with_the_first_one(passkey_name):
    kit = Testkit.start(None, "--mfa-policy", "User2:required")
    try:
        user = kit.verified_user(realm="User2")
        session, factor, backup_codes = kit.enrol(user, passkey_name)
        assert session.request("GET", "/mfa").expect(200).body["required"] and len(backup_codes) == 10
        kit.advance("1m")
        kit.login(user, **({"passkey": factor} if passkey_name else {"secret": factor}))
    finally:
        kit.stop()


def test_a_snapshot_saves_a_long_beginning(kit, user):
    beginning, now = kit.snapshot(), kit.now()
    kit.login(user).request("DELETE", "/delete", {"password": user["password"]}).expect(200)
    kit.advance("1h")
    kit.restore(beginning)
    kit.login(user)
    assert kit.now() == now + 3600, "time goes on"


def test_a_seed_brings_the_same_again(kit):
    def codes():
        kit.reset()
        kit.seed(42)
        for number in range(3):
            person = kit.person(email=f"ada+{number}@example.test")
            kit.request("POST", "/create", person).expect(201)
        return [mail["code"] for mail in kit.mails(template="mail_email_verify")]

    first = codes()
    assert len(set(first)) == 3
    assert codes() == first


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_gives_nobody_more_than_they_had(kit, user, session, when):
    kit.set_faults({"port": "database", "method": "commit", "when": when})
    session.request("POST", "/logout").expect(503)
    kit.set_faults()
    session.request("GET", "/").expect(200 if when == "before" else 401)


def test_a_missing_binary_says_how_to_get_one():
    with pytest.raises(RuntimeError, match="nowhere.*PORTCULLIS_BIN"):
        Testkit.start("/nowhere/portcullis")
