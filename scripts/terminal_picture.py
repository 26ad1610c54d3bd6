"""Terminal output with its colours, on standard input -> a picture of it, as SVG on standard output.

docs/images/demo.svg was made so, from a terminal of 100 columns:
`tmux capture-pane -e -p | python -m scripts.terminal_picture "make demo" > docs/images/demo.svg`
"""

from __future__ import annotations

import io
import re
import sys

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

WIDTH = 100
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


def picture(text: str, title: str) -> str:
    """The SVG; it asks for no font of another host."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in text.rstrip().splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    code_format = _FONTS.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "DejaVu Sans Mono")
    return console.export_svg(title=title, theme=SVG_EXPORT_THEME, code_format=code_format)


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read(), sys.argv[1]))
