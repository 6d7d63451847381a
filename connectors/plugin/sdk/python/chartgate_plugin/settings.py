"""A plugin's settings: a dataclass, from which the JSON Schema is made and against which a configuration is read.

::

    @dataclass
    class Settings:
        address: Annotated[str, "Where the service listens."]
        token: Annotated[SecretRef, "The bearer token."]
        page: Annotated[int, "Records on a page.", Limits(1, 200)] = 100

A field without a default must be given. Unknown keys are refused, and so are literal secrets. Types: ``str``, ``bool``,
``int``, ``float``, :class:`SecretRef`, ``Literal``, ``Enum``, ``list[T]``, ``dict[str, T]``, ``T | None`` and dataclasses.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import inspect
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

#: Deeper than any sane configuration.
_DEPTH = 16

_EXPECTED = 'where the secret is kept, { env = "NAME" } or { file = "/path" }; a literal secret is refused'


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept. Settings hold these and never the secret itself; :meth:`Host.secret` reads it."""

    place: Literal["env", "file"]
    """An environment variable of the gateway, or a file that it can read."""
    name: str
    """The variable's name or the file's path."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        return {self.place: self.name}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a number, of a text's length in characters or of a list's length; in ``Annotated``."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class ConfigIssue:
    """Something that is wrong with a configuration."""

    pointer: str
    """JSON pointer to the setting."""
    message: str
    """What is wrong."""
    hint: str | None = None
    """What to do about it."""

    def wire(self) -> dict[str, Any]:
        """As JSON."""
        wire = {"pointer": self.pointer, "message": self.message}
        if self.hint is not None:
            wire["hint"] = self.hint
        return wire


class Refused(Exception):
    """A configuration that does not fit, with every place where it does not."""

    def __init__(self, issues: list[ConfigIssue]) -> None:
        super().__init__("; ".join(f"{issue.pointer}: {issue.message}" for issue in issues))
        self.issues = issues


def json_schema(settings: type) -> dict[str, Any]:
    """The JSON Schema of a settings class."""
    schema = _schema_of_class(settings, _DEPTH)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": settings.__name__, **schema}


def parse(settings: type, config: Any) -> Any:
    """The settings that a configuration gives.

    :raises Refused: with one issue for each place that does not fit.
    """
    issues: list[ConfigIssue] = []
    value = _read(settings, (), config, "", issues)
    if issues:
        raise Refused(issues)
    return value


def _unpack(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type and what `Annotated` says about it."""
    if get_origin(hint) is Annotated:
        return get_args(hint)[0], get_args(hint)[1:]
    return hint, ()


def _fields(settings: type) -> list[tuple[str, Any, tuple[Any, ...], bool, Any]]:
    """Name, type, remarks, whether it must be given, and the default."""
    hints = typing.get_type_hints(settings, include_extras=True)
    found = []
    for one in dataclasses.fields(settings):
        must = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        default = None if one.default is dataclasses.MISSING else one.default
        found.append((one.name, *_unpack(hints[one.name]), must, default))
    return found


def _doc(settings: type) -> str | None:
    text = settings.__doc__
    # A dataclass without a docstring is given its signature as one.
    if not text or text.startswith(f"{settings.__name__}("):
        return None
    return inspect.cleandoc(text)


def _schema_of_class(settings: type, depth: int) -> dict[str, Any]:
    properties, required = {}, []
    for name, sort, remarks, must, default in _fields(settings):
        properties[name] = _schema(sort, remarks, depth - 1)
        if must:
            required.append(name)
        elif isinstance(default, (str, int, float, bool)):
            properties[name]["default"] = default.value if isinstance(default, enum.Enum) else default
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    doc = _doc(settings)
    return {"description": doc, **schema} if doc else schema


def _schema(sort: Any, remarks: tuple[Any, ...], depth: int) -> dict[str, Any]:
    if depth <= 0:
        raise TypeError("settings are nested too deeply, or in themselves")
    schema = _plain_schema(sort, depth)
    for remark in remarks:
        if isinstance(remark, str):
            schema["description"] = remark
        elif isinstance(remark, Limits):
            sort_of = schema.get("type")
            names = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
            least, most = names.get(sort_of if isinstance(sort_of, str) else "", ("minimum", "maximum"))
            bounds = {least: remark.least, most: remark.most}
            schema.update({name: bound for name, bound in bounds.items() if bound is not None})
    return schema


def _plain_schema(sort: Any, depth: int) -> dict[str, Any]:
    plain = {str: "string", bool: "boolean", int: "integer", float: "number"}
    if sort in plain:
        return {"type": plain[sort]}
    if sort is SecretRef:
        places = [_place_schema("env"), _place_schema("file")]
        return {"description": f"Where the secret is kept: {_EXPECTED}.", "x-secret": True, "oneOf": places}
    if inspect.isclass(sort) and issubclass(sort, enum.Enum):
        return {"enum": [one.value for one in sort]}
    if dataclasses.is_dataclass(sort):
        return _schema_of_class(typing.cast(type, sort), depth)
    origin, inner = get_origin(sort), get_args(sort)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": _schema(*_unpack(inner[0]), depth - 1)}
    if origin is dict and inner[0] is str:
        return {"type": "object", "additionalProperties": _schema(*_unpack(inner[1]), depth - 1)}
    if origin in (Union, types.UnionType):
        rest = [one for one in inner if one is not type(None)]
        if len(rest) == 1 and len(rest) < len(inner):
            return {"anyOf": [_schema(*_unpack(rest[0]), depth - 1), {"type": "null"}]}
    raise TypeError(f"a setting cannot be of type {sort}")


def _place_schema(name: str) -> dict[str, Any]:
    properties = {name: {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _read(sort: Any, remarks: tuple[Any, ...], value: Any, at: str, issues: list[ConfigIssue]) -> Any:
    def no(expected: str) -> None:
        issues.append(ConfigIssue(at, f"expected {expected}"))

    if sort is SecretRef:
        # The refusal does not repeat what was found: it may be a secret that somebody mistyped.
        if isinstance(value, dict) and len(value) == 1:
            ((place, name),) = value.items()
            if place in ("env", "file") and isinstance(name, str):
                return SecretRef(place, name)
        return no(_EXPECTED)
    if sort in (str, bool, int, float):
        return _read_plain(sort, remarks, value, no)
    if inspect.isclass(sort) and issubclass(sort, enum.Enum):
        found = [one for one in sort if one.value == value and type(one.value) is type(value)]
        return found[0] if found else no(f"one of {', '.join(str(one.value) for one in sort)}")
    if dataclasses.is_dataclass(sort):
        return _read_class(typing.cast(type, sort), value, at, issues)
    origin, inner = get_origin(sort), get_args(sort)
    if origin is Literal:
        return value if any(value == one and type(value) is type(one) for one in inner) else no(f"one of {', '.join(map(str, inner))}")
    if origin is list:
        if not isinstance(value, list):
            return no("a list")
        _within(remarks, len(value), "entries", no)
        of, more = _unpack(inner[0])
        return [_read(of, more, one, f"{at}/{index}", issues) for index, one in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            return no("a table")
        of, more = _unpack(inner[1])
        return {key: _read(of, more, one, f"{at}/{_escaped(key)}", issues) for key, one in value.items()}
    if value is None:
        return None
    (rest,) = [one for one in inner if one is not type(None)]
    of, more = _unpack(rest)
    return _read(of, remarks + more, value, at, issues)


def _read_plain(sort: type, remarks: tuple[Any, ...], value: Any, no: Any) -> Any:
    words = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}
    fits = isinstance(value, (int, float) if sort is float else sort) and (sort is bool or not isinstance(value, bool))
    if not fits:
        return no(words[sort])
    if sort is str:
        _within(remarks, len(value), "characters", no)
    elif sort is not bool:
        _within(remarks, value, "", no)
    return value


def _within(remarks: tuple[Any, ...], size: float, unit: str, no: Any) -> None:
    for limits in remarks:
        if isinstance(limits, Limits):
            if limits.least is not None and size < limits.least:
                no(f"at least {limits.least} {unit}".strip())
            if limits.most is not None and size > limits.most:
                no(f"at most {limits.most} {unit}".strip())


def _read_class(settings: type, value: Any, at: str, issues: list[ConfigIssue]) -> Any:
    if not isinstance(value, dict):
        issues.append(ConfigIssue(at, "expected a table"))
        return None
    before, fields = len(issues), _fields(settings)
    names = [name for name, *_ in fields]
    for key in value:
        if key not in names:
            close = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}" if names else None
            issues.append(ConfigIssue(f"{at}/{_escaped(key)}", "there is no such setting", hint))
    given = {}
    for name, sort, remarks, must, _ in fields:
        if name in value:
            given[name] = _read(sort, remarks, value[name], f"{at}/{_escaped(name)}", issues)
        elif must:
            issues.append(ConfigIssue(f"{at}/{_escaped(name)}", "this setting is missing"))
    return settings(**given) if len(issues) == before else None
