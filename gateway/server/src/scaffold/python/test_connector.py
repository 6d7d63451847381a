"""Run with: python3 -m unittest"""

import tempfile
import unittest
from pathlib import Path

from chartgate_plugin import AccountState, Change, Class, ConnError, Delta, Entitlement, EntitlementChange, SecretRef
from chartgate_plugin.testing import Dialogue, Refusal, TestHost
from connector import Settings, @CLASS@


class Calls(unittest.TestCase):
    """The connector's methods, called directly."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(Path(folder.name) / "accounts.json")
        self.host = TestHost({"@VARIABLE@": "test-only-token"})
        self.target = @CLASS@(Settings(self.file, SecretRef("env", "@VARIABLE@")), self.host)

    def made(self, login: str = "kit1") -> str:
        attrs = {"login": [login], "displayName": ["Testperson 1 Example"]}
        roles = [Entitlement("role", "nurse")]
        return self.target.create(self.host.cx(), "account", attrs, AccountState.ENABLED, roles).id

    def test_an_account_is_found_by_its_login_in_any_letter_case(self) -> None:
        id = self.made()
        found = self.target.find(self.host.cx(), "account", {"login": "KIT1"})
        self.assertEqual([(record.id, record.entitlements) for record in found], [(id, [Entitlement("role", "nurse")])])

    def test_a_taken_login_is_already_exists_and_names_the_holder(self) -> None:
        id = self.made()
        with self.assertRaises(ConnError) as caught:
            self.made("Kit1")
        self.assertEqual((caught.exception.sort, caught.exception.existing), (Class.ALREADY_EXISTS, id))

    def test_a_change_does_everything_and_tells_what_it_could_not(self) -> None:
        id = self.made()
        roles = EntitlementChange(add=[Entitlement("role", "no-such-role")], remove=[Entitlement("role", "nurse")])
        change = Change({"title": Delta(["Dr"])}, roles, AccountState.DISABLED)
        failed = self.target.update(self.host.cx(), "account", id, change).failed
        record = self.target.get(self.host.cx(), "account", id)
        self.assertEqual([part.part for part in failed], ["role:no-such-role"])
        self.assertEqual((record.attrs["title"], record.state, record.entitlements), (["Dr"], AccountState.DISABLED, []))

    def test_a_dry_run_writes_nothing_and_tells_no_values(self) -> None:
        cx = self.host.cx(dry_run=True)
        self.target.create(cx, "account", {"login": ["kit9"]}, AccountState.ENABLED, [])
        self.assertEqual(self.target.find(self.host.cx(), "account", {"login": "kit9"}), [])
        self.assertNotIn("kit9", str(self.host.events))


class Wire(unittest.TestCase):
    """The same over the protocol."""

    def test_a_wrong_token_is_auth(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            plugin = Dialogue.within(@CLASS@, TestHost({"@VARIABLE@": "wrong"}))
            plugin.start({"file": f"{folder}/accounts.json", "token": {"env": "@VARIABLE@"}})
            with self.assertRaises(Refusal) as caught:
                plugin.call("check")
            self.assertEqual(caught.exception.data["class"], "Auth")


if __name__ == "__main__":
    unittest.main()
