// The same histories find each shortcut of docs/protocols/fencing.md. Built with US_PLANTS.
#include <gtest/gtest.h>

#include "base/plant.h"
#include "journal/shared/shared_histories_test.h"

namespace understudy::journal {
namespace {

class SharedShortcut : public testing::TestWithParam<std::pair<const char*, Plant>> {};

TEST_P(SharedShortcut, LosesAnEntryInSomeHistory) {
    plant(GetParam().second);
    const auto faults = faults_in_histories({.group = {}, .stride = 1, .stop_at_first = true});
    plant(Plant::none);
    RecordProperty("histories", static_cast<int>(histories_seen()));
    ASSERT_FALSE(faults.empty()) << "not found in " << histories_seen() << " histories";
    RecordProperty("fault", faults.front());
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedShortcut,
    testing::Values(std::pair("CheckBeforeAppend", Plant::shared_check_before_append),
                    std::pair("ScanBeforePublish", Plant::shared_scan_before_publish),
                    std::pair("NoSeal", Plant::shared_no_seal),
                    std::pair("AppendToOld", Plant::shared_append_to_old),
                    std::pair("NoDirectorySync", Plant::shared_no_directory_sync),
                    std::pair("NamesInAnyOrder", Plant::shared_names_in_any_order),
                    std::pair("NoClaimCheck", Plant::shared_no_claim_check),
                    std::pair("CopyNothing", Plant::shared_copy_nothing)),
    [](const auto& test) { return test.param.first; });

}  // namespace
}  // namespace understudy::journal
