# Everything is in scripts/dev.py; without make, type: python3 scripts/dev.py COMMAND
PYTHON ?= python3

.PHONY: setup demo test test-ipfs lint format symbolic slither coverage analyse soundness gas gas-check vectors vectors-check artifacts bench clean

setup:         ; @$(PYTHON) scripts/dev.py setup
demo:          ; @$(PYTHON) scripts/dev.py demo $(ARGS)
test:          ; @$(PYTHON) scripts/dev.py test $(ARGS)
test-ipfs:     ; @$(PYTHON) scripts/dev.py test-ipfs $(ARGS)
lint:          ; @$(PYTHON) scripts/dev.py lint
format:        ; @$(PYTHON) scripts/dev.py format
symbolic:      ; @$(PYTHON) scripts/dev.py symbolic
slither:       ; @$(PYTHON) scripts/dev.py slither
coverage:      ; @$(PYTHON) scripts/dev.py coverage
analyse:       ; @$(PYTHON) scripts/dev.py analyse
soundness:     ; @$(PYTHON) scripts/dev.py soundness $(ARGS)
gas:           ; @$(PYTHON) scripts/dev.py gas
gas-check:     ; @$(PYTHON) scripts/dev.py gas --check
vectors:       ; @$(PYTHON) scripts/dev.py vectors
vectors-check: ; @$(PYTHON) scripts/dev.py vectors --check
artifacts:     ; @$(PYTHON) scripts/dev.py artifacts
bench:         ; @$(PYTHON) scripts/dev.py bench $(ARGS)
clean:         ; @$(PYTHON) scripts/dev.py clean
