"""A digest of a component's code: what changes it, and what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path

import pytest

from unlearn import registry
from unlearn.code import code_digest, code_of

PACKAGES = count()

NETS = '''"""Networks."""
from torch import nn
from torch.nn import functional as F
from .blocks import Block, WIDTH
from . import layers
OTHER = 3
TABLE = {}
TABLE["a"] = 1

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block, self.width = Block(WIDTH), TABLE["a"]
    def forward(self, x):
        return F.relu(layers.pool(self.block(x)))

class Another(nn.Module):
    size = OTHER

if __name__ == "__main__":
    print(Net())
'''
BLOCKS = "from torch import nn\n\nWIDTH = 8\n\nclass Block(nn.Module):\n    pass\n\ndef unused():\n    return 1\n"
LAYERS = "def pool(x):\n    return x.mean(1)\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose `__init__` gives on a network of another file, which uses two more."""
    folder = tmp_path / f"package{next(PACKAGES)}"
    folder.mkdir()
    files = {"__init__": "from .nets import Net\n", "nets": NETS, "blocks": BLOCKS, "layers": LAYERS}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def digest(package: Path) -> str | None:
    return code_digest(f"{package.name}:Net", None)


def replace(package: Path, file: str, old: str, new: str) -> None:
    text = (package / file).read_text()
    assert old in text
    (package / file).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nets.py", "F.relu", "F.gelu"),
        ("nets.py", "functional as F", "init as F"),
        ("nets.py", '["a"] = 1', '["a"] = 2'),
        ("blocks.py", "    pass", "    bias = True"),
        ("blocks.py", "WIDTH = 8", "WIDTH = 9"),
        ("layers.py", "mean", "sum"),
        ("__init__.py", "from .nets import Net", "from .nets import Another as Net"),
    ],
)
def test_what_a_network_computes_by_changes_it(package: Path, file: str, old: str, new: str) -> None:
    before = digest(package)
    assert before == digest(package)
    replace(package, file, old, new)
    assert digest(package) != before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("nets.py", "class Net(nn.Module):", "# a comment\n\nclass Net( nn.Module ):"),
        ("nets.py", "OTHER = 3", "OTHER = 4"),
        ("nets.py", "print(Net())", "print(Net(), 1)"),
        ("nets.py", '"""Networks."""', '"""More networks."""'),
        ("blocks.py", "return 1", "return 2"),
    ],
)
def test_what_it_does_not_refer_to_does_not(package: Path, file: str, old: str, new: str) -> None:
    before = digest(package)
    replace(package, file, old, new)
    assert digest(package) == before


def test_a_module_beside_the_first_is_followed_and_one_elsewhere_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(PACKAGES)
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    names = [f"net{number}", f"beside{number}", f"library{number}"]
    for folder, name in zip((here, here, elsewhere), names, strict=True):
        folder.mkdir(exist_ok=True)
        imports = "".join(f"import {other}\n" for other in names[1:] if name == names[0])
        uses = f"{names[1]}.VALUE + {names[2]}.VALUE" if imports else "0"
        (folder / f"{name}.py").write_text(f"{imports}VALUE = 1\ndef net():\n    return {uses}\n")
        monkeypatch.syspath_prepend(folder)
    component = f"{names[0]}:net"
    before = code_digest(component, None)
    (elsewhere / f"{names[2]}.py").write_text("VALUE = 2\n")
    assert code_digest(component, None) == before
    (here / f"{names[1]}.py").write_text("VALUE = 2\n")
    assert code_digest(component, None) != before


def test_there_is_none_without_source() -> None:
    assert code_digest("math:sqrt", None) is None
    assert code_digest("no_such_module_of_ours:Net", None) is None


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def forget(folder: Path) -> None:
    """Let modules that lie in a folder be imported anew."""
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        places = [spec.origin, *(spec.submodule_search_locations or [])] if isinstance(spec, ModuleSpec) else []
        if any(place is not None and Path(place).is_relative_to(folder) for place in places):
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are found in."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget(tmp_path)


#: A component, its files, in which of them what is replaced by what, and whether that counts.
Case = tuple[str, dict[str, str], str, str, str, bool]
PLAIN = {"p.py": "class B:\n    x = 1\n"}
SCRIPT = "import sys\ndef score():\n    return 1\nsys.exit(3)\n"
TYPED = """from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from p import B
class Net:
    def f(self, b: B) -> None:
        \"\"\"Documented.\"\"\"
"""
LAZY = """import importlib
def __getattr__(name):
    if name != "Net":
        raise AttributeError(name)
    return importlib.import_module(".net", __name__).Net
"""
LOOPS = "TABLE, SIZES = {}, []\nfor k in range(3):\n    TABLE[k] = 1\nfor k in range(4):\n    SIZES.append(k)\n"


@pytest.mark.parametrize(
    "case",
    [
        # a folder without `__init__.py`, and what lies beside the package
        (
            "m.n:Net",
            {"m/n.py": "from u.l import B\nclass Net(B): ...\n", "u/l.py": "class B: x = 1\n"},
            "u/l.py",
            "1",
            "2",
            True,
        ),
        ("m.n:Net", {"m/__init__.py": "", "m/n.py": "import p\nNet = p.B\n", **PLAIN}, "p.py", "1", "2", True),
        # an import that fails where the file is no part of a package
        (
            "n:Net",
            {
                "n.py": "try:\n    from .p import B\nexcept ImportError:\n    from p import B\nclass Net(B): ...\n",
                **PLAIN,
            },
            "p.py",
            "1",
            "2",
            True,
        ),
        ("n:Net", {"n.py": "try:\n    from p import *\nfinally: ...\nNet = B\n", **PLAIN}, "p.py", "1", "2", True),
        (
            "n:Net",
            {"n.py": "import p.q\nNet = p.X, p.q\n", "p/__init__.py": "X = 1\n", "p/q.py": ""},
            "p/__init__.py",
            "1",
            "2",
            True,
        ),
        # what is called, not what else the module has
        ("n:Net", {"n.py": "import p\nNet = p.B\n", "p.py": "B = 1\nC = 2\n"}, "p.py", "C = 2", "C = 3", False),
        ("n:Net", {"n.py": "import p\nNet = getattr(p, 'B')\n", "p.py": "B = 1\n"}, "p.py", "1", "2", True),
        # in which order
        ("n:Net", {"n.py": "W = 1\nW = 2\nNet = W\n"}, "n.py", "W = 1\nW = 2", "W = 2\nW = 1", True),
        ("n:Net", {"n.py": "A = 1\nB = 2\nNet = A, B\n"}, "n.py", "A = 1\nB = 2", "B = 2\nA = 1", False),
        ("n:Net", {"n.py": f"{LOOPS}Net = TABLE, range(2)\n"}, "n.py", "= 1", "= 2", True),
        ("n:Net", {"n.py": f"{LOOPS}def Net():\n    return range(2)\n"}, "n.py", "range(4)", "range(5)", False),
        # what only a type checker or a reader sees, and what only a script does
        ("n:Net", {"n.py": TYPED, **PLAIN}, "p.py", "1", "2", False),
        ("n:Net", {"n.py": TYPED, **PLAIN}, "n.py", "Documented", "Documented better", False),
        ("n:Net", {"n.py": "if __name__ == '__main__': ...\nelse:\n    Net = 1\n"}, "n.py", "1", "2", True),
        # what is imported only once it is called is read, not run
        (
            "n:Net",
            {"n.py": "def Net():\n    from t import score\n    return score\n", "t.py": SCRIPT},
            "t.py",
            "return 1",
            "return 2",
            True,
        ),
        (
            "n:Net",
            {"n.py": "def Net():\n    from t import score\n    return score\n", "t.py": "print 1\n"},
            "t.py",
            "1",
            "2",
            False,
        ),
        # names that are bound as it runs
        ("m:Net", {"m/__init__.py": LAZY, "m/net.py": "class Net:\n    x = 1\n"}, "m/net.py", "1", "2", True),
        (
            "n:Net",
            {"n.py": "B = __import__('p').B\nclass Net(B): ...\n", **PLAIN},
            "p.py",
            "1",
            "2",
            True,
        ),
        # libraries that lie beside it, and this package
        (
            "m.n:Net",
            {"m/n.py": "from p import B as Net\n", **PLAIN, "p-1.dist-info/METADATA": ""},
            "p.py",
            "1",
            "2",
            False,
        ),
    ],
)
def test_what_counts(folder: Path, case: Case) -> None:
    component, files, file, old, new, counts = case
    write(folder, files)

    def now() -> str | None:
        forget(folder)
        module, _, name = component.partition(":")
        return code_digest(component, getattr(importlib.import_module(module), name))

    before = now()
    assert before is not None
    replace(folder, file, old, new)
    assert (now() != before) is counts


def test_equal_names_of_two_modules_are_told_apart(folder: Path) -> None:
    write(folder, {"n.py": "from p import a, b\nNet = a.W, b.W\n", "p/a.py": "W = 1\n", "p/b.py": "W = 2\n"})
    before = code_digest("n:Net", None)
    write(folder, {"p/a.py": "W = 2\n", "p/b.py": "W = 1\n"})
    assert code_digest("n:Net", None) != before


def test_the_standard_library_and_this_package_do_not_count_where_they_lie_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"n.py": "from p import B\nfrom ours.q import C\nNet = B, C\n", "ours/q.py": "C = 1\n", **PLAIN})
    before = code_digest("n:Net", None)
    monkeypatch.setattr("unlearn.code.__name__", "ours.code")
    without = code_digest("n:Net", None)
    assert without != before
    replace(folder, "ours/q.py", "1", "2")
    assert code_digest("n:Net", None) == without
    monkeypatch.setattr("unlearn.code.STANDARD", folder)
    without = code_digest("n:Net", None)
    replace(folder, "p.py", "1", "2")
    assert code_digest("n:Net", None) == without


FORMATS = """def Net(x):
    return f"it's {x['a']!r:>{x['b']}}\\n" "\\u0378", x[1, *x], u'x', lambda: (yield)
"""


def test_it_is_the_same_under_every_version_of_python(folder: Path) -> None:
    write(folder, {"n.py": FORMATS})
    assert code_digest("n:Net", None) == "60e9f38b8bcd0335373a3c2ab2fbb940cfb5877d505afcbe021f7b4694203bfc"


def test_a_big_module_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = "".join(f"def f{n}(): return f{n - 1}()\n" for n in range(1, 200))
    write(folder, {"n.py": f"def f0(): ...\n{steps}Net = f199\n"})
    opened, read = list[Path](), Path.read_bytes

    def noted(file: Path) -> bytes:
        opened.append(file)
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", noted)
    assert code_digest("n:Net", None) is not None
    assert opened == [folder / "n.py"]


def test_the_folder_beside_is_looked_through_once_for_each_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"n.py": "import p\nNet = p.a, p.b, p.c\n", "p.py": "a = b = c = 1\n"})
    looked, glob = list[str](), Path.glob

    def noted(path: Path, pattern: str) -> Iterator[Path]:
        looked.append(pattern)
        return glob(path, pattern)

    monkeypatch.setattr(Path, "glob", noted)
    assert code_digest("n:Net", None) is not None
    assert looked == ["*.dist-info"]


def test_of_an_entry_point_the_name_that_it_gives_is_digested(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"net_by_entry.py": "from functools import partial\nWIDTH = 1\nNet = partial(dict, width=WIDTH)\n"})
    about = {
        "METADATA": "Name: by-entry\nVersion: 1\n",
        "entry_points.txt": "[unlearn.models]\nbyentry = net_by_entry:Net\n",
    }
    write(folder, {f"by_entry-1.dist-info/{file}": text for file, text in about.items()})
    registry.is_own.cache_clear()
    before = code_of("models", "byentry")
    assert before is not None
    replace(folder, "net_by_entry.py", "WIDTH = 1", "WIDTH = 2")
    assert code_of("models", "byentry") != before
