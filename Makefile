# llmgate. `make` or `make help` lists the targets.

CARGO ?= cargo
MUSL  ?= $(shell uname -m)-unknown-linux-musl
BUILT := $(or $(CARGO_TARGET_DIR),target)
BIN   := $(BUILT)/release/llmgate

.DEFAULT_GOAL := help
.PHONY: help build release run test test-all check fmt lint lint-others doc golden size bench abuse fuzz deny install version clean \
	dist reproduce release-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## debug build
	$(CARGO) build --locked

release: ## optimized build: target/release/llmgate
	$(CARGO) build --locked --release

run: ## run the proxy from the sources; ARGS="--config FILE"
	$(CARGO) run --locked --release -- start $(ARGS)

test: ## all tests
	$(CARGO) test --locked

test-all: ## all tests, with and without the optional features (needs redis-server)
	$(CARGO) test --locked
	$(CARGO) test --locked --all-features

check: ## what the gate runs: format, lints, tests, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings
	$(CARGO) test --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

fmt: ## format the sources
	$(CARGO) fmt --all

lint: ## lints alone
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings

# ring is not linked here, so that nobody compiles its C.
lint-others: ## lints for macOS and Windows (rustup target add x86_64-apple-darwin x86_64-pc-windows-gnu)
	for target in x86_64-apple-darwin x86_64-pc-windows-gnu; do \
		TARGET_CC=true TARGET_AR=true $(CARGO) clippy --locked --all-features --target $$target -- -D warnings || exit 1; \
	done

doc: ## documentation of the code: target/doc/llmgate
	$(CARGO) doc --locked --no-deps

.PHONY: docs
docs: release ## run the commands of README.md and docs/*.md
	scripts/check_docs.sh $(BIN)

golden: ## rewrite the golden files; review the difference like code
	UPDATE_GOLDEN=1 $(CARGO) test --locked --test it

size: release ## size of the optimized build
	@ls -l $(BIN) | awk '{printf "%s: %.2f MiB\n", $$NF, $$5 / 1048576}'

bench: ## the promises of speed and size, measured on the static build (some minutes, on a quiet machine)
	scripts/dist.sh --binary $(MUSL)
	$(CARGO) bench --locked --bench load -- $(abspath $(BUILT)/$(MUSL)/release/llmgate) $(ARGS)

abuse: release ## clients and providers that behave badly, against the optimized build
	$(CARGO) bench --locked --bench abuse -- $(abspath $(BIN)) $(ARGS)

fuzz: ## all fuzz targets, TIME=1200 seconds each (needs cargo-fuzz and a nightly toolchain)
	sh tests/fuzz/run.sh

deny: ## bans, licences, sources, advisories (needs cargo-deny)
	$(CARGO) deny --config scripts/deny.toml check bans licenses sources advisories

install: ## install into cargo's bin folder
	$(CARGO) install --locked --path .

version: release ## version, commit, compiler, features
	@$(BIN) version

clean: ## remove everything that was built
	$(CARGO) clean

dist: ## archives with checksums in target/dist; DIST_TARGETS="TARGET..." for others than this machine's
	scripts/dist.sh $(DIST_TARGETS)

reproduce: ## build the last commit twice, in two places, and compare
	scripts/reproduce.sh $(DIST_TARGETS)

release-check: ## the gate of a release: size, start, memory and TLS of the static build, the unit it prints
	scripts/dist.sh --binary $(MUSL)
	scripts/release_check.sh $(BUILT)/$(MUSL)/release/llmgate
