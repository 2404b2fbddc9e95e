# Every library of others, found once. Why each is here: docs/decisions/0002-dependencies.md.
# On Debian, scripts/bootstrap installs all of them.

find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS json)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
if(UNDERSTUDY_TESTS)
    find_package(GTest REQUIRED)  # A build without tests says so: -DUNDERSTUDY_TESTS=OFF.
endif()
if(UNDERSTUDY_BENCH)
    find_package(benchmark QUIET)
    if(NOT benchmark_FOUND)
        message(STATUS "No benchmarks: Google Benchmark is not installed (libbenchmark-dev)")
        set(UNDERSTUDY_BENCH OFF)
    endif()
endif()

# The replicated journal is the only part that needs C-Raft. Its step API is not yet frozen.
if(UNDERSTUDY_RAFT)
    pkg_check_modules(raft IMPORTED_TARGET raft>=0.22.1 raft<0.23)
    if(NOT raft_FOUND)
        message(FATAL_ERROR
            "UNDERSTUDY_RAFT=ON needs C-Raft 0.22.1 (libraft-dev: Debian 13, or Debian 12 "
            "backports; scripts/bootstrap installs it). Older ones lack the step API. "
            "-DUNDERSTUDY_RAFT=OFF builds all but the replicated journal.")
    endif()
else()
    message(STATUS "Replicated journal: not built (UNDERSTUDY_RAFT=OFF)")
endif()
