# Front door of the harness: "make help" lists what there is.
#
# Variables: BASE (kernel series, default 7.3), BUILD (where everything is built, default
# build/), LINUX (kernel source of your own: a tarball or a tree), FORCE=1, JOBS, ACCEL (auto,
# kvm or tcg), TESTS (names of tests for "make test" and "make debug"), SEED (of what is drawn by lot).

BASE ?= 7.3
BUILD ?= $(CURDIR)/build
export BASE BUILD

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

# ---- sources and patches ----

.PHONY: tools
tools: ## check that the tools are there (INSTALL=1 installs what is missing)
	@scripts/tools $(if $(filter 1,$(INSTALL)),--install)

# What builds or tests sets the machine up itself; without root and sudo it says how, and stops.
.PHONY: setup
setup:
	@scripts/tools --install

.PHONY: source
source: ## get the kernel source, verified (LINUX=path uses yours)
	@scripts/source

.PHONY: tree
tree: source ## make the kernel tree with the series (FORCE=1 puts work in it aside)
	@scripts/tree

.PHONY: export
export: ## make the patches from branch series of the tree
	@scripts/export

.PHONY: apply
apply: ## put the series on a git tree of yours (TREE=path)
	@scripts/apply $(if $(TREE),'$(TREE)')

.PHONY: check
check: setup tree ## everything that needs no virtual machine (CHECKS="..." for some only)
	@scripts/kernel config
	@scripts/check $(CHECKS)
	@tests/harness/run

# ---- kernel, guest and virtual machine ----

.PHONY: kernel
kernel: setup tree ## build the kernel that the guest boots
	@scripts/kernel

.PHONY: guest
guest: kernel ## build what runs in the guest, without the selftests
	@scripts/guest base

.PHONY: selftests
selftests: kernel ## build what runs in the guest, the kernel's selftests too
	@scripts/guest all

.PHONY: demo
demo: guest ## a kernel bug check fires, a BPF program takes a crash dump there
	@demo/run

.PHONY: demo-panic
demo-panic: guest ## the same without a crash kernel: the program panics
	@demo/run --panic

.PHONY: test
test: setup selftests check ## make check, then every gate and every real panic in VMs
	@vm/test $(TESTS)

.PHONY: dumps
dumps: guest ## 20 crash dumps in a row, each read back (CYCLES=n for more or less)
	@vm/test --cycles $(or $(CYCLES),20) --jobs 1 'dump: bpf_crash_kexec(), process context'

.PHONY: abuse
abuse: guest ## all CPUs end the machine at once, CYCLES=n times (200); programs in every way to end it
	@vm/test --everything --rounds $(or $(CYCLES),200) $(if $(SEED),--seed $(SEED)) 'abuse: *'

# The ordinary kernel is the one that takes the dumps.
.PHONY: debug
debug: guest ## all tests, and LOADS=n random loads (20000), on a kernel with KASAN and lockdep
	@KERNEL=debug scripts/kernel
	@KERNEL=debug scripts/guest all
	@KERNEL=debug vm/test --loads $(or $(LOADS),20000) $(if $(SEED),--seed $(SEED)) $(TESTS)

.PHONY: regress
regress: setup tree ## the kernel's own BPF selftests, without and with the series
	@scripts/regress

.PHONY: shell
shell: guest ## a shell in the guest ('exit' powers off)
	@vm/run --shell --name shell

# ---- cleaning ----

.PHONY: clean
clean: ## remove what was built for BASE, keep the downloads
	@scripts/clean

.PHONY: distclean
distclean: ## remove the downloads too, for every base
	@scripts/clean --all
