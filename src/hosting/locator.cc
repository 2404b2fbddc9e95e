#include "hosting/locator.h"

#include <algorithm>
#include <utility>

namespace understudy::hosting {

struct StaticLocator::Core {
    struct Row {
        std::vector<Place> places;
        std::map<std::uint64_t, Found> watches;
    };
    std::map<std::string, Row> rows;
    std::uint64_t watch_last = 0;

    void tell(const std::string& service, std::uint64_t watch) {
        const auto row = rows.find(service);
        if (row == rows.end()) return;
        const auto found = row->second.watches.find(watch);
        if (found == row->second.watches.end()) return;
        const Found call = found->second;  // It may end the watch.
        const std::vector<Place> places = row->second.places;
        call(places);
    }
};

class StaticLocator::Registration final : public Watch {
public:
    Registration(std::weak_ptr<Core> core, std::string service, std::uint64_t number)
        : core_(std::move(core)), service_(std::move(service)), number_(number) {}
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() override {
        if (const auto core = core_.lock()) core->rows[service_].watches.erase(number_);
    }

private:
    std::weak_ptr<Core> core_;
    const std::string service_;
    const std::uint64_t number_;
};

StaticLocator::StaticLocator(Runtime& runtime)
    : runtime_(runtime), core_(std::make_shared<Core>()) {}

StaticLocator::~StaticLocator() = default;

void StaticLocator::set(const std::string& service, std::vector<Place> places) {
    Core::Row& row = core_->rows[service];
    row.places = std::move(places);
    for (const auto& [number, found] : row.watches) {
        runtime_.post([core = std::weak_ptr<Core>(core_), service, number = number] {
            if (const auto alive = core.lock()) alive->tell(service, number);
        });
    }
}

std::unique_ptr<Locator::Watch> StaticLocator::watch(const std::string& service, Found found) {
    const std::uint64_t number = ++core_->watch_last;
    core_->rows[service].watches.emplace(number, std::move(found));
    runtime_.post([core = std::weak_ptr<Core>(core_), service, number] {
        if (const auto alive = core.lock()) alive->tell(service, number);
    });
    return std::make_unique<Registration>(core_, service, number);
}

void StaticLocator::heard(const std::string& service, const Place& active) {
    std::vector<Place> places = core_->rows[service].places;
    for (const Place& place : places) {
        if (place.epoch > active.epoch) return;  // Old news.
    }
    std::erase_if(places, [&active](const Place& place) {
        return place.address == active.address ||
               (!active.member.empty() && place.member == active.member);
    });
    for (Place& place : places) place.epoch = {};
    places.insert(places.begin(), active);
    if (places != core_->rows[service].places) set(service, std::move(places));
}

}  // namespace understudy::hosting
