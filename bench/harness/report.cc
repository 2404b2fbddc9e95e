#include "bench/harness/report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "bench/harness/place.h"

namespace understudy::bench {

namespace json = boost::json;

namespace {

[[nodiscard]] double in_us(Duration time) { return static_cast<double>(time.count()) / 1e3; }

[[nodiscard]] std::string after_colon(std::string_view file, std::string_view key) {
    std::ifstream lines{std::string(file)};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key)) continue;
        const auto at = line.find(": ");
        return at == std::string::npos ? "" : line.substr(at + 2);
    }
    return "unknown";
}

[[nodiscard]] std::string file_system(const std::string& directory) {
    struct statfs found {};
    if (::statfs(directory.c_str(), &found) != 0) return "unknown";
    switch (found.f_type) {
        case 0xEF53:
            return "ext4";
        case 0x58465342:
            return "xfs";
        case 0x9123683E:
            return "btrfs";
        case 0x01021994:
            return "tmpfs (nothing is durable there)";
        case 0x794c7630:
            return "overlayfs";
        default:
            return fmt::format("{:#x}", static_cast<unsigned long>(found.f_type));
    }
}

[[nodiscard]] json::object latency_json(const Samples& samples) {
    return {{"p50_us", in_us(samples.at(0.5))},
            {"p99_us", in_us(samples.at(0.99))},
            {"p99_9_us", in_us(samples.at(0.999))},
            {"max_us", in_us(samples.max())}};
}

[[nodiscard]] json::object target_json(const Target& target) {
    json::object found;
    if (target.p50) found["p50_us"] = in_us(*target.p50);
    if (target.p99) found["p99_us"] = in_us(*target.p99);
    if (target.max) found["max_us"] = in_us(*target.max);
    if (target.per_second) found["per_second"] = *target.per_second;
    if (target.most) found["most"] = *target.most;
    return found;
}

[[nodiscard]] json::object to_json(std::string_view benchmark, const Row& row) {
    json::object line{{"benchmark", benchmark}, {"what", row.what}};
    if (row.latency.count() > 0) {
        line["count"] = row.latency.count();
        for (auto& [key, value] : latency_json(row.latency)) line[key] = value;
    }
    if (row.per_second) line["per_second"] = *row.per_second;
    if (row.amount) {
        line["amount"] = *row.amount;
        line["unit"] = row.unit;
    }
    if (const auto reached = Report::of_target(row)) {
        line["target"] = target_json(row.target);
        line["of_target"] = *reached;
        line["met"] = *reached >= 1;
    }
    json::object beside;
    for (const Beside& other : row.beside) beside[other.name] = other.ratio;
    if (!beside.empty()) line["beside"] = std::move(beside);
    json::object configuration;
    for (const auto& [key, value] : row.configuration) {
        std::visit([&, &name = key](const auto& held) { configuration[name] = held; }, value.value);
    }
    line["configuration"] = std::move(configuration);
    if (row.show_histogram) {
        json::array buckets;
        for (const auto& bucket : row.latency.histogram()) {
            buckets.push_back(json::array{in_us(bucket.up_to), bucket.count});
        }
        line["histogram_us"] = std::move(buckets);
    }
    line["checksum"] = fmt::format("{:016x}", row.checksum);
    return line;
}

void print_histogram(const std::string& benchmark, const Row& row) {
    constexpr std::uint64_t width = 50;
    std::printf("\n%s: %s\n", benchmark.c_str(), row.what.c_str());
    const auto buckets = row.latency.histogram();
    std::uint64_t most = 1;
    for (const auto& bucket : buckets) most = std::max(most, bucket.count);
    for (const auto& bucket : buckets) {
        const std::string bar((bucket.count * width + most - 1) / most, '#');
        std::printf("  up to %8s %6llu %s\n", time_text(bucket.up_to).c_str(),
                    static_cast<unsigned long long>(bucket.count), bar.c_str());
    }
}

[[nodiscard]] std::string target_text(const Row& row) {
    const Target& target = row.target;
    std::string text;
    const auto add = [&](std::string part) { text += (text.empty() ? "" : ", ") + part; };
    if (target.p50) add("p50 " + time_text(*target.p50));
    if (target.p99) add("p99 " + time_text(*target.p99));
    if (target.max) add("max " + time_text(*target.max));
    if (target.per_second) add(rate_text(*target.per_second) + "/s");
    if (target.most) add(fmt::format("{:.3g} {}", *target.most, row.unit));
    return text;
}

[[nodiscard]] std::string verdict(const Row& row) {
    const auto reached = Report::of_target(row);
    if (!reached) return "";
    return fmt::format("{} {:.2f} of {}", *reached >= 1 ? "met," : "MISSED,", *reached,
                       target_text(row));
}

}  // namespace

std::string time_text(Duration time) {
    const double us = in_us(time);
    if (us < 1) return fmt::format("{:.0f} ns", us * 1e3);
    if (us < 1e3) return fmt::format("{:.{}f} us", us, us < 100 ? 1 : 0);
    if (us < 1e6) return fmt::format("{:.{}f} ms", us / 1e3, us < 1e4 ? 2 : us < 1e5 ? 1 : 0);
    return fmt::format("{:.2f} s", us / 1e6);
}

std::string rate_text(double per_second) {
    if (per_second < 1e3) return fmt::format("{:.0f}", per_second);
    if (per_second < 1e6) return fmt::format("{:.1f} k", per_second / 1e3);
    return fmt::format("{:.2f} M", per_second / 1e6);
}

std::optional<double> Report::of_target(const Row& row) {
    std::optional<double> least;
    const auto note = [&](double reached) { least = std::min(least.value_or(reached), reached); };
    const auto at_most = [&](const std::optional<Duration>& target, Duration measured) {
        if (target) note(in_us(*target) / std::max(in_us(measured), 1e-3));
    };
    at_most(row.target.p50, row.latency.at(0.5));
    at_most(row.target.p99, row.latency.at(0.99));
    at_most(row.target.max, row.latency.max());
    if (row.target.per_second) note(row.per_second.value_or(0) / *row.target.per_second);
    if (row.target.most) note(*row.target.most / std::max(row.amount.value_or(0), 1e-9));
    return least;
}

void Report::print(const std::string& json) {
    std::printf("%s\n", json.c_str());
    std::fflush(stdout);
    if (results_.is_open()) results_ << json << std::endl;
}

Report::Report(const RunFacts& facts) {
    if (!facts.results.empty()) results_.open(facts.results);
    utsname system{};
    ::uname(&system);
    const std::time_t today = std::time(nullptr);
    std::tm calendar{};
    ::gmtime_r(&today, &calendar);
    char date[32];
    std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &calendar);
    const auto load = read_file("/proc/loadavg");
    load_before_ = load ? std::strtod(load->c_str(), nullptr) : 0;
    const json::object run{{"date", date},
                           {"commit", facts.commit},
                           {"size", facts.size},
                           {"processors", ::sysconf(_SC_NPROCESSORS_ONLN)},
                           {"processor", after_colon("/proc/cpuinfo", "model name")},
                           {"kernel", system.release},
                           {"file_system", file_system(facts.directory)},
                           {"compiler", __VERSION__},
                           {"load_before", load_before_}};
    print(json::serialize(json::object{{"run", run}}));
}

void Report::add(Row row) {
    print(json::serialize(to_json(benchmark_, row)));
    lines_.push_back({benchmark_, std::move(row)});
}

void Report::skip(std::string_view what, std::string_view why) {
    print(
        json::serialize(json::object{{"benchmark", benchmark_}, {"what", what}, {"skipped", why}}));
    lines_.push_back({benchmark_, {.what = std::string(what)}, "skipped: " + std::string(why)});
}

void Report::fail(std::string_view why) {
    print(json::serialize(json::object{{"benchmark", benchmark_}, {"failed", why}}));
    lines_.push_back({benchmark_, {}, "FAILED: " + std::string(why)});
}

void Report::print_table() const {
    if (load_before_ > quiet_load_max) {
        std::printf("\nThe machine was busy before (load %.1f): its own work is in the figures.\n",
                    load_before_);
    }
    std::printf("\n%-16s %-40s %9s %9s %9s %9s %9s  %s\n", "benchmark", "what", "p50", "p99",
                "p99.9", "max", "per s", "target; beside (above 1: ours is better)");
    for (const Line& line : lines_) {
        std::printf("%-16s %-40s ", line.benchmark.c_str(), line.row.what.c_str());
        if (!line.instead.empty()) {
            std::printf("%s\n", line.instead.c_str());
            continue;
        }
        const Row& row = line.row;
        for (const double fraction : {0.5, 0.99, 0.999, 1.0}) {
            const bool any = row.latency.count() > 0;
            const Duration at = fraction < 1 ? row.latency.at(fraction) : row.latency.max();
            std::printf("%9s ", any ? time_text(at).c_str() : "");
        }
        std::string last = row.per_second ? rate_text(*row.per_second) : "";
        if (row.amount) last = fmt::format("{:.3g} {}", *row.amount, row.unit);
        std::string notes = verdict(row);
        for (const Beside& other : row.beside) {
            notes +=
                fmt::format("{}{:.2f}x {}", notes.empty() ? "" : "; ", other.ratio, other.name);
        }
        std::printf("%9s  %s\n", last.c_str(), notes.c_str());
    }
    for (const Line& line : lines_) {
        if (line.row.show_histogram) print_histogram(line.benchmark, line.row);
    }
    std::fflush(stdout);
}

}  // namespace understudy::bench
