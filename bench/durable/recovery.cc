// How fast does a member that was killed read its journal back?
//
// A journal of 1 KiB commands without a checkpoint behind most of them is filled, its process
// killed, and started again: the time to open it, commands applied included, by its length.
// Bound by: one processor: checksums, copies and apply(); the files are in memory.
// Estimate before it was run: 500 MB/s. Target: 200 MB/s.

#include <cstdlib>

#include "bench/durable/members.h"
#include "bench/harness/bench.h"

namespace understudy::bench {

Result<void> recovery(Bench& bench) {
    const std::size_t count = bench.tiny() ? 1'000 : 60'000;  // Below what a checkpoint is due at.
    const Place place = US_TRY(Place::make(bench.directory));
    const Child::Options options{
        .command = {bench.helper("bench_replica"), "local", place / "journal"},
        .errors_file = place / "errors"};
    {
        Child member = US_TRY(Child::start(options));
        US_CHECK(member.line_with("answered ", 20s));
        member.tell("fill 1024 " + std::to_string(count) + "\n");
        US_CHECK(member.line_with("filled", 60s));
        member.kill();
    }
    Child member = US_TRY(Child::start(options));
    const std::string said = US_TRY(member.line_with("opened ", 60s));
    const double seconds = std::stod(said.substr(7)) / 1000;
    bench.report.add({.what = "open a journal after a kill, 1 KiB commands",
                      .amount = static_cast<double>(count) * 1024 / 1e6 / seconds,
                      .unit = "MB/s",
                      .configuration = {{"commands", count}, {"seconds", seconds}}});
    return {};
}

}  // namespace understudy::bench
