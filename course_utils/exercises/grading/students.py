"""Who handed in: a student for each folder of submissions, and what a student is called in the names of files."""

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

LONGEST = 100  # bytes of a name of a file, of 255: what goes before and after it needs room
UNFIT = set('/\\*?[]{}<>:|"`$%#!;')  # mean something to a file system, a shell, a URL, or to nbgrader
TAKEN = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*-[0-9a-f]{8}")  # by Windows; by `file_name` itself


@dataclass(frozen=True)
class Student:
    """A student by the name in grades.csv, and the folder that was handed in, if any.

    `trouble` says why the folder cannot be graded.
    """

    name: str
    folder: Path | None = None
    trouble: str = ""

    @property
    def key(self) -> str:
        """What the student is called in nbgrader and in the names of files."""
        return file_name(self.name)


def students(submissions: Path, out: Path) -> list[Student]:
    """A student for each folder in `submissions`, but for hidden ones, what macOS adds to its archives, and `out`.

    Raises OSError for a folder `submissions` that cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for folder in sorted(submissions.iterdir()) if submissions.exists() else []:
        hidden = folder.name.startswith(".") or folder.name == "__MACOSX" or out.is_relative_to(folder)
        if not hidden and folder.is_dir():
            found.setdefault(name_of(folder), []).append(folder)
    return [Student(name, folders[0], _twins(folders)) for name, folders in found.items()]


def name_of(folder: Path) -> str:
    """The name of a folder as a text, whatever the locale; the same for one that differs in its Unicode form only."""
    name = os.fsencode(folder.name)
    try:
        text = name.decode()
    except UnicodeDecodeError:  # out of an old zip file
        text = name.decode("latin-1")
    text = unicodedata.normalize("NFC", text)
    return text.strip() or text


def named(name: str, among: list[Student]) -> Student:
    """The student of that name, or of that name in files. Raises ValueError where there is none."""
    wanted = unicodedata.normalize("NFC", name).strip()
    student = next((student for student in among if wanted in (student.name, student.key)), None)
    if not student:
        close = get_close_matches(wanted, [student.name for student in among], 3) or [s.name for s in among[:3]]
        raise ValueError(f"there is no student {name!r}; expected one such as {', '.join(map(repr, close))}")
    return student


def _twins(folders: list[Path]) -> str:
    names = " and ".join(ascii(folder.name) for folder in folders)
    return f"the folders {names} look like one student; rename one" if len(folders) > 1 else ""


def file_name(name: str) -> str:
    """A name for files: the name itself where every file system, locale and nbgrader can take it.

    Else what is plain of it with a checksum, so that no two names become one.
    """
    fits = name.isprintable() and name == name.strip(" .-~") != "" and not UNFIT & set(name)
    if fits and len(name.encode()) <= LONGEST and _can_be_written(name) and not TAKEN.fullmatch(name):
        return name
    head = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-")
    return f"{head or 'student'}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _can_be_written(name: str) -> bool:
    """Whether the locale has a spelling for a name."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True
