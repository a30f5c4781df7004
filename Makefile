# make            this list
# make run        serves the page on https://localhost:8443/, with a relay; other flags: make run FLAGS='--log debug'
# make cluster    three nodes that are one service, and NATS between them, all on this machine: call from one page to another
# make test       all tests that need no root
# make check      formatting, lints, docs, types
# make fuzz       fuzzing, 60 seconds for each target: SECONDS=60
# make soak       peers that talk and fail, 10 minutes: SECONDS=600
# make soak-cluster three nodes under load, of which one is killed every 30 s, 5 minutes: SECONDS=300; END=restart: they are restarted one after the other
# make check-cost counts what must not grow unnoticed (a part of CI)
# make rivals     what it is measured beside: servers in Rust, of 250 crates, are built in 4 minutes at first
# make bench      beside other servers, in 11 minutes; QUICK=1: one, which shows only that it works
# make bench-turn the relay beside coturn, in 4 minutes
# make bench-cluster a message from node to node beside one within a node, and with 2, 4 and 8 nodes, in 5 minutes
# make growth     many peers, many rooms, in 3 minutes; QUICK=1: one
# make npm        a package of the client, into target/npm
# make test-npm   that package in fresh projects: plain Node, TypeScript, Vite, React (a part of make test)
# make deb        a package for Debian, into target/debian
# make test-deb   that package, in a Debian of its own: installed, upgraded, removed, purged; needs root (a part of CI)
# make attack     what has succeeded against the server once, tried again; the quick half is a part of make test
# make test-memory what floods take of memory (a part of make test)
# make test-nginx behind nginx (a part of make test)
# make test-clock a clock that jumps (a part of make test)
# make test-acme  certificates from a real authority (a part of make test)
# make test-monitor what Prometheus and Grafana ask for (a part of make test)
# make test-matchbox the client of matchbox, against the built server (300 packages, built in 4 minutes at first; no part of make test)
# make test-dialects clients that others wrote, unchanged, against ours (a part of make test)
# make test-originals the same against the servers that they were made for, of which two are built in 3 minutes at first: whether the tests themselves are right
# make test-cluster nodes that are one service, and the NATS servers between them
# make simulate   nodes that are one service, on a network that fails; then the smallest cases in every order, long: SEEDS=0..20000
# make test-page-all the page's tests with each pair of browsers, where make test takes one
# make test-six   six browsers in one room: killed, loaded anew, the server restarted; and its uplink: five minutes, for a machine that has nothing else to do
# make test-network calls between networks of each kind, wherever the server stands: a part of the pairs; needs root
# make test-network-all the same with every pair

.DEFAULT_GOAL = help
.PHONY: help run cluster test check fuzz attack test-memory test-nginx test-clock test-acme test-monitor test-matchbox test-dialects test-originals test-cluster simulate test-page-all test-six test-network test-network-all rivals bench bench-cluster growth check-cost soak soak-cluster bench-turn deb test-deb npm test-npm

# The lines at the top of this file.
help:
	@sed -n '/^# make/s/^# //p' $(firstword $(MAKEFILE_LIST))

FLAGS =
run:
	cargo run -- --turn --turn-allow-peer 127.0.0.0/8 --turn-allow-peer ::1 $(FLAGS)

cluster: node_modules
	tests/nats current
	cargo build
	node tests/cluster/run.js $(FLAGS)

test: node_modules tests/dialects/node_modules tests/npm/node_modules
	tests/tools openssl=openssl python3=python3 chromium=chromium firefox-esr=firefox-esr
	cargo test
	$(MAKE) test-memory test-nginx test-clock test-acme test-monitor
	npm run --silent check
	npm test --silent
	cargo build
	tests/unpack target/coturn coturn
	npm run --silent test:turn
	npm run --silent test:browser
	$(MAKE) test-npm test-dialects
	@echo 'Not run here: make check (formatting, lints, docs), make test-matchbox and test-originals (long builds), make test-deb and test-network (need root).'

check: node_modules tests/dialects/node_modules tests/npm/node_modules
	cargo fmt --all --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items
	npm run --silent check
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo 'Not run here: cargo deny (cargo install cargo-deny).'; fi

# What it learns stays in fuzz/corpus; what breaks a rule is in fuzz/artifacts, and becomes a seed once it is mended.
fuzz: SECONDS = 60
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is missing: cargo install cargo-fuzz' >&2; exit 1; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo 'nightly Rust is missing: rustup toolchain install nightly' >&2; exit 1; }
	@cd fuzz && cargo +nightly fuzz build && for target in $$(cargo +nightly fuzz list); do \
		mkdir -p corpus/$$target && \
		cargo +nightly fuzz run $$target corpus/$$target seeds/$$target -- \
			-max_total_time=$(SECONDS) -max_len=4096 -print_final_stats=1 || exit 1; done

# What has succeeded against the server once, tried again from outside: the quick ones are part of make test.
attack:
	cargo test --test it -- attack::
	cargo test --test it -- --ignored --test-threads=1 attack::

# What floods of rooms take of memory: one after the other, and with the machine for themselves.
test-memory:
	cargo test --test it -- --ignored --test-threads=1 attack::memory::the_

test-nginx:
	tests/unpack target/nginx nginx
	cargo test --test it -- --ignored nginx::

test-clock:
	tests/tools faketime=faketime
	cargo test --test it -- --ignored clock::

test-acme:
	tests/tools faketime=faketime
	tests/unpack target/pebble pebble
	cargo test --test it -- --ignored acme::

# A real Prometheus asks two nodes under load: what the dashboard and the rules ask for is there.
test-monitor:
	tests/unpack target/prometheus prometheus
	tests/nats current
	NATS_SERVER=$(CURDIR)/target/nats/nats-server cargo test --test it -- --ignored monitor::

# The native client itself, as it comes from its registry: a room, and groups of two.
test-matchbox:
	cargo build
	CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/matchbox cargo run --quiet --locked \
		--manifest-path tests/matchbox/Cargo.toml -- $${CARGO_TARGET_DIR:-target}/debug/entremise

# Clients that others wrote, as they are, and beside ours the servers that they were made for, but for those of Rust.
test-dialects: node_modules tests/dialects/node_modules
	tests/tools openssl=openssl chromium=chromium firefox-esr=firefox-esr
	tests/unpack target/nginx nginx
	cargo build
	npm run --silent test:dialects

# A script that fails here is wrong itself. What is built already is not built again.
ORIGINALS = $${CARGO_TARGET_DIR:-target}/originals
test-originals: node_modules tests/dialects/node_modules
	tests/tools openssl=openssl chromium=chromium firefox-esr=firefox-esr
	tests/unpack target/nginx nginx
	cargo install --quiet --debug --locked --root $(ORIGINALS) --version 0.15.0 matchbox_server
	cargo install --quiet --debug --locked --root $(ORIGINALS) --version 0.15.4 gst-plugin-webrtc-signalling
	ORIGINALS=$$(realpath $(ORIGINALS)) npm run --silent test:originals

test-cluster: node_modules
	tests/tools chromium=chromium firefox-esr=firefox-esr
	tests/nats
	cargo build
	tests/on-two-nodes target/nats/nats-server
	tests/on-two-nodes target/nats-2.9/usr/sbin/nats-server own
	npm run --silent test:cluster
	cargo bench --quiet --profile dev --bench soak -- restart target/nats/nats-server 20

# Nodes, clients and a network that fails, simulated: each run follows from its seed, and one that breaks a promise prints its story.
# Then what two clients can do in a few steps, in every order.
simulate: SEEDS = 0..20000
simulate:
	CARGO_PROFILE_TEST_OPT_LEVEL=3 CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target}/simulate SEEDS=$(SEEDS) RUST_BACKTRACE=0 \
		cargo test --lib -- --ignored what_is_promised_holds_in_many_runs whatever_two_clients_do

test-page-all: export WHOLE = 1
test-page-all: node_modules
	tests/tools openssl=openssl python3=python3 chromium=chromium firefox-esr=firefox-esr
	cargo build
	tests/unpack target/coturn coturn
	npm run --silent test:browser

test-six: node_modules
	tests/tools chromium=chromium openssl=openssl
	cargo build
	npm run --silent test:six

# Calls between browsers in networks of each kind, by a server in each place where servers stand: a part of the pairs.
test-network: node_modules
	tests/tools ip=iproute2 nft=nftables curl=curl openssl=openssl chromium=chromium firefox-esr=firefox-esr
	tests/unpack target/nginx nginx
	tests/unpack target/haproxy haproxy
	tests/unpack target/coturn coturn
	cargo build
	$(if $(WHOLE),,timeout 600) npm run --silent test:network

# The same with every pair of networks.
test-network-all: export WHOLE = 1
test-network-all: test-network

rivals: benches/rivals/node_modules tests/dialects/node_modules
	cargo install --quiet --locked --root $${CARGO_TARGET_DIR:-target}/originals/release \
		matchbox_server@0.15.0 gst-plugin-webrtc-signalling@0.15.4

# The table and its plot are written into the folder INTO: docs, for those that are committed.
INTO = $${CARGO_TARGET_DIR:-target}/bench
bench: rivals
	cargo bench --bench load -- $(if $(QUICK),quick,whole) $(INTO)

# What a message costs that goes from node to node, beside one within a node.
bench-cluster:
	tests/nats current
	cargo bench --bench load -- across target/nats/nats-server

# What becomes of costs as peers, rooms and their members become many.
growth:
	cargo bench --bench load -- growth $(if $(QUICK),quick,whole) $(INTO)

# Three nodes, of which one is killed every 30 s.
soak-cluster: SECONDS = 300
soak-cluster: END = kill
soak-cluster:
	tests/nats current
	cargo bench --bench soak -- $(END) target/nats/nats-server $(SECONDS)

soak: SECONDS = 600
soak:
	cargo bench --bench soak -- $(SECONDS)

# COTURN: a folder with another one than Debian's, its program at usr/bin/turnserver.
COTURN = $(CURDIR)/target/coturn
bench-turn:
	$(if $(filter $(CURDIR)/target/coturn,$(COTURN)),tests/unpack target/coturn coturn)
	cargo bench --bench load -- turn "$(COTURN)"

npm: node_modules
	npm/build

test-npm: node_modules tests/npm/node_modules
	tests/tools chromium=chromium firefox-esr=firefox-esr
	cargo build
	npm run --silent test:npm

# PROFILE=dev: unoptimized, to try the package itself.
PROFILE = release
deb:
	command -v cargo-deb >/dev/null || cargo install --quiet --debug --locked --version 3.8.0 cargo-deb
	tests/deb/build $(PROFILE)

test-deb:
	tests/tools debootstrap=debootstrap lintian=lintian openssl=openssl curl=curl
	tests/unpack target/pebble pebble
	rm -f target/debian/*.deb
	$(MAKE) deb PROFILE=dev
	tests/deb/base
	tests/deb/run

# Counted and not timed, so that a busy machine finds the same.
check-cost:
	tests/tools valgrind=valgrind
	cargo bench --bench cost

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules

tests/dialects/node_modules: tests/dialects/package.json tests/dialects/package-lock.json
	npm ci --prefix tests/dialects --no-audit --no-fund
	@touch tests/dialects/node_modules

tests/npm/node_modules: tests/npm/package.json tests/npm/package-lock.json
	npm ci --prefix tests/npm --no-audit --no-fund
	@touch tests/npm/node_modules

benches/rivals/node_modules: benches/rivals/package.json benches/rivals/package-lock.json
	npm ci --prefix benches/rivals --no-audit --no-fund
	@touch benches/rivals/node_modules
