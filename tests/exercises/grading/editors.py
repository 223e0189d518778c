"""Notebooks as editors write them: a function for each turns a notebook in format 4.5 (a dict) into what it saves."""

import copy
import hashlib
import json
import re

LANGUAGE = {"display_name": "Python 3", "language": "python", "name": "python3"}


def answered(notebook, answers):
    """A dict of a notebook, class version or learner's, with answers in their cells, by id; as if it had been run."""
    made = json.loads(json.dumps(notebook))
    count = 0
    for cell in made["cells"]:
        cell["source"] = lines(answers.get(cell["id"], "".join(cell["source"])))
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"], cell["outputs"] = count, []
            if cell["id"].endswith("-check"):
                text = [f"{cell['id'].removesuffix('-check')}: right\n"]
                cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": text}]
    return made


def lines(source):
    return source.splitlines(keepends=True)


def some_id(cell, number, length=12):
    """Letters and digits that look drawn, the same on every day."""
    return hashlib.sha256(f"{number} {''.join(cell['source'])}".encode()).hexdigest()[:length]


def without_ids(notebook, role=False):
    """Cells without ids, as in the formats before 4.5, and without nbgrader's metadata unless `role` is true."""
    made = copy.deepcopy(notebook)
    for cell in made["cells"]:
        cell.pop("id", None)
        cell["metadata"] = {"nbgrader": cell["metadata"]["nbgrader"]} if role and "nbgrader" in cell["metadata"] else {}
    return made


def colab(notebook):
    """Format 4.5 with ids of its own, in the metadata, too; nbgrader's metadata stay."""
    made = copy.deepcopy(notebook)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = some_id(cell, number)
        cell["metadata"] |= {"id": cell["id"]}
        if cell.get("outputs"):
            cell["metadata"] |= {
                "outputId": some_id(cell, number, 36),
                "colab": {"base_uri": "https://localhost:8080/"},
            }
    made["metadata"] = {"colab": {"provenance": []}, "kernelspec": LANGUAGE, "language_info": {"name": "python"}}
    return json.dumps(made, indent=2, ensure_ascii=False)


def colab_4_0(notebook):
    """No ids but in the metadata, no metadata that Colab does not know."""
    made = without_ids(notebook)
    for number, cell in enumerate(made["cells"]):
        cell["metadata"] = {"id": some_id(cell, number)}
    made |= {"nbformat_minor": 0, "metadata": {"colab": {"name": "Kopie von 06.ipynb", "provenance": []}}}
    return json.dumps(made, indent=2)


def vs_code(notebook):
    """Ids of its own, sources without a line end at the end, a language for each cell."""
    made = copy.deepcopy(notebook)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = some_id(cell, number, 8)
        cell["metadata"] = {"vscode": {"languageId": "python" if cell["cell_type"] == "code" else "markdown"}}
    made["metadata"] = {"language_info": {"name": "python", "version": "3.12.3"}}
    return json.dumps(made, indent=1, ensure_ascii=False)


def kaggle(notebook):
    """One line; sources as strings; identifiers in the metadata."""
    made = without_ids(notebook)
    for number, cell in enumerate(made["cells"]):
        cell["source"] = "".join(cell["source"])
        cell["metadata"] = {
            "_uuid": some_id(cell, number, 40),
            "_cell_guid": some_id(cell, number, 36),
            "trusted": True,
        }
        if cell["cell_type"] == "code":
            when = "2026-01-07T09:30:00.123456Z"
            cell["metadata"]["execution"] = {"iopub.status.busy": when, "shell.execute_reply": when}
    made |= {"nbformat_minor": 4, "metadata": {"kernelspec": LANGUAGE, "kaggle": {"accelerator": "none"}}}
    return json.dumps(made)


def classic(notebook):
    """The classic Notebook, format 4.4: no ids, nbgrader's metadata stay."""
    made = without_ids(notebook, role=True)
    return json.dumps(made | {"nbformat_minor": 4}, indent=1) + "\n"


def nteract(notebook):
    made = without_ids(notebook)
    for cell in made["cells"]:
        cell["metadata"] = {
            "jupyter": {"source_hidden": False, "outputs_hidden": False},
            "nteract": {"transient": {"deleting": False}},
        }
    made |= {"nbformat_minor": 4, "metadata": {"kernel_info": {"name": "python3"}, "nteract": {"version": "0.28.0"}}}
    return json.dumps(made, indent=2)


def percent(notebook):
    """jupytext's script in the percent format."""
    parts = ["# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: percent\n# ---\n"]
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).rstrip()
        if cell["cell_type"] == "code":
            parts.append(f"# %%\n{source}\n")
        else:
            parts.append("# %% [markdown]\n" + "".join(f"# {line}".rstrip() + "\n" for line in source.split("\n")))
    return "\n".join(parts)


def markdown(notebook):
    """jupytext's Markdown: two blank lines part two texts."""
    parts, before = [], None
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).rstrip()
        source = f"```python\n{source}\n```" if cell["cell_type"] == "code" else source
        parts.append("\n" + source if before == cell["cell_type"] == "markdown" else source)
        before = cell["cell_type"]
    return "---\njupyter:\n  kernelspec:\n    name: python3\n---\n\n" + "\n\n".join(parts) + "\n"


def jupytext(notebook):
    """A notebook that was a percent script in between: ids new, outputs and metadata gone, no space at ends."""
    made = without_ids(notebook)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = some_id(cell, number, 8)
        cell["source"] = lines("".join(cell["source"]).rstrip())
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = None, []
    made["metadata"] = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": LANGUAGE}
    return json.dumps(made, indent=1)


def lab(notebook):
    """JupyterLab: as it is, with a line end at the end of every cell."""
    made = copy.deepcopy(notebook)
    for cell in made["cells"]:
        cell["source"] = lines("".join(cell["source"]) + "\n")
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def lab_copied(notebook):
    """All cells copied into a new notebook: new ids, which nbgrader's metadata outlive."""
    made = without_ids(notebook, role=True)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = some_id(cell, number, 36)
    return json.dumps(made, indent=1)


def lab_copied_bare(notebook):
    """The texts copied into new cells, one by one, behind the empty cell that a new notebook has."""
    made = json.loads(lab_copied(without_ids(notebook)))
    made["cells"].insert(0, {"cell_type": "code", "id": "empty", "metadata": {}, "source": [], "outputs": []})
    return json.dumps(made, indent=1)


def lab_split(notebook):
    """Answers split at the cursor: JupyterLab gives the metadata to both parts, and a new id to one."""
    made = copy.deepcopy(notebook)
    cells = []
    for number, cell in enumerate(made["cells"]):
        parts = ["".join(cell["source"])]
        if re.fullmatch(r"\d\d-\d", cell["id"]):
            parts = (
                ["# First a thought.\nhelper = 1", *parts] if cell["cell_type"] == "code" else parts[0].split("\n\n")
            )
        for part, source in enumerate(parts):
            name = some_id(cell, number + part) if part < len(parts) - 1 else cell["id"]
            cells.append(copy.deepcopy(cell) | {"id": name, "source": lines(source)})
    return json.dumps(made | {"cells": cells}, indent=1)


EDITORS = {
    function.__name__: function
    for function in (
        *(colab, colab_4_0, vs_code, kaggle, classic, nteract, jupytext, lab, lab_copied, lab_copied_bare, lab_split),
    )
}
TEXTS = {"percent": (percent, ".py"), "markdown": (markdown, ".md")}


def write(folder, name, released, learner, answers):
    """A folder of submissions, STUDENT/name: one right answer from each editor and of both versions, some with a
    byte-order mark. Returns the names of the students."""
    students = []
    for number, (editor, save) in enumerate(EDITORS.items()):
        for version, notebook in (("class", released), ("learner", learner)):
            mark = b"\xef\xbb\xbf" if (number + (version == "class")) % 2 else b""
            students.append(f"{editor} {version}{' with mark' if mark else ''}")
            (folder / students[-1]).mkdir(parents=True)
            (folder / students[-1] / name).write_bytes(mark + save(answered(notebook, answers)).encode())
    return students
