# make run    serves the page on https://localhost:8443/
# make test   everything that needs no root
# See also: make check, make test-network (root), make bench

.PHONY: run test check test-network bench

run:
	cargo run

test: node_modules
	tests/tools chromium=chromium firefox-esr=firefox-esr
	cargo test
	npm run --silent check
	npm test --silent
	cargo build
	npm run --silent test:browser
	@echo 'Not run here: make check (formatting, lints, docs), make test-network (needs root).'

check: node_modules
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items
	npm run --silent check
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo 'Not run here: cargo deny (cargo install cargo-deny).'; fi

test-network:
	tests/tools ip=iproute2 curl=curl
	cargo build
	npm run --silent test:network

bench:
	cargo bench --bench idle_peers

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules
