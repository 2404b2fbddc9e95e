#include "bench/immortal/load.h"

#include <algorithm>
#include <thread>

namespace understudy::bench {

std::string size_text(std::size_t bytes) {
    return bytes < KiB ? std::to_string(bytes) + " B" : std::to_string(bytes / KiB) + " KiB";
}

std::size_t window_of(std::size_t bytes) {
    return std::clamp<std::size_t>(2 * MiB / bytes, 16, 4096);
}

std::string in_ms(Duration time) { return std::to_string(time / 1ms); }

Result<Calls> one_way(ImmortalPair& pair, std::size_t bytes, const Spans& spans) {
    US_CHECK(pair.push(bytes));
    std::this_thread::sleep_for(spans.warm_up);
    const ImmortalPair::Count before = US_TRY(pair.count());
    std::this_thread::sleep_for(spans.measured);
    const ImmortalPair::Count after = US_TRY(pair.count());
    US_CHECK(pair.stop_and_compare());
    Calls calls;
    calls.per_second = static_cast<double>(after.calls - before.calls) * 1e9 /
                       static_cast<double>(after.nanoseconds - before.nanoseconds);
    calls.checksum = after.calls - before.calls;
    return calls;
}

Result<Calls> echo(ImmortalPair& pair, const std::string& verb, std::size_t bytes,
                   std::size_t window, const Spans& spans) {
    const std::string file = pair.place() / "samples";
    pair.client().tell(verb + " " + std::to_string(bytes) + " " + std::to_string(window) + " " +
                       in_ms(spans.warm_up) + " " + in_ms(spans.measured) + " " + file + "\n");
    const std::string said =
        US_TRY(pair.client().line_with("echoed ", spans.warm_up + spans.measured + answer_max));
    return read_calls(said.substr(7), file);
}

}  // namespace understudy::bench
