"""What does ``airflow.cfg.example`` say? Every option with its default and its reason, made from the declarations.

python -m tradewind.config.example > airflow.cfg.example
"""

from __future__ import annotations

import sys
import textwrap

from tradewind.config.option import OptionInfo, options_of
from tradewind.config.sections import SECTIONS

_HEAD = """\
Configuration of Tradewind. Copy it to airflow.cfg in the home folder ($TRADEWIND_HOME, else $AIRFLOW_HOME, else
~/tradewind) and set what you want to change: each line that is commented out shows the default.

Each option can also be set by an environment variable, which wins over the file: TRADEWIND__CORE__PARALLELISM=8, or
AIRFLOW__CORE__PARALLELISM=8 for those who come from Airflow. {home} stands for the home folder. Other options of
Airflow mean nothing here; they are accepted, and named in a warning.

`tradewind config list` shows what is in force, and with --include-sources where it comes from.
"""


def render_example() -> str:
    """Return the text of ``airflow.cfg.example``."""
    blocks = [_comment(_HEAD)]
    for section, cls in SECTIONS.items():
        blocks.append(f"[{section}]\n{_comment((cls.__doc__ or '').strip())}")
        blocks += [_option(name, info) for name, info in options_of(cls)]
    return "\n\n".join(blocks) + "\n"


def _option(name: str, info: OptionInfo) -> str:
    return f"{_comment(textwrap.fill(info.doc, 116))}\n# {name} = {info.default}".rstrip()


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    sys.stdout.write(render_example())
