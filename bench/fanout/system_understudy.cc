#include <memory>
#include <utility>

#include "bench/fanout/subscriber.h"
#include "bench/fanout/system.h"
#include "bench/harness/stage.h"
#include "understudy/understudy.h"

namespace understudy::bench {

namespace {

class UnderstudySystem final : public System {
public:
    UnderstudySystem(Stage stage, Agent agent, Service service, Record record)
        : stage_(std::move(stage)),
          agent_(std::move(agent)),
          service_(std::move(service)),
          record_(std::move(record)) {}

    std::string name() const override { return "understudy"; }
    std::string address() const override { return stage_.registry(); }
    Result<void> publish(const std::string& text) override {
        US_CHECK(record_.put("data", text));
        return service_.publish(record_);
    }
    Result<void> flush() override { return {}; }

private:
    Stage stage_;
    Agent agent_;
    Service service_;
    Record record_;
};

}  // namespace

// The publisher is the member itself, in this process.
Result<std::unique_ptr<System>> start_understudy(const Bench& bench, const Place&) {
    Stage stage = US_TRY(Stage::set(bench, {.members = {}}));
    Agent agent = US_TRY(Agent::open({.name = "bench-publisher", .registry = {stage.registry()}}));
    Service service = US_TRY(agent.create_service({.family = "Bench", .member = "Publisher"}));
    Record record = US_TRY(service.record(channel));
    US_CHECK(record.put("data", "first"));
    US_CHECK(service.publish(record));
    US_CHECK(service.wait_registered());
    US_CHECK(agent.wait_for_service("Bench", 10s));
    return std::unique_ptr<System>(std::make_unique<UnderstudySystem>(
        std::move(stage), std::move(agent), std::move(service), std::move(record)));
}

}  // namespace understudy::bench
