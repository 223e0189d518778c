"""What a student handed in: which of the files counts, what is in it, and the clean notebook that comes of it."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbformat import NotebookNode

from course_utils.exercises.grading import zips
from course_utils.exercises.grading.formats import Unreadable, cells_of
from course_utils.exercises.grading.limits import LIMITS
from course_utils.exercises.grading.notebooks import fit
from course_utils.exercises.masters import masters

FILES = 5_000  # in one student's folder; more are not looked at
SHOWN = 60  # characters of a name in a remark
NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")  # some browsers add an ending of their own
TEXTS = (".json", ".py", ".md")  # a notebook by another name or as text, a script; only where there is no notebook
MOMENT = 2.0  # seconds: a zip file knows times no better, and a copied folder has lost them


@dataclass
class Taken:
    """A submission as a clean notebook, whether a person should look at it, and what was noticed, in sentences."""

    notebook: NotebookNode
    tampered: bool
    remarks: list[str]


def intake(path: Path, released: NotebookNode) -> Taken:
    """What is in the file at `path`, see `found`, in the cells of the released notebook. Raises Unreadable."""
    cells, remarks = cells_of(content(path), path.suffix.lower())
    notebook, tampered, more = fit(cells, released)
    return Taken(notebook, tampered, remarks + more)


def found(folder: Path, name: str) -> tuple[Path | None, list[str], list[Path]]:
    """Of a student's folder the file that counts as the notebook `name`, remarks, and the files that do not count.

    That is the file of this name or nearly so ("name (1)", "NAME-1", with a learning platform's words around it), in
    a subfolder or a zip file, too; else the only notebook there; of several the last one by time. A path through a
    zip file, such as class/ann/all.zip/06.ipynb, can be had by `content`, and by nothing else. Links are not followed.
    """
    if folder.is_symlink():
        return folder / name, [], []  # which `content` refuses
    remarks: list[str] = []
    changed = dict(islice(_files(folder, remarks), FILES))
    if len(changed) == FILES:
        remarks.append(f"There are {FILES:,} files or more; the others were not looked at.")
    ranks = {path: _rank(path.name, name) for path in changed}
    files = [path for path, rank in ranks.items() if rank is not None]
    if not files:
        if os.path.lexists(folder / name):  # a folder, a link, a device: `content` says so
            return folder / name, remarks, []
        if changed:
            remarks.append(f"No notebook is among what was handed in: {_list(list(changed))}.")
        return None, remarks, []
    equals = _best(files, ranks)
    latest = max(changed[path] for path in equals) - MOMENT
    last = max(equals, key=lambda path: (changed[path] >= latest, path.name == name, changed[path]))
    where = _shown(last.relative_to(folder))
    if len(equals) > 1:
        remarks.append(f'Of {len(equals)} notebooks the last one was taken: "{where}".')
    elif where != name:
        remarks.append(f'The notebook is called "{where}"; it was taken as the only one there.')
    return last, remarks, [path for path in files if path is not last]


def content(path: Path) -> bytes:
    """The bytes of a file, or of a member of a zip file. Raises Unreadable, with a sentence that says what came."""
    archive = next((parent for parent in path.parents if parent.suffix.lower() == ".zip"), None)
    try:
        if archive and archive.is_file():
            data = zips.member(archive, path.relative_to(archive).as_posix(), LIMITS.notebook)
        else:
            data = _ordinary(path)
    except OSError as error:
        raise Unreadable(f"The file cannot be opened: {error.strerror or type(error).__name__}.") from None
    if len(data) > LIMITS.notebook:
        raise Unreadable(f"The file is too large: {LIMITS.notebook / 2**20:g} MiB are read at most.")
    return data


def _ordinary(path: Path) -> bytes:
    """The bytes of an ordinary file, one more than the limit at most. Raises Unreadable for anything else."""
    kind = path.lstat().st_mode
    if path.parent.is_symlink() or stat.S_ISLNK(kind):
        raise Unreadable("What was handed in is a link to somewhere else, not a file.")
    if stat.S_ISDIR(kind):
        raise Unreadable("What was handed in under the notebook's name is a folder.")
    if not stat.S_ISREG(kind):
        raise Unreadable("What was handed in under the notebook's name is a device or a pipe, not a file.")
    with path.open("rb") as file:
        return file.read(LIMITS.notebook + 1)


def _files(folder: Path, remarks: list[str]) -> Iterator[tuple[Path, float]]:
    """All ordinary files in a folder and in the zip files there, with their times; no hidden ones and no backups."""

    def refused(error: OSError) -> None:
        where = _shown(Path(os.path.basename(error.filename)))
        remarks.append(f'The folder "{where}" cannot be opened: {error.strerror}.')

    paths = (Path(place, name) for place, _, names in os.walk(folder, onerror=refused) for name in sorted(names))
    for path in islice(paths, FILES):
        about = path.lstat()
        if _passed_over(path.relative_to(folder).parts) or not stat.S_ISREG(about.st_mode):
            continue
        if path.suffix.lower() != ".zip":
            yield path, about.st_mtime
            continue
        try:
            inside = zips.members(path).items()
            yield from ((path / name, changed) for name, changed in inside if not _passed_over(Path(name).parts))
        except Unreadable as unreadable:
            remarks.append(f'"{_shown(Path(path.name))}" was not opened. {unreadable}')


def _passed_over(parts: tuple[str, ...]) -> bool:
    """Whether a path is no work of the student's: hidden, of a Mac's zip file, or a backup."""
    return any(part.startswith((".", "~")) or part.endswith("~") or part == "__MACOSX" for part in parts)


def _best(files: list[Path], ranks: dict[Path, int | None]) -> list[Path]:
    """The files of the best rank; of a whole work/ folder the exercises, for chapters have the same names."""
    best = min(rank for rank in ranks.values() if rank is not None)
    equals = [path for path in files if ranks[path] == best]
    return [path for path in equals if path.parent.name == "exercises"] or equals


def _rank(name: str, wanted: str) -> int | None:
    """0 for a notebook of that name or nearly so, 1 for another one, 2 and 3 for texts that may be one; else None."""
    core, ours = _core(name), _core(Path(wanted).stem)
    others = [_core(path.stem) for path in masters().values()]
    if ours not in core and any(other in core for other in others):
        return None  # another chapter's
    if name.lower().endswith(NOTEBOOKS) or (ours in core and "." not in name):
        return 0 if ours in core else 1
    return (2 if ours in core else 3) if name.lower().endswith(TEXTS) else None


def _core(name: str) -> str:
    """A name without case and anything but letters and digits."""
    return re.sub(r"[\W_]", "", name.lower())


def _shown(path: Path) -> str:
    """A path as it can be printed, in its length, too."""
    name = os.fsencode(path).decode(errors="replace")
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= SHOWN else f"{name[:SHOWN]}..."


def _list(paths: list[Path]) -> str:
    names = [f'"{_shown(Path(path.name))}"' for path in paths[:3]]
    return ", ".join(names) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
