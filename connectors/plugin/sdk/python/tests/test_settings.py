from __future__ import annotations

import enum
import unittest
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from chartgate_plugin import Limits, SecretRef
from chartgate_plugin.settings import Refused, json_schema, parse


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


@dataclass
class Proxy:
    """Something in between."""

    host: str
    port: Annotated[int, Limits(1, 65_535)] = 8080


@dataclass
class Settings:
    """How the target is reached."""

    address: Annotated[str, "Where it listens.", Limits(1, 100)]
    token: Annotated[SecretRef, "The bearer token."]
    mode: Mode = Mode.SAFE
    paging: Literal["cursor", "index"] = "cursor"
    retries: int = 0
    share: float = 0.5
    quiet: bool = False
    names: list[str] = field(default_factory=list)
    proxy: Proxy | None = None
    sites: dict[str, Proxy] = field(default_factory=dict)


GOOD: dict[str, Any] = {"address": "https://x", "token": {"env": "TOKEN"}}


def issues(config: Any) -> list[tuple[str, str]]:
    try:
        parse(Settings, config)
    except Refused as refused:
        return [(issue.pointer, issue.message) for issue in refused.issues]
    return []


class Reading(unittest.TestCase):
    def test_what_fits_is_read_as_its_types(self) -> None:
        read = parse(Settings, GOOD | {"mode": "fast", "share": 1, "proxy": {"host": "p"}, "sites": {"a/b": {"host": "q", "port": 1}}})
        self.assertEqual(read.token, SecretRef("env", "TOKEN"))
        self.assertEqual((read.mode, read.proxy, read.sites), (Mode.FAST, Proxy("p"), {"a/b": Proxy("q", 1)}))

    def test_each_bad_value_is_named_by_its_pointer(self) -> None:
        for pointer, more in [
            ("/address", {"address": 7}),
            ("/address", {"address": ""}),
            ("/mode", {"mode": "slow"}),
            ("/paging", {"paging": 1}),
            ("/retries", {"retries": True}),
            ("/retries", {"retries": 1.5}),
            ("/share", {"share": "1"}),
            ("/quiet", {"quiet": 1}),
            ("/names/1", {"names": ["a", 2]}),
            ("/proxy/port", {"proxy": {"host": "p", "port": 0}}),
            ("/sites/a~1b/host", {"sites": {"a/b": {}}}),
            ("/sites", {"sites": []}),
            ("/colour", {"colour": "red"}),
        ]:
            self.assertEqual([at for at, _ in issues(GOOD | more)], [pointer], more)
        self.assertEqual([at for at, _ in issues({})], ["/address", "/token"])
        self.assertEqual([at for at, _ in issues("text")], [""])

    def test_a_misspelt_setting_is_told_with_the_right_one(self) -> None:
        with self.assertRaises(Refused) as caught:
            parse(Settings, GOOD | {"adress": "x"})
        self.assertEqual(caught.exception.issues[0].hint, "did you mean address?")

    def test_a_literal_secret_is_refused_and_not_repeated(self) -> None:
        for literal in ["hunter2", 7031999, ["hunter2"], {"hunter2": "x"}, {"env": 7031999}, {}, {"env": "A", "file": "/hunter2"}]:
            found = issues(GOOD | {"token": literal})
            self.assertEqual([at for at, _ in found], ["/token"])
            self.assertNotIn("hunter2", str(found))
            self.assertNotIn("7031999", str(found))


class Schema(unittest.TestCase):
    def test_the_schema_says_what_the_class_says(self) -> None:
        schema = json_schema(Settings)
        self.assertEqual(schema["description"], "How the target is reached.")
        self.assertEqual(schema["required"], ["address", "token"])
        self.assertIs(schema["additionalProperties"], False)
        properties = schema["properties"]
        self.assertEqual(properties["address"], {"type": "string", "description": "Where it listens.", "minLength": 1, "maxLength": 100})
        self.assertIs(properties["token"]["x-secret"], True)
        self.assertEqual(properties["token"]["description"], "The bearer token.")
        self.assertEqual(properties["mode"], {"enum": ["fast", "safe"]})
        self.assertEqual(properties["retries"], {"type": "integer", "default": 0})
        port = {"type": "integer", "minimum": 1, "maximum": 65_535, "default": 8080}
        self.assertEqual(properties["proxy"]["anyOf"][0]["properties"]["port"], port)

    def test_a_type_that_is_no_setting_is_a_mistake_of_the_author(self) -> None:
        @dataclass
        class Odd:
            when: complex

        with self.assertRaises(TypeError):
            json_schema(Odd)


if __name__ == "__main__":
    unittest.main()
