// Runs a fuzz target over kept inputs where libFuzzer is not at hand (g++).
//
// Each argument is a file, or a folder whose files are taken. The empty input always runs first,
// so that a target without a corpus is run at least once.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

int run_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> input((std::istreambuf_iterator<char>(in)), {});
    if (in.bad()) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return 1;
    }
    std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    LLVMFuzzerTestOneInput(nullptr, 0);
    int failed = 0;
    int ran = 1;
    for (int i = 1; i < argc; ++i) {
        const std::filesystem::path path(argv[i]);
        if (!std::filesystem::exists(path)) {
            std::fprintf(stderr, "no such input: %s\n", argv[i]);
            return 1;
        }
        if (!std::filesystem::is_directory(path)) {
            failed += run_file(path);
            ++ran;
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
            if (!entry.is_regular_file()) continue;
            failed += run_file(entry.path());
            ++ran;
        }
    }
    std::printf("%d inputs\n", ran);
    return failed == 0 ? 0 : 1;
}
