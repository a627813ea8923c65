"""NAME=PATH, the form in which a command's words name what they point at."""

from pathlib import Path

__all__ = ["split_name"]


def split_name(word: str) -> tuple[str, str]:
    """Divide NAME=PATH.

    Args:
        word: The word; a path alone may have an equals sign in it, as the folders of sweeps do, if it's there or the
            sign stands behind a slash.

    Returns:
        Name and path; the name is empty if there is none.
    """
    name, sign, path = word.partition("=")
    if not sign or not name.strip() or "/" in name or Path(word).exists():
        return "", word
    return name.strip(), path
