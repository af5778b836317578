"""What does a function take? Its signature, also where its annotations name what exists only for type checkers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of ``function``.

    From Python 3.14 on annotations are worked out when they are asked for, which fails for names under
    ``TYPE_CHECKING``; they are left as references then.

    Raises:
        ValueError: it is a built-in function that has none.
    """
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)
