"""The conventions of all notebooks: each rule takes a notebook and its path and returns its faults, a line each."""

import ast
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
from nbformat.validator import iter_validate

LINES, BYTES = 25, 1_500_000
FOLDER = Path(__file__).parents[1] / "notebooks"
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|usr|opt|Users)/|site-packages|\b[A-Z]:\\")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")


def read(path):
    """A notebook as it is stored; nbformat.read would mend ids that stand twice."""
    return nbformat.v4.reads(Path(path).read_text(encoding="utf-8"))


def kind(path):
    """What a notebook is, by its folder: 'master', 'exercise' or 'chapter'."""
    return {"solutions": "master", "exercises": "exercise"}.get(Path(path).parent.name, "chapter")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    return cell.metadata.get("tags", [])


def parse(cell):
    """The statements of a code cell; none where it is not Python (`plain_python` reports that)."""
    try:
        return ast.parse(cell.source).body
    except SyntaxError:
        return []


def prose(cell):
    """A text cell without its code blocks, code spans and formulas."""
    return re.sub(r"^(```|~~~).*?^\1|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$", "", cell.source, flags=re.M | re.S)


def shown(cell):
    """The texts in a cell's outputs, as pairs (type, text); pictures' bytes are left out."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield output.name, output.text
        elif output.output_type == "error":
            yield "error", f"{output.ename}: {output.evalue}"
        else:
            for mime, data in output.data.items():
                if not mime.startswith("image/") and isinstance(data, str):
                    yield mime, re.sub(r"data:[\w/+]+;base64,[\w+/=]+", "", data)


def headings(notebook):
    """(level, words, cell) of every heading, in order."""
    for cell in text(notebook):
        for marks, words in re.findall(r"^(#{1,6}) +(.*?)\s*$", prose(cell), re.M):
            yield len(marks), words, cell


def calls(cell):
    """(name of the function, call) of every call in a code cell."""
    nodes = [node for statement in parse(cell) for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func).rpartition(".")[2], node) for node in nodes]


def valid(notebook, path):
    """nbformat 4.5; cell ids are unique, and words, not random numbers."""
    faults = [f"not valid: {str(error).splitlines()[0]}" for error in iter_validate(notebook)]
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        faults.append(f"nbformat {notebook.nbformat}.{notebook.nbformat_minor}, expected 4.5")
    ids = [cell.get("id", "") for cell in notebook.cells]
    faults += [f"id {name!r} stands twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return faults + [
        f"id {name!r} is not made of words"
        for name in ids
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", name)
    ]


def executed(notebook, path):
    """Every code cell has something in it and was executed, in order: counts 1 to n."""
    faults = [f"{cell.id}: empty" for cell in notebook.cells if not cell.source.strip()]
    counts = [cell.execution_count for cell in code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        faults.append(f"execution counts are {counts}: record it")
    return faults


def has_outputs(notebook, path):
    """A cell that prints or shows something, or ends in a value, has its output stored."""

    def speaks(statements):
        for statement in statements:
            if isinstance(statement, (ast.For, ast.With)) and speaks(statement.body):
                return True
            call = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("print", "show", "display", "check"):
                return True
        return False

    def ends_in_value(statements):
        # A call may return None; Table(...) and other classes do not.
        value = statements[-1].value if statements and isinstance(statements[-1], ast.Expr) else None
        if isinstance(value, ast.Call):
            return getattr(value.func, "id", "")[:1].isupper() or getattr(value.func, "id", "") == "show_source"
        return value is not None and not isinstance(value, ast.Constant)

    return [
        f"{cell.id}: nothing is stored of what it shows"
        for cell in code(notebook)
        if not cell.outputs and (speaks(parse(cell)) or ends_in_value(parse(cell)))
    ]


def short_cells(notebook, path):
    """No code cell is longer than 25 lines."""
    lengths = {cell.id: len(cell.source.splitlines()) for cell in code(notebook)}
    return [f"{name}: {length} lines, at most {LINES}" for name, length in lengths.items() if length > LINES]


def ordered_headings(notebook, path):
    """One H1, which comes first; below it no level is left out."""
    levels = list(headings(notebook))
    faults = [] if [level for level, _, _ in levels].count(1) == 1 else ["there has to be one H1"]
    if notebook.cells and not notebook.cells[0].source.startswith("# "):
        faults.append("the first cell does not begin with the H1")
    for (above, _, _), (level, words, cell) in pairwise(levels):
        if level > above + 1:
            faults.append(f"{cell.id}: heading {words!r} has level {level} under level {above}")
    return faults


def alt_texts(notebook, path):
    """Every picture says in words what it shows."""
    faults = []
    for cell in text(notebook):
        faults += [f"{cell.id}: {url} has no alt text" for mark, alt, url in links(cell) if mark and not alt.strip()]
        faults += [f"{cell.id}: an <img> without alt text" for tag in images(cell.source) if not has_alt(tag)]
    for cell in code(notebook):
        for output in cell.outputs:
            if any(mime.startswith("image/") for mime in output.get("data", {})):
                faults.append(f"{cell.id}: a picture that cannot have an alt text: use show(figure, caption, alt)")
        for mime, words in shown(cell):
            if mime == "text/html":
                faults += [f"{cell.id}: an <img> without alt text" for tag in images(words) if not has_alt(tag)]
                if "<svg" in words and not re.search(r'aria-label="[^"]', words):
                    faults.append(f"{cell.id}: an <svg> without aria-label: use show(svg, caption, alt)")
    return faults


def images(html):
    return re.findall(r"<img\b[^>]*>", html)


def has_alt(tag):
    return re.search(r"""\balt=(["'])\s*[^"'\s]""", tag)


def no_machine(notebook, path):
    """No path of somebody's machine, in sources or outputs."""
    return [
        f"{cell.id}: a path of a machine, {found.group()!r}"
        for cell in notebook.cells
        for words in [cell.source, *(words for _, words in shown(cell))]
        if (found := MACHINE.search(words))
    ]


def no_complaints(notebook, path):
    """No warning, no traceback, nothing on standard error."""
    faults = []
    for cell in code(notebook):
        for name, words in shown(cell):
            if name in ("error", "stderr"):
                faults.append(f"{cell.id}: {name}: {words.strip()[:80]}")
            elif re.search(r"Warning\b", words):
                faults.append(f"{cell.id}: a warning in its output")
    return faults


def plain_python(notebook, path):
    """Python without magics, shell lines, trailing semicolons, path edits or star imports."""
    faults = []
    for cell in code(notebook):
        lines = cell.source.splitlines()
        faults += [f"{cell.id}: {line.strip()!r} is not Python" for line in lines if re.match(r"\s*[%!]", line)]
        if lines and lines[-1].rstrip().endswith(";"):
            faults.append(f"{cell.id}: a trailing semicolon")
        if re.search(r"\bsys\.path\b", cell.source):
            faults.append(f"{cell.id}: edits sys.path")
        if re.search(r"^\s*from\s+\S+\s+import\s+\*", cell.source, re.M):
            faults.append(f"{cell.id}: import *")
        if not parse(cell) and cell.source.strip() and not re.search(r"^\s*[%!#]", cell.source, re.M):
            faults.append(f"{cell.id}: does not parse")
    return faults


def links(cell):
    """(mark, words, address) of every link in a text cell; the mark of an image is '!'."""
    return LINK.findall(prose(cell))


def anchors(notebook):
    """What a link may name in a notebook: its headings, as JupyterLab and nbconvert spell them."""
    return {re.sub(r"[`*_]", "", words).replace(" ", "-") for _, words, _ in headings(notebook)}


def links_resolve(notebook, path):
    """Links are https, or relative and lead to a file here and a heading in it; nothing leads to the solutions."""
    faults = []
    for cell in text(notebook):
        for _, _, address in links(cell):
            if re.match(r"[a-z]+:", address):
                if not address.startswith(("https://", "attachment:")):
                    faults.append(f"{cell.id}: {address} is not https")
                continue
            name, _, anchor = unquote(address).partition("#")
            target = Path(path).parent / name if name else Path(path)
            if not target.exists():
                faults.append(f"{cell.id}: {address} leads nowhere")
            elif "solutions" in target.parts and kind(path) != "master":
                faults.append(f"{cell.id}: {address} leads to the solutions")
            elif anchor and target.suffix == ".ipynb":
                there = read(target) if name else notebook
                if anchor not in anchors(there):
                    faults.append(f"{cell.id}: {address} names no heading")
    return faults


def normalized(notebook, path):
    """Stored as the recorder stores it: nothing of the machine or of one run in the metadata."""
    faults = []
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        faults.append("the kernelspec is not python3")
    if "widgets" in notebook.metadata or "version" in notebook.metadata.get("language_info", {}):
        faults.append("metadata of one machine or run: record it")
    for cell in code(notebook):
        if "execution" in cell.metadata or "ExecuteTime" in cell.metadata:
            faults.append(f"{cell.id}: times in its metadata: record it")
        for output in cell.outputs:
            view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json", {})
            if view.get("model_id"):
                faults.append(f"{cell.id}: the random id of a widget: record it")
    return faults


def ignored_outputs_are_held(notebook, path):
    """A cell whose output is not compared is followed by one that asserts a range; no cell is skipped."""
    faults, cells = [], code(notebook)
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        asserts = after is not None and any(isinstance(node, ast.Assert) for s in parse(after) for node in ast.walk(s))
        if "nbval-ignore-output" in tags(cell) and not asserts:
            faults.append(f"{cell.id}: its output is not compared, and the next code cell asserts nothing")
        if {"nbval-skip", "raises-exception"} & set(tags(cell)) or "NBVAL_" in cell.source:
            faults.append(f"{cell.id}: of nbval's marks only the tag nbval-ignore-output is used")
    return faults


def small_file(notebook, path):
    """The file is smaller than 1.5 MB."""
    size = Path(path).stat().st_size
    return [f"{size:,} bytes, at most {BYTES:,}"] if size > BYTES else []


def plumbing_is_folded_everywhere(notebook, path):
    """A code cell that is folded in JupyterLab (jupyter.source_hidden) has the tag hide-input, and the other way round.

    JupyterLab reads the one, our slides and a site the other. nbconvert's own templates read neither; there it takes
    `jupyter nbconvert --to html --TagRemovePreprocessor.enabled=True
    --TagRemovePreprocessor.remove_input_tags=hide-input`.
    """
    return [
        f"{cell.id}: of jupyter.source_hidden and the tag hide-input it has only one"
        for cell in notebook.cells
        if bool(cell.metadata.get("jupyter", {}).get("source_hidden")) != ("hide-input" in tags(cell))
    ]


ALWAYS = [
    valid,
    executed,
    has_outputs,
    short_cells,
    ordered_headings,
    alt_texts,
    no_machine,
    no_complaints,
    plain_python,
    links_resolve,
    normalized,
    ignored_outputs_are_held,
    plumbing_is_folded_everywhere,
    small_file,
]
