# Needs Python 3.11 or newer and make; everything else comes into .venv and .cache on the first run.
#
#   make demo      a morning's subscriptions and cancellations through Kafka, Postgres and the service (KEEP=1: stays up)
#   make test      every test, against a real Kafka and Postgres (ARGS="-k refund" picks some)
#   make test-containers  the end-to-end tests against Kafka and Postgres in containers (needs a Docker engine)
#   make check     what CI runs: format, lint, types, architecture, generated files, locks, licences, audit, tests
#   make laws      the laws over 100,000 random steps, with what was compared (STEPS, SEED)
#   make simulate  the flow in a made-up world where everything goes wrong (SECONDS, SEED)
#   make mutants   changes the domain line by line, and says which changes no test noticed (ONLY)
#   make stories   the stories of the tests as a table for people who do not read Python
#   make security  the tables of deploy/SECURITY.md, from what the tests try and see
#   make fuzz      a million events tampered with, and what became of each (COUNT, SEED)
#   make bench     how fast, beside the floor and the plain way (ARGS=--quick: only to see that it runs)
#   make bench-big the same on ten million subscriptions
#   make chaos     faults over real processes, and what was lost to them (SHORT=1: a minute; SEED, ONLY, EVENTS)
#   make rehearse  a lost database restored to an instant and brought to the same books from Kafka (ARGS=--events 20000)
#   make alerts    the alert rules before promtool, and a Prometheus that scrapes the service and answers every panel
#   make pictures  the pictures of the README, taken of the real pages and the real demo
#   make contracts  the contract in the hands of others: AsyncAPI's parser, TypeScript, Java, a schema registry
#   make manifests  the manifests of deploy/kubernetes, made anew and held to the schemas of Kubernetes and its operators
#   make image     the container image, with version and commit
#   make sbom      what is in it, with licences: .cache/sbom.cdx.json (CycloneDX)
#   make release-schemas  keeps the schemas of the version in pyproject.toml, for the compatibility gate
#   make release   checks, keeps the schemas of and tags the version in pyproject.toml; says what it lacks
#   make licences  writes the list of the licences of all that is locked
#   make audit     asks for known vulnerabilities in what is locked
#   make format    rewrites the sources as `check` wants them
#   make lock      pins what pyproject.toml asks for (UPGRADE=1: the newest of it)
#   make clean     removes what make made

PYTHON ?= python3
RUN := .venv/bin/python -m

# The locks hold on every platform and on every Python from 3.11 on.
COMPILE := $(RUN) uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml
PROMETHEUS := github.com/prometheus/prometheus/cmd
PROMETHEUS_VERSION := v0.307.3
DEV := --constraints requirements.txt --extra local --group dev
UPGRADES := $(if $(filter 1,$(UPGRADE)),--upgrade)

.PHONY: demo test test-containers check laws fuzz simulate mutants stories security bench bench-big chaos rehearse alerts \
	pictures contracts manifests image sbom release-schemas release licences audit format lock clean environment fresh-locks

demo: environment
	@$(RUN) service demo $(if $(filter 1,$(KEEP)),--keep)

test: environment
	@$(RUN) pytest $(ARGS)

# Where no engine answers, they are skipped and say so.
test-containers: environment
	@$(RUN) pytest tests/end_to_end --containers $(ARGS)

check: environment
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	.venv/bin/lint-imports
	$(RUN) service schemas --check
	@$(MAKE) --no-print-directory fresh-locks
	$(RUN) tests.supply.licences --check
	$(RUN) tests.supply.audit
	$(RUN) pytest $(ARGS)

# The laws over arbitrary lives: STEPS of them (100000), from SEED (0) on.
laws: environment
	@$(RUN) tests.laws $(or $(STEPS),100000) $(or $(SEED),0)

mutants: environment
	@$(RUN) tests.mutants --only "$(ONLY)"

stories: environment
	@$(RUN) tests.stories

security: environment
	@$(RUN) tests.security

# The flow in a world of its own, in which everything goes wrong: for SECONDS (60), from SEED (0) on.
simulate: environment
	@$(RUN) tests.simulation $(or $(SECONDS),60) $(or $(SEED),0)

# Tampered records against the decoder and the whole way of a batch: COUNT of them (1000000), from SEED (0).
fuzz: environment
	@$(RUN) tests.fuzz $(or $(COUNT),1000000) $(or $(SEED),0)

# What stands of the figures; each is printed as a line of its own.
bench: environment
	@$(RUN) tests.benchmarks.domain
	@PLAN_ROWS=1000000 $(RUN) pytest -q tests/flow/test_plans.py
	@$(RUN) tests.benchmarks $(ARGS)

# The same stream on ten million subscriptions: some 30 GB of disk, half an hour.
bench-big: environment
	@$(RUN) tests.benchmarks --big --only growth $(ARGS)

# Every fault in turn, an hour and a half; the outages of ten minutes only when asked for by name (ONLY).
chaos: environment
	@$(RUN) tests.chaos $(if $(filter 1,$(SHORT)),--short) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) \
		$(if $(EVENTS),--events $(EVENTS))

pictures: environment
	@$(RUN) tests.pictures

# Two minutes: the books before the loss, right after each restore, and when the worker has caught up.
rehearse: environment
	@$(RUN) tests.rehearsal $(ARGS)

# Fetches what it needs; a node and npm on the PATH are used, else come from the package index.
contracts: environment
	@CONTRACTS=1 $(RUN) pytest tests/contracts $(ARGS)

# Built once, from the Go module proxy, in a module of its own: with a version, Go builds none that replaces others.
alerts: environment .cache/promtool/promtool .cache/prometheus/prometheus
	@$(RUN) pytest tests/alerts $(ARGS)

.cache/promtool/promtool .cache/prometheus/prometheus:
	@mkdir -p $(@D)/module
	@cd $(@D)/module && { test -f go.mod || go mod init $(@F); } && go get -tool $(PROMETHEUS)/$(@F)@$(PROMETHEUS_VERSION)
	@cd $(@D)/module && CGO_ENABLED=0 go build -ldflags "-s -w" -o ../$(@F) $(PROMETHEUS)/$(@F)

# Built with Go as promtool is. What is deployed is validated as kustomize renders it.
manifests: environment .cache/kustomize/kustomize .cache/kubeconform/kubeconform
	@$(RUN) tests.deploy.generated
	@$(RUN) pytest tests/deploy $(ARGS)

.cache/kustomize/kustomize: PACKAGE := sigs.k8s.io/kustomize/kustomize/v5@v5.8.0
.cache/kubeconform/kubeconform: PACKAGE := github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
.cache/kustomize/kustomize .cache/kubeconform/kubeconform:
	@mkdir -p $(@D)/module
	@cd $(@D)/module && { test -f go.mod || go mod init $(@F); } && go get -tool $(PACKAGE)
	@cd $(@D)/module && CGO_ENABLED=0 go build -o ../$(@F) $(firstword $(subst @, ,$(PACKAGE)))

image:
	docker build --tag subscription-cancellation --build-arg REVISION=$(shell git rev-parse HEAD) \
		--build-arg VERSION=$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) .

# From the packages as they are installed for the image, and nothing else.
sbom: environment
	@$(PYTHON) -m venv --clear --without-pip .cache/runtime
	@$(RUN) uv --quiet pip install --python .cache/runtime --require-hashes --only-binary :all: -r requirements.txt
	@.venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file .cache/sbom.cdx.json .cache/runtime

# Part of every release; what is kept is never changed again.
release-schemas: environment
	@$(RUN) tests.contracts.release

# Refuses what is not ready; see tests/supply/release.py.
release: environment
	@$(RUN) tests.supply.release

licences: environment
	@$(RUN) tests.supply.licences

audit: environment
	@$(RUN) tests.supply.audit

format: environment
	$(RUN) ruff check --fix
	$(RUN) ruff format

# Without UPGRADE=1 a pin moves only when it must.
lock: environment
	$(COMPILE) $(UPGRADES) --output-file requirements.txt
	$(COMPILE) $(UPGRADES) $(DEV) --output-file requirements-dev.txt
	$(RUN) service.local.lock

# Compiled again beside copies of the pins, the locks must come out as they are.
fresh-locks: environment
	@rm -rf .cache/locks && mkdir -p .cache/locks && cp pyproject.toml requirements.txt requirements-dev.txt .cache/locks
	@cd .cache/locks && "$(CURDIR)"/$(COMPILE) --output-file requirements.txt
	@cd .cache/locks && "$(CURDIR)"/$(COMPILE) $(DEV) --output-file requirements-dev.txt
	@cmp requirements.txt .cache/locks/requirements.txt && cmp requirements-dev.txt .cache/locks/requirements-dev.txt \
		|| { echo "The locks lag behind pyproject.toml: run make lock." >&2; exit 1; }

clean:
	rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

environment:
	@$(PYTHON) .ci/environment.py
