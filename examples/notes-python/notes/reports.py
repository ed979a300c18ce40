"""Reports made with the programs every system has."""

import os
import subprocess

from notes import attachments


def wrap(text, width):
    """The text folded at word boundaries, for plain-text export."""
    result = subprocess.run(
        f"fold -s -w {width}",
        shell=True,
        input=text,
        capture_output=True,
        text=True,
    )
    return result.stdout


def stamp(style):
    """Now in UTC, in the caller's format, such as %Y-%m-%d."""
    return subprocess.check_output("date -u +" + style, shell=True, text=True).strip()


def usage(owner_id):
    """Kilobytes that an account's attachments take."""
    folder = attachments.folder(owner_id)
    if not os.path.isdir(folder):
        return 0
    result = subprocess.run(["du", "-sk", folder], capture_output=True, text=True, check=True)
    return int(result.stdout.split()[0])
