// How fast does a member read its journal back after it was killed?
//
// A journal of 1 KiB commands, most of them without a later checkpoint, is filled, and its process
// is killed and started again. Measured is the time to open it, including the application of
// commands, in relation to its length.
// Bound by: one processor: checksums, copies and apply(); the files are in memory.
// Estimate before it was run: 500 MB/s. Target: 200 MB/s.

#include <cstdlib>

#include "bench/durable/members.h"
#include "bench/harness/bench.h"

namespace understudy::bench {

Result<void> recovery(Bench& bench) {
    const std::size_t count = bench.tiny() ? 1'000 : 60'000;  // Too few bytes for a checkpoint.
    const Place place = US_TRY(Place::make(bench.directory));
    const Child::Options options{
        .command = {bench.helper("bench_replica"), "local", place / "journal"},
        .errors_file = place / "errors"};
    {
        Child member = US_TRY(Child::start(options));
        US_CHECK(member.line_with("answered ", answer_max));
        member.tell("fill 1024 " + std::to_string(count) + "\n");
        US_CHECK(member.line_with("filled", answer_max));
        member.kill();
    }
    Child member = US_TRY(Child::start(options));
    const std::string said = US_TRY(member.line_with("opened ", answer_max));
    const double seconds = std::stod(said.substr(7)) / 1000;
    bench.report.add({.what = "open a journal after a kill, 1 KiB commands",
                      .amount = static_cast<double>(count) * 1024 / 1e6 / seconds,
                      .unit = "MB/s",
                      .configuration = {{"commands", count}, {"seconds", seconds}}});
    return {};
}

}  // namespace understudy::bench
