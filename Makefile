# Thin on purpose: a target says what it needs and calls Python. `make` alone lists the targets.
# PYTHON is the interpreter that .venv is made with: make lab PYTHON=/path/to/python3.13

# Passed over: Python 2, and an entry of PATH that does not run (a pyenv shim without its version).
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do $$p -c 'f""' 2>&- && echo $$p && break; done)
RUN := .venv/bin/python
need = $(if $($1),,$(error make $@ needs $1, for example: make $@ $2))
silent = said=$$($1 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }
unexport PYTHONPATH PYTHONHOME PYTHONOPTIMIZE
# Else pyright asks the network whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.DEFAULT_GOAL := help
.PHONY: help lab fresh test lint benchmark notebooks exercises slides release grade environment tools

help:        ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

lab: environment   ## open the course in JupyterLab (the first call installs it into .venv)
	@$(RUN) -m course_utils lab

fresh: environment ## a clean copy of a chapter beside yours: make fresh NN=06
	$(call need,NN,NN=06)
	@$(RUN) -m course_utils fresh "$(NN)"

test: lint   ## prove everything: style, unit tests, every notebook
	@$(RUN) -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

lint: tools  ## style, the order of imports, types
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m ruff format --quiet --check . || { echo "mend it with: $(RUN) -m ruff format ." >&2; exit 1; }
	@$(call silent,.venv/bin/lint-imports --no-logo --no-cache)
	@$(call silent,$(RUN) -m pyright --pythonpath $(RUN))

benchmark:         ## speeds, as ratios measured in one run
	$(bootstrap) test benchmark
	@$(RUN) -m pytest -q -s -o python_files="bench_*.py" tests/benchmarks

notebooks: tools   ## run all notebooks and store them as the tests will see them
	@$(RUN) -m course_utils.authors record

exercises: tools   ## make the learners' exercises from the masters
	@$(RUN) -m course_utils.authors exercises

slides: tools      ## a reveal.js page of each chapter, in build/slides
	@$(RUN) -m course_utils.authors slides

release: tools     ## student versions of a chapter's exercises: make release NN=06 OUT=DIR
	$(call need,NN,NN=06 OUT=DIR)$(call need,OUT,NN=06 OUT=DIR)
	@$(RUN) -m course_utils release "$(NN)" --out "$(OUT)"

grade: tools       ## grade submissions: make grade NN=06 SUBMISSIONS=DIR OUT=DIR [ROSTER=FILE] [STUDENT=NAME] [FORMAT=moodle]
	$(call need,NN,NN=06 SUBMISSIONS=DIR OUT=DIR)$(call need,SUBMISSIONS,NN=06 SUBMISSIONS=DIR OUT=DIR)
	$(call need,OUT,NN=06 SUBMISSIONS=DIR OUT=DIR)
	@$(RUN) -m course_utils grade "$(NN)" --submissions "$(SUBMISSIONS)" --out "$(OUT)" \
		$(if $(ROSTER),--roster "$(ROSTER)") $(if $(STUDENT),--student "$(STUDENT)") $(if $(FORMAT),--format "$(FORMAT)")

# What is needed to learn, and what is needed beside that to prove and to grade. Does nothing where all is there.
bootstrap = @$(if $(PYTHON),"$(PYTHON)" course_utils/setup/bootstrap.py,$(error no Python was found: install Python 3.11 to 3.13))
environment:
	$(bootstrap)
tools:
	$(bootstrap) test grade
