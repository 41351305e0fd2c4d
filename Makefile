# What CI runs, part by part; .ci/run calls these targets. Each works alone.
# The long forms are in nightly; HACKING.md has the time that each part may take.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := check

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 4s
# 1 is 10,000 mails, about 1 GB; CI does a twentieth.
BENCH_SCALE ?= $(if $(CI),0.05,1)

.PHONY: check fmt vet staticcheck arrows tidy test race examples integration peers crash fuzz-short bench nightly

check: fmt vet staticcheck arrows tidy test ## what to run before a push

fmt: ## fails if gofmt would change anything
	@bad=$$(gofmt -l .); if [ -n "$$bad" ]; then echo "run gofmt -w on:" $$bad; exit 1; fi

vet: ## vet, and the builds that nobody runs here
	go vet ./...
	go vet -tags crash ./...
	CGO_ENABLED=0 GOARCH=386 go build ./...
	CGO_ENABLED=0 GOOS=windows go vet ./...

staticcheck:
	go run $(STATICCHECK) ./...

arrows: ## who may import whom: internal/arrows/table.go
	go test -count=1 ./internal/arrows

tidy: ## fails if go mod tidy would change anything
	go mod tidy -diff

test: ## the command of the README, without a C compiler
	CGO_ENABLED=0 go test ./...

race: ## the only part that needs cgo
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 20m ./...

examples:
	go build -o /dev/null ./examples/...
	go run ./examples/quickstart

integration: ## against a real Dovecot and Postfix; cuts a session at every byte
	VAGUEMESTRE_CUTS=all go test -count=1 -timeout 15m ./integration/...

peers: ## clients and a provider that are not ours, from npm: integration/peers
	./integration/peers/run

crash: ## kills programs at every durable step; the tests are named …Crash…
	go test -count=1 -timeout 20m -tags crash -run Crash ./...

# QUIRK: the end of -fuzztime itself may be reported as a failure
# ("context deadline exceeded" and no input): that alone is tried once more.
fuzz-short: ## every fuzz target for $(FUZZTIME)
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; { grep -rl --include='*_test.go' '^func Fuzz' . || :; } | sort | while read -r f; do \
	  for t in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$f"); do \
	    echo "== $$(dirname "$$f") $$t"; \
	    try() { go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname "$$f")" </dev/null 2>&1 | tee "$$log"; }; \
	    try || { grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log" && try; }; \
	  done; \
	done

bench: ## prints; never fails on a time
	go run ./integration/bench -scale $(BENCH_SCALE)

nightly: ## the long forms: hours
	$(MAKE) check examples peers
	VAGUEMESTRE_LONG=1 $(MAKE) race integration crash
	$(MAKE) fuzz-short FUZZTIME=5m
	$(MAKE) bench BENCH_SCALE=1
