# Every command a developer needs. `make` lists them.
# Each installs what it lacks (Debian packages by apt, cargo tools by cargo) and says what it does.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# What the tests talk to; see tools/peers.
TEST_PEERS := sipp sipp_tls baresip promtool dnsmasq asterisk sounds lua postgresql chromium axe libsrtp recogniser duckdb identity clang nginx
BENCH_PEERS := sipp kamailio rtpengine
# A short run, to see that it works: make bench BENCH_ARGS="--runs 1 --calls 100 --heard-calls 50 --window 2"
BENCH_ARGS ?=
# Minutes of `make soak`.
SOAK_MINUTES ?= 60
# Seconds that each fuzz target runs.
FUZZ_SECONDS ?= 20

# What `make deb` packages: the optimised binary, or another one that is built already.
RELEASE := $(TARGET)/release/sidetone
BINARY ?= $(RELEASE)
PACKAGES := $(TARGET)/package

.PHONY: help demo test soak lint deny bench bench-store model-tables fuzz build screenshots release deb deb-test image setup peers clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install the libraries that the build needs (libopus)
	@tools/setup.sh build

build: setup ## build the binary that demo and tests use
	$(CARGO) build --workspace

demo: setup ## a call through Sidetone on this machine, live, no PBX needed (DEMO_ARGS=--browser: your own, from a browser)
	@echo "building (the first time takes some minutes; the network's library is large)"
	@# The whole workspace, as the tests build it: for the binary alone cargo would choose other features, and compile anew.
	$(CARGO) build --workspace
	$(TARGET)/debug/sidetone demo $(DEMO_ARGS)

test: setup peers ## everything that must hold, against real peers
	$(CARGO) build --workspace --all-targets
	@tools/test.sh

peers: ## install the real peers that the tests talk to
	@tools/peers/install.sh $(TEST_PEERS)

lint: ## formatting, clippy with warnings denied, documentation, structure, licences if cargo-deny is there
	@tools/setup.sh lint
	$(CARGO) fmt --all --check
	@tools/features.sh
	@python3 tools/structure.py
	@python3 tools/prose.py
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	@tools/deny.sh if-there

deny: ## licences, doubled crates and advisories of all dependencies
	@tools/deny.sh

bench: setup ## Sidetone beside rtpengine and Kamailio, and what listening costs
	@tools/peers/install.sh $(BENCH_PEERS)
	@tools/bench/run.sh $(BENCH_ARGS)

bench-store: setup ## a year of made-up calls in an SQLite store, and how long its lists take
	$(CARGO) run --release -p sidetone-store --example year

model-tables: setup ## docs/MODEL.md's tables anew: LABELS=labels.csv SPEECH=DIR SOUNDS=hold-music/,calls/ PROMPTS=one-voice/,another/
	@# The binary of tests and demo: what computes is optimised there as in a release.
	$(CARGO) build --workspace --all-targets
	@python3 tools/model-tables.py --binary $(TARGET)/debug/sidetone --labels $(LABELS) --speech $(SPEECH) \
		$(if $(SOUNDS),--sounds $(SOUNDS)) $(if $(PROMPTS),--prompts $(PROMPTS)) $(MODEL_TABLES_ARGS)

fuzz: ## every fuzz target for FUZZ_SECONDS (default 20) each
	@tools/fuzz.sh $(FUZZ_SECONDS)

soak: setup peers ## calls that come and go for an hour (SOAK_MINUTES): memory, descriptors, threads, ports stay as they are
	$(CARGO) build --workspace
	SIDETONE_SOAK_MINUTES=$(SOAK_MINUTES) $(CARGO) test --workspace --test scenarios a_soak -- --nocapture

screenshots: setup ## pictures of the pages into docs/images, from the demo in Chromium
	@tools/screenshots.sh

release: setup ## the optimised binary, target/release/sidetone
	$(CARGO) build --release -p sidetone

deb: setup ## Debian packages of the optimised binary, in target/package (BINARY=… for another one)
	@tools/setup.sh package
	@[ "$(BINARY)" != "$(RELEASE)" ] || $(CARGO) build --release -p sidetone
	@tools/package/deb.sh $(BINARY) $(PACKAGES)

image: deb ## an OCI image of the package, without a container engine, in target/package
	@deb=$$(ls -t $(PACKAGES)/sidetone_*.deb | head -n 1) && tools/package/image.py "$$deb" "$${deb%.deb}.oci.tar"

# Not in `make test`: it takes root and, the first time, a minute for the root file system. It packages the binary of the tests.
deb-test: setup ## package the debug binary, install and start it in a clean Debian, then the same as an image
	@tools/setup.sh package
	@tools/peers/install.sh debian
	$(CARGO) build --workspace
	@tools/package/test.sh $(TARGET)/debug/sidetone

clean: ## remove what was built, and the peers
	$(CARGO) clean
	rm -rf .peers
