# The everyday commands. Each builds what it needs; on Debian it installs missing packages first.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

.PHONY: help demo test bench sim model install format tidy check-long

help:
	@echo "make demo        the first failover: installs packages, builds, kills an active member"
	@echo "make test        all tests, with sanitizers"
	@echo "make bench       the benchmarks of whole programs, about 10 minutes; BENCH=failover for some"
	@echo "                 of them, BENCH=micro for those of single modules (docs/benchmarks.md)"
	@echo "make sim         the simulated cluster, and the bugs it must find; about 5 minutes (SEED=n"
	@echo "                 repeats one run; SCENE=platform|nodes|shared|replicated; SECONDS=n)"
	@echo "make model       the models of the protocols (docs/models): all states, about five minutes"
	@echo "make install     into PREFIX ($(PREFIX)); DESTDIR is honoured"
	@echo "make tidy        the house rules alone"
	@echo "make format      clang-format on all sources"
	@echo "make check-long  make test, then each file alone, thread sanitizer, clang, fuzzers, release,"
	@echo "                 models, Debian 13, hours of seeds"

demo:
	@scripts/bootstrap build
	@cmake --preset release > /dev/null
	@cmake --build --preset release -j $(JOBS) --target understudy_program hello_registry \
	    hello_bar hello_client ten_lines replicated_kv immortal_hello
	@build/release/src/apps/understudy demo hello

# Tests of processes wait more than they compute, so two more run than there are processors.
test:
	@scripts/bootstrap test
	@cmake --preset dev
	@cmake --build --preset dev -j $(JOBS)
	@ctest --preset dev -j $$(($(JOBS) + 2))

bench:
	@scripts/bootstrap bench
	@cmake --preset release > /dev/null
ifeq ($(BENCH),micro)
	@cmake --build --preset release -j $(JOBS)
	@cmake --build --preset release --target run_benches
else
	@cmake --build --preset release --target bench_program -j $(JOBS)
	@build/release/bench/understudy-bench --program build/release/src/apps/understudy \
		--directory build/release/bench --results build/release/bench/results.jsonl \
		--commit "$$(git describe --always --dirty 2>/dev/null || echo unknown)" $(BENCH) $(BENCH_ARGS)
endif

sim:
	@scripts/bootstrap test
	@cmake --preset sim > /dev/null
	@cmake --build --preset sim --target understudy_sim_program -j $(JOBS)
	@build/sim/tests/swarm/understudy-sim $(if $(SEED),--scene=$(or $(SCENE),platform) --seed=$(SEED) --trace,--scene=$(or $(SCENE),all) --chaos=20 --seconds=$(or $(SECONDS),120) --sometimes) $(SIM_ARGS)
	@$(if $(SEED),true,build/sim/tests/swarm/understudy-sim --plant=$(or $(PLANT),all) --seeds=5000 --each=300 --chaos=20 --jobs=$(JOBS))

model:
	@scripts/bootstrap model
	@docs/models/check

install:
	@scripts/bootstrap build
	@cmake --preset release > /dev/null
	@cmake --build --preset release --target understudy --target understudy_program -j $(JOBS)
	@cmake --install build/release --prefix $(PREFIX)

format:
	@git ls-files '*.h' '*.cc' | xargs clang-format -i

tidy:
	@python3 tools/tidy/tidy.py

check-long: test
	@scripts/bootstrap long
	@for preset in plain tsan fuzz release; do \
		cmake --preset $$preset -DUNDERSTUDY_TESTS=ON && cmake --build --preset $$preset -j $(JOBS) && \
		ctest --preset $$preset -j $(JOBS) || exit 1; \
	done
	@cmake --preset tidy && cmake --build --preset tidy -j $(JOBS)
	@UNDERSTUDY_RAFT_SEEDS=20000 build/release/src/raft/raft_test --gtest_brief=1
	@UNDERSTUDY_POWER_ROUNDS=500 build/release/tests/power/power_test --gtest_brief=1
	@$(MAKE) --no-print-directory model
	@scripts/debian13
	@$(MAKE) --no-print-directory sim SECONDS=3600
