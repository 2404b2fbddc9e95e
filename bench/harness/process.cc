#include "bench/harness/process.h"

#include <sstream>

#include <unistd.h>

#include "bench/harness/place.h"

namespace understudy::bench {

namespace {

[[nodiscard]] std::string folder(pid_t process) { return "/proc/" + std::to_string(process); }

}  // namespace

Result<double> processor_seconds(pid_t process) {
    const std::string stat = US_TRY(read_file(folder(process) + "/stat"));
    // The name of the program may contain anything; after its bracket come the state and 10
    // numbers.
    std::istringstream rest(stat.substr(stat.rfind(')') + 1));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;
    double user = 0;
    double kernel = 0;
    if (rest >> user >> kernel) {
        return (user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
    return Error{.code = Errc::failed, .detail = "no times in " + folder(process) + "/stat"};
}

double field_mb(const std::string& path, std::string_view key) {
    const auto text = read_file(path);
    if (!text) return 0;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key)) continue;
        return static_cast<double>(std::stoll(line.substr(key.size()))) / 1024;
    }
    return 0;
}

double peak_resident_mb(pid_t process) { return field_mb(folder(process) + "/status", "VmHWM:"); }

}  // namespace understudy::bench
