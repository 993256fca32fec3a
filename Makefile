# llmgate. `make` or `make help` lists the targets.

CARGO ?= cargo
MUSL  ?= x86_64-unknown-linux-musl
BIN   := target/release/llmgate

.DEFAULT_GOAL := help
.PHONY: help build release run test test-all check fmt lint doc golden size bench fuzz deny install version clean dist

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

doc: ## documentation of the code: target/doc/llmgate
	$(CARGO) doc --locked --no-deps

.PHONY: docs
docs: release ## run the commands of README.md and docs/*.md
	scripts/check_docs.sh $(BIN)

golden: ## rewrite the golden files; review the difference like code
	UPDATE_GOLDEN=1 $(CARGO) test --locked --test it

size: release ## size of the optimized build
	@ls -l $(BIN) | awk '{printf "%s: %.2f MiB\n", $$NF, $$5 / 1048576}'

bench: release ## load and abuse, against the optimized build
	$(CARGO) bench --locked --bench abuse -- $(CURDIR)/$(BIN)

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

dist: ## static Linux build with its checksum, in target/dist
	$(CARGO) build --locked --release --target $(MUSL)
	mkdir -p target/dist && cp target/$(MUSL)/release/llmgate target/dist/llmgate-$(MUSL)
	cd target/dist && sha256sum llmgate-$(MUSL) > llmgate-$(MUSL).sha256
