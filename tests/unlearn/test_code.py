"""A digest of a component's code: what changes it, and what does not."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from unlearn.code import code_digest

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
