"""A request to forget named images: the tuned method applied to it, what was measured, and what is to be expected."""

from sweeps.requests.answer import Answer, answer
from sweeps.requests.choice import FAILED, UNFINISHED
from sweeps.requests.page import copies_line, oracles_of, original_line, unchanged_line
from sweeps.requests.write import check_empty, write_answer

__all__ = [
    "FAILED",
    "UNFINISHED",
    "Answer",
    "answer",
    "check_empty",
    "copies_line",
    "oracles_of",
    "original_line",
    "unchanged_line",
    "write_answer",
]
