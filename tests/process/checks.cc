#include "tests/process/checks.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace understudy::process {

std::vector<std::string> faults_in_ticks(const std::vector<Line>& client) {
    std::vector<std::string> faults;
    std::uint64_t epoch = 0;
    std::uint64_t sequence = 0;
    std::string from;
    for (const Line& line : client) {
        const bool image = line.matches("image Ticks");
        if (!image && !line.matches("delta Ticks")) continue;
        const auto blame = [&](const std::string& what) {
            faults.push_back(what + ": " + line.text);
        };
        const std::uint64_t its_epoch = line.number("epoch");
        const std::uint64_t its_sequence = line.number("seq");
        if (image) {
            if (its_epoch < epoch) blame("an image of an older epoch");
            if (its_epoch == epoch && its_sequence < sequence) blame("an image of the past");
        } else {
            if (epoch == 0) blame("a delta before any image");
            if (its_epoch != epoch) blame("a delta across epochs");
            if (its_sequence != sequence + 1) blame("a gap");
            if (line.value("from") != from) blame("a delta of another member");
        }
        epoch = its_epoch;
        sequence = its_sequence;
        from = line.value("from");
        for (const std::string& word : split(line.text, ' ')) {
            if (word.starts_with("only-") && word != "only-" + from + "=1") blame("left over");
            if (word.starts_with("places/") && word != "places/" + from + "=" + line.value("n")) {
                blame("not atomic, or left over");
            }
        }
    }
    if (epoch == 0) faults.emplace_back("nothing was heard");
    return faults;
}

std::vector<std::string> faults_in_calls(const std::vector<Line>& client,
                                         const std::vector<std::string>& appended) {
    std::vector<std::string> faults;
    std::map<std::string, int> times;
    for (const std::string& id : appended) ++times[id];
    std::set<std::string> answered;
    for (const Line& line : client) {
        const bool done = line.matches("done");
        if (!done && !line.matches("error")) continue;
        const std::string id = line.word(1);
        const auto blame = [&](const std::string& what) {
            faults.push_back(what + ", ran " + std::to_string(times[id]) + " times: " + line.text);
        };
        if (!answered.insert(id).second) blame("two outcomes");
        if (done) {
            if (times[id] != 1) blame("done is once");
        } else if (line.word(3) == "none") {
            if (times[id] != 0) blame("none is never");
        } else if (times[id] > 1) {
            blame("unknown is at most once");
        }
    }
    if (answered.empty()) faults.emplace_back("no call was made");
    return faults;
}

std::vector<std::string> faults_in_services(const std::vector<Line>& watcher) {
    std::vector<std::string> faults;
    std::map<std::string, std::uint64_t> epochs;
    std::map<std::pair<std::string, std::uint64_t>, std::string> holders;
    for (const Line& line : watcher) {
        if (!line.matches("service")) continue;
        const std::string family = line.word(1);
        const std::uint64_t epoch = line.number("epoch");
        if (epoch < epochs[family]) faults.push_back("the epoch fell: " + line.text);
        epochs[family] = epoch;
        const std::string active = line.value("active");
        if (active.empty()) continue;
        const auto held = holders.try_emplace({family, epoch}, active).first;
        if (held->second != active) {
            faults.push_back(held->second + " held that epoch before: " + line.text);
        }
    }
    return faults;
}

}  // namespace understudy::process
