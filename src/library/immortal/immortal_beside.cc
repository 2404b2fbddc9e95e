#include <algorithm>
#include <utility>

#include "immortal/coordinator_client.h"
#include "immortal/linked.h"
#include "library/immortal/immortal_body.h"
#include "library/threads/guard.h"

namespace understudy::library {

namespace {

[[nodiscard]] Error not_beside(const char* what) {
    return {.code = Errc::bad_config,
            .detail = std::string(what) +
                      ": not available here; ask the coordinator, which keeps the journal"};
}

/// A copy of an immortal whose coordinator has its journal and connections.
class ImmortalBeside final : public ImmortalBody {
public:
    ImmortalBeside(Runtime& runtime, Log& log, const ImmortalOptions& options,
                   const ImmortalMember::Classes& classes, Observer& observer)
        : log_(log),
          observer_(observer),
          client_(runtime, log, client_options(options, classes), [&log, classes] {
              return std::make_unique<immortal::LinkedApplication>(log, classes);
          }) {
        client_.on_situation([this](const immortal::CoordinatorClient::Situation&) {
            observer_.standing_changed();
        });
        client_.on_trouble([this, &log, told = Errc{}](const Error& error) mutable {
            // A wrong configuration is not improved by another try.
            if (error.code == Errc::bad_config) return observer_.failed(error);
            if (std::exchange(told, error.code) != error.code) {
                log.warn("coordinator.away", {kv("error", error)});
            }
        });
    }

    void impulse(std::string_view handler, Bytes arguments, Answered answered) override {
        client_.impulse(handler, arguments, [answered = std::move(answered)](Result<void> taken) {
            if (!taken) return answered(std::move(taken).error());
            answered(Bytes{});
        });
    }
    void upgrade(std::uint32_t version, Done done) override {
        client_.upgrade(version, std::move(done));
    }
    void forget(std::string_view, Done done) override { done(not_beside("forget")); }
    void look(Look look, Done done) override {
        const auto* here =
            dynamic_cast<const immortal::LinkedApplication*>(client_.application());
        if (here == nullptr || here->object() == nullptr) {
            return done(
                Error{.code = Errc::not_active, .detail = "no coordinator has sent the state yet"});
        }
        Result<void> looked;
        guarded(log_, "look", [&] { looked = look(*here->object()); });
        done(std::move(looked));
    }
    void fill(ImmortalStatus& status) const override {
        const immortal::CoordinatorClient::Situation& now = client_.situation();
        status.role = now.role;
        status.epoch = now.epoch;
        if (now.role == Role::active) status.active = now.member;
        if (client_.application() != nullptr) status.version = client_.application()->version();
    }
    void close(std::function<void()> done) override { done(); }

private:
    [[nodiscard]] static immortal::CoordinatorClient::Options client_options(
        const ImmortalOptions& options, const ImmortalMember::Classes& classes) {
        immortal::CoordinatorClient::Options out;
        out.coordinator = *coordinator_address(options.coordinator);
        out.service = options.service;
        out.application = options.member.empty() ? options.service : options.member;
        out.versions.clear();
        for (const auto& each : classes) out.versions.push_back(each->version());
        std::sort(out.versions.begin(), out.versions.end());
        return out;
    }

    Log& log_;
    Observer& observer_;
    immortal::CoordinatorClient client_;
};

}  // namespace

Result<Address> coordinator_address(const std::string& text) {
    if (Address path{.host = text}; is_local(path)) {
        if (text.size() <= local_path_max) return path;
        return Error{.code = Errc::bad_config,
                     .detail = "coordinator: the path of a socket has at most " +
                               std::to_string(local_path_max) + " bytes"};
    }
    Address address = US_TRY(parse_address(text));
    if (address.host.empty() || address.port == 0) {
        return Error{.code = Errc::bad_config,
                     .detail = "coordinator: expected HOST:PORT, or a path with a '/'"};
    }
    return address;
}

std::unique_ptr<ImmortalBody> make_immortal_beside(Runtime& runtime, Log& log,
                                                   const ImmortalOptions& options,
                                                   const ImmortalMember::Classes& classes,
                                                   ImmortalBody::Observer& observer) {
    return std::make_unique<ImmortalBeside>(runtime, log, options, classes, observer);
}

}  // namespace understudy::library
