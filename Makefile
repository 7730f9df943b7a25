# Front door of the harness: "make help" lists what there is.
#
# Variables:
#   BASE      kernel version (7.3)
#   ARCH      architecture of the guest: the names in vm/arch (default: what this machine is)
#   BUILD     where everything is built (build/)
#   LINUX     kernel source of your own, a tarball or a tree; kept until LINUX=default
#   FORCE=1   put work in the tree aside, take a source or tree of another version
#   JOBS      of a build (number of CPUs)
#   ACCEL     auto, kvm or tcg (auto: what boots a guest here)
#   TESTS     name of the tests to run, with wildcards (test, debug): TESTS='panic: *'
#   SEED      of what is drawn by lot (test, abuse, debug); each run prints its own
#   CHECKS    names of the checks to run (check: all); scripts/check --help has them
#   TREE      git tree of yours (apply)
#   SERIES    names of series in patches/BASE/manifest (apply: all)
#   CUT       name of one of them (test-cut: gate)
#   LOADS     number of random loads (test: 10000, debug: 20000)
#   CYCLES    how often (dumps: 20, abuse: 200)
#   PROG      a program of yours (run); ARGS are its arguments, FILES more files beside it
#   RECORD=1  keep what a whole run says in results/, and on docs/results.md (test, abuse, debug)
#   PART      of what is measured (bench): static routes profiles drift cost dumps harness
#   RERUN=1   run tests again that have results (regress)

BASE ?= 7.3
BUILD ?= $(CURDIR)/build
export BASE BUILD
# of ours; the kernel's own Makefile has another variable of this name
ifdef ARCH
export ARCH
endif

DRAWN = $(if $(SEED),--seed '$(SEED)')
# of a whole run only
KEPT = $(if $(filter 1,$(RECORD)),$(if $(TESTS),,--results $(1)))
CHOSEN = $(DRAWN) $(if $(LOADS),--loads '$(LOADS)') $(if $(TESTS),'$(TESTS)')

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done
	@sed -n '/^# Variables/,/^$$/s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST)) | sed '1s/^/\n/'

# ---- sources and patches ----

.PHONY: tools
tools: ## check that the tools are there (INSTALL=1 installs what is missing)
	@scripts/tools $(if $(filter 1,$(INSTALL)),--install)

# What builds or tests sets the machine up itself; without root and sudo it says how, and stops.
.PHONY: setup
setup:
	@scripts/tools --install

# Before something is built for an hour.
.PHONY: arguments
arguments: setup
	@vm/run-tests --list $(if $(CYCLES),--cycles '$(CYCLES)') $(CHOSEN) >/dev/null

.PHONY: source
source: ## get the kernel source, verified (LINUX=path uses yours)
	@scripts/get-source

.PHONY: tree
tree: source ## make the kernel tree with all series (FORCE=1 puts work in it aside)
	@scripts/make-tree

.PHONY: export
export: ## make the patches of each series from branch series of the tree
	@scripts/export

.PHONY: apply
apply: ## put the series on a git tree of yours (TREE=path SERIES="names": these and what they need)
	@scripts/apply $(if $(TREE),'$(TREE)' $(SERIES))

.PHONY: check
check: setup tree ## everything that needs no virtual machine (CHECKS="..." for some only)
	@scripts/build-kernel config
	@scripts/check $(CHECKS)
	$(if $(CHECKS),,@tests/harness/run)

# ---- kernel, guest and virtual machine ----

.PHONY: kernel
kernel: setup tree ## build the kernel that the guest boots
	@scripts/build-kernel

.PHONY: guest
guest: kernel ## build what runs in the guest, without the selftests
	@scripts/build-guest base

.PHONY: selftests
selftests: kernel ## build what runs in the guest, the selftests of the series too
	@scripts/build-guest all

.PHONY: demo
demo: arguments guest ## a kernel bug check fires, a BPF program takes a crash dump there
	@demo/run

.PHONY: demo-panic
demo-panic: arguments guest ## the same without a crash kernel: the program panics
	@demo/run --panic

.PHONY: test
test: setup arguments selftests check ## make check, then every gate and every real panic in VMs
	@scripts/build-frontends || echo 'The tests of front ends are skipped.'
	@vm/run-tests $(call KEPT,test) $(CHOSEN)

CUT ?= gate
.PHONY: test-cut
test-cut: setup tree ## the kernel of one series and what it needs, no more (CUT=gate), and their own selftests
	@scripts/cut '$(CUT)'

.PHONY: dumps
dumps: arguments guest ## 20 crash dumps in a row, each read back (CYCLES=n for more or less)
	@vm/run-tests --cycles $(or $(CYCLES),20) --jobs 1 'dump: bpf_crash_kexec(), process context'

.PHONY: abuse
abuse: arguments guest ## all CPUs end the machine at once, CYCLES=n times; programs in every way to end it
	@vm/run-tests --everything --rounds $(or $(CYCLES),200) $(call KEPT,abuse) $(DRAWN) 'abuse: *'

# The ordinary kernel is the one that takes the dumps.
.PHONY: debug
debug: arguments guest ## all tests, and LOADS=n random loads, on a kernel with KASAN and lockdep
	@FLAVOUR=debug scripts/build-kernel
	@FLAVOUR=debug scripts/build-guest all
	@FLAVOUR=debug vm/run-tests --loads 20000 $(call KEPT,debug) $(CHOSEN)

.PHONY: frontends
frontends: arguments guest ## bpftrace of Debian sid, which does not know the flag, loads programs with and without it
	@scripts/build-frontends
	@vm/run-tests 'frontend: *'

.PHONY: regress
regress: setup tree ## the kernel's own BPF selftests, without and with the series
	@scripts/regress

.PHONY: bench
bench: setup guest ## what it costs and how fast it stops, beside the alternatives (PART="..." for some only)
	@scripts/tools --install bench
	@scripts/bench $(PART)

.PHONY: run
run: arguments guest ## run a program of yours in the guest (PROG=path ARGS="..."), which is in /run there
	@$(if $(PROG),,echo 'make run: PROG= is missing: make run PROG=path/to/program ARGS="..."' >&2; exit 2)
	@vm/boot --name run --keep --show --expect any $(foreach file,$(PROG) $(FILES),--file '$(file)') -- '/run/$(notdir $(PROG)) $(ARGS)'

.PHONY: shell
shell: arguments guest ## a shell in the guest ('exit' powers off)
	@vm/boot --shell --name shell

# ---- cleaning ----

.PHONY: clean
clean: ## remove what was built for BASE, keep the downloads
	@scripts/clean

.PHONY: distclean
distclean: ## remove the downloads too, for every base
	@scripts/clean --all
