"""What a broken contract raises, and how all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class ContractError(AssertionError):
    """What a component does, or does not, against its contract; one line each."""


def must(condition: object, message: str) -> None:
    """Raise `ContractError` unless the condition holds."""
    if not condition:
        raise ContractError(message)


def all_of(checks: Sequence[Callable[[], None]]) -> None:
    found = []
    for check in checks:
        try:
            check()
        except ContractError as error:
            found.append(str(error))
        except Exception as error:  # whatever the component raises
            found.append(f"it raised {type(error).__name__}: {error}")
    if found:
        raise ContractError("\n".join(dict.fromkeys(found)))
