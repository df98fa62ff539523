.PHONY: help test check lint format generate fuzz mutate bench soak release dev

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

test: ## the tests, as in the README
	go test ./...

check: ## everything that CI runs; it installs nothing, and names what is missing
	.ci/run --no-install

lint: ## vet and staticcheck
	go vet ./...
	go tool staticcheck ./...

format: ## format the code and tidy the modules
	gofmt -w $$(git ls-files '*.go')
	for module in $$(.ci/modules); do (cd $$module && go mod tidy); done

generate: ## rewrite the generated files: the fake's table, documents, client, signature vectors
	go run ./internal/twiliogen
	go test ./twiliofake -run TestCoverage -update
	go test . -run TestConfigurationIsDocumented -update
	go test ./internal/gen -run TestGolden -update
	cd internal/testing/signatures && npm ci && node vectors.mjs && node sharedkeys.mjs

fuzz: ## fuzz every parser of strangers' input, FUZZTIME each (default 30s)
	.ci/fuzz $${FUZZTIME:-30s}

mutate: ## change one operator at a time in PACKAGES (default signature, twilioapi, the root); a test must notice
	ulimit -v 8000000 && go run ./internal/testing/mutants -exec "nice -n 19" -list internal/testing/mutants/survivors.txt $${PACKAGES:-signature twilioapi .}

bench: ## all comparisons in one run; writes the tables of bench/README.md
	bench/run

soak: ## load with faults for SOAK (default 10m); EVENTS (default 333333), each delivered 1 to 5 times, while processes are killed
	FLEXFN_SOAK=$${SOAK:-10m} go test -race -count 1 -timeout 0 -v -run TestSoak ./internal/testing/soak
	for module in redisflexfn pgflexfn riverflexfn; do (cd $$module && FLEXFN_SOAK_EVENTS=$${EVENTS:-333333} go test -count 1 -timeout 0 -v -run TestDeliveries) || exit; done

release: ## binaries, bill of materials and checksums, from the last commit, in dist/
	.ci/release

dev: ## serve the example functions with a fake Twilio
	go run ./cmd/flexfn dev
