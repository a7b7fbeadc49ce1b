"""What a pickle would import if it were loaded, found out without importing any of it.

The file is read by Python's own unpickler whose every import is an inert stand-in that can be called, filled and kept, and does
nothing. joblib puts raw array bytes between the opcodes; those are skipped by the shape and type the stream gives them.
"""

from __future__ import annotations

import io
import math
import pickle
import zlib
from pathlib import Path
from typing import Any, ClassVar

from mlops_tui.core.errors import InvalidInput

# What estimators of these packages are made of; anything else in a pickle deserves a look.
USUAL = ("sklearn", "numpy", "scipy", "pandas", "joblib", "collections", "_codecs", "copyreg", "cloudpickle")
_BUILTINS = frozenset(
    {
        "set",
        "frozenset",
        "list",
        "dict",
        "tuple",
        "slice",
        "range",
        "complex",
        "bytearray",
        "object",
        "int",
        "float",
        "str",
    }
)
MOST_BYTES = 4_000_000_000


class _Inert:
    """Stands for anything a pickle names."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Inert:
        made = super().__new__(cls)
        made.arguments = args
        return made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *args: Any, **kwargs: Any) -> _Inert:
        return _Inert(*args)

    def __setitem__(self, key: Any, value: Any) -> None:
        return None

    def __hash__(self) -> int:
        return id(self)

    def append(self, item: Any) -> None:
        """Take part in a list that is not one."""

    def extend(self, items: Any) -> None:
        """Take part in a list that is not one."""

    def add(self, item: Any) -> None:
        """Take part in a set that is not one."""

    arguments: tuple[Any, ...] = ()


# Written in Python, so that its steps can be replaced; the one in C would import for itself.
_Unpickler: Any = vars(pickle)["_Unpickler"]


class _Reader(_Unpickler):  # type: ignore[misc]
    def __init__(self, file: io.BufferedIOBase, found: set[str]) -> None:
        super().__init__(file)
        self._stream = file
        self._found = found

    def find_class(self, module: str, name: str) -> Any:
        self._found.add(f"{module}.{name}")
        return type(name, (_Inert,), {"origin": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Any:
        return _Inert()

    def load_build(self) -> None:
        super().load_build()
        made = self.stack[-1]
        if getattr(type(made), "origin", "") == "joblib.numpy_pickle.NumpyArrayWrapper":
            self._skip_array(made.state)

    dispatch: ClassVar[dict[int, Any]] = {**_Unpickler.dispatch, pickle.BUILD[0]: load_build}

    def _skip_array(self, state: dict[str, Any]) -> None:
        kind = state["dtype"]
        code = str(kind.arguments[0]) if isinstance(kind, _Inert) and kind.arguments else "V"
        if code.startswith("O"):  # an array of objects is a pickle of its own behind the wrapper
            _Reader(self._stream, self._found).load()
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self._stream.read(self._stream.read(1)[0])
        size = math.prod(int(part) for part in state["shape"]) * _width(code, kind)
        if self._stream.seek(0, io.SEEK_CUR) + size > MOST_BYTES:
            raise ValueError("an array beyond the end of the file")
        self._stream.seek(size, io.SEEK_CUR)


def imports_of(path: Path) -> list[str]:
    """List what loading the file would import, `module.name`, sorted; InvalidInput when it is no pickle that can be read."""
    data = path.read_bytes()
    if data[:2] in {b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"}:  # joblib's default compression
        data = zlib.decompress(data)
    found: set[str] = set()
    try:
        _Reader(io.BytesIO(data), found).load()
    except Exception as error:  # a broken stream can fail in any way
        raise InvalidInput(
            f"{path.name} cannot be read as a pickle: {type(error).__name__}.",
            hint="Save it with joblib.dump, uncompressed.",
        ) from error
    return sorted(found)


def unusual(imports: list[str]) -> list[str]:
    """Those imports that no model of scikit-learn needs."""
    odd = []
    for name in imports:
        module, _, attribute = name.rpartition(".")
        harmless = module in {"builtins", "__builtin__"} and attribute in _BUILTINS
        if not harmless and module.partition(".")[0] not in USUAL:
            odd.append(name)
    return odd


def _width(code: str, kind: Any) -> int:
    digits = code.lstrip("<>=|").lstrip("biufcSUVMm?")
    size = int(digits) if digits.isdigit() else 8
    if code.lstrip("<>=|")[:1] == "U":
        return size * 4
    if code.startswith("V") and isinstance(kind, _Inert) and isinstance(kind.state, tuple) and len(kind.state) > 5:
        return int(kind.state[5])  # a structured type gives its item size here
    return size
