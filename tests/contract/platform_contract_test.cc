#include "tests/contract/disk_contract.h"
#include "tests/contract/host_contract.h"
#include "tests/contract/network_contract.h"
#include "tests/contract/platform_harness.h"
#include "tests/contract/runtime_contract.h"
#include "tests/contract/worker_contract.h"

namespace understudy::contract {
namespace {

const auto platform_only = testing::Values(Implementation{"platform", &make_platform_harness});

INSTANTIATE_TEST_SUITE_P(Platform, RuntimeContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, TurnEndContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, WorkerContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, NetworkContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, LocalNetworkContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Encrypted, NetworkContract,
                         testing::Values(Implementation{"platform with TLS", &make_tls_harness}));
INSTANTIATE_TEST_SUITE_P(Platform, DiskContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, HostContract, platform_only);
INSTANTIATE_TEST_SUITE_P(Platform, WatchContract, platform_only);

}  // namespace
}  // namespace understudy::contract
