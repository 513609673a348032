"""Makes `common/confusables.py` from Unicode's table of characters that look alike.

    python docs/make_confusables.py confusables.txt > common/confusables.py

The table is https://www.unicode.org/Public/security/VERSION/confusables.txt, described in Unicode Technical Standard #39. Only
what can stand in a name is taken over: letters, digits and marks that have no compatibility form.
"""

from __future__ import annotations

import argparse
import re
import textwrap
import unicodedata
from collections import defaultdict
from pathlib import Path

HEAD = '''"""Which characters look alike. Made by `docs/make_confusables.py`, not by hand; apart, so that few have to load it.

From confusables.txt, Unicode Security Mechanisms, version {version}, © Unicode, Inc. (https://www.unicode.org/license.txt).
"""

VERSION = "{version}"
PROTOTYPES = """
{lines}
"""
"""A line is what others look like, `:`, and those others; code points in hexadecimal digits."""
'''


def can_stand_in_a_name(char: str) -> bool:
    return (
        unicodedata.category(char)[0] in "LNM"
        and unicodedata.is_normalized("NFKC", char)
        and unicodedata.is_normalized("NFD", char)
    )


def closed(target: str, table: dict[int, str]) -> str:
    """What the target looks like itself. A few are not taken apart in the table, and their parts look like others."""
    while (further := unicodedata.normalize("NFD", unicodedata.normalize("NFD", target).translate(table))) != target:
        target = further
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", type=Path, help="Unicode's confusables.txt")
    try:
        text = parser.parse_args().table.read_text(encoding="utf-8-sig")
    except OSError as problem:
        parser.error(str(problem))
    version = re.search(r"^# Version: (\S+)", text, re.MULTILINE)
    if version is None:
        parser.error("this is no confusables.txt")
    table = {
        int(source, 16): "".join(chr(int(code, 16)) for code in target.split())
        for source, target in re.findall(r"^([0-9A-F]+) ;\t([0-9A-F ]+) ;\tMA", text, re.MULTILINE)
    }
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in table.items():
        if can_stand_in_a_name(chr(source)):
            alike[" ".join(f"{ord(char):04X}" for char in closed(target, table))].append(f"{source:04X}")
    entries = [f"{target}:{' '.join(sources)}" for target, sources in sorted(alike.items())]
    lines = [line for entry in entries for line in textwrap.wrap(entry, 120, subsequent_indent=" ")]
    print(HEAD.format(version=version[1], lines="\n".join(lines)), end="")


if __name__ == "__main__":
    main()
