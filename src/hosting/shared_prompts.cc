#include "hosting/shared_prompts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/lifetime.h"
#include "hosting/options.h"
#include "journal/shared/shared_epoch.h"
#include "link/link.h"
#include "link/refusals.h"

namespace understudy::hosting {

namespace {

constexpr Duration connect_timeout = 1s;
constexpr Duration retry_min = 20ms;
constexpr Duration retry_max = 2s;
constexpr Duration owed_after = 5ms;  // Then a slow standby gets the prompt that it missed.

/// The tenure to which the prompts belong.
struct Tenure {
    Epoch epoch;
    std::uint64_t number = 0;  ///< 0: no tenure.

    [[nodiscard]] std::uint32_t asked() const { return static_cast<std::uint32_t>(number >> 32); }
    [[nodiscard]] std::uint32_t answered() const { return static_cast<std::uint32_t>(number); }
    friend bool operator==(const Tenure&, const Tenure&) = default;
};

}  // namespace

/// The part of the active member.
class SharedPrompts::Teller final : public link::Link::Observer {
public:
    Teller(Runtime& runtime, Log& log, const Options& options)
        : runtime_(runtime),
          tell_all_(runtime.turn_ends(), TurnPhase::messages, [this] { tell_all(); }) {
        auto listener = runtime.network().listen(
            options.listen, options.tls,
            [this](std::unique_ptr<Connection> connection) { accept(std::move(connection)); });
        if (listener) {
            listener_ = *std::move(listener);
        } else {
            log.warn("prompts.listen.failed", {kv("error", listener.error())});
        }
    }
    ~Teller() override = default;
    Teller(const Teller&) = delete;
    Teller& operator=(const Teller&) = delete;

    [[nodiscard]] std::optional<Address> address() const {
        if (!listener_) return std::nullopt;
        return listener_->address();
    }

    void serve(const Tenure& tenure) {
        if (tenure == tenure_) return;
        tenure_ = tenure;
        committed_ = {};
        for (const auto& link : links_) {
            link->finish({.code = Errc::not_active, .detail = "another tenure"});
        }
    }

    void committed(Index index) {
        committed_ = index;
        // The prompt is sent at the end of the turn, so it includes what is committed later in the
        // turn.
        if (!links_.empty()) tell_all_.mark();
    }

    [[nodiscard]] std::size_t standbys() const {
        return static_cast<std::size_t>(std::count_if(
            links_.begin(), links_.end(), [](const auto& link) { return link->open(); }));
    }

private:
    void accept(std::unique_ptr<Connection> connection) {
        if (links_.size() >= standbys_max) return;
        links_.push_back(std::make_unique<link::Link>(runtime_, std::move(connection),
                                                      wire::Side::accepting,
                                                      link::Link::Options{}, *this));
    }

    void tell_all() {
        for (const auto& link : links_) tell(*link);
    }

    void tell(link::Link& link) {
        if (tenure_.number == 0 || committed_ == Index{} || !link.open()) return;
        if (link.backlog_bytes() >= backlog_bytes_max) {
            owed_ = runtime_.at(runtime_.now() + owed_after, [this] { tell_all(); });
            return;
        }
        Buffer body;
        ByteWriter writer(body);
        writer.fixed(tenure_.epoch.value);
        writer.fixed(committed_.value);
        link.send(wire::MessageType::prompt, Bytes(body));
    }

    void link_hello(link::Link& link, Bytes opaque) override {
        ByteReader reader(opaque);
        const auto epoch = reader.fixed<std::uint64_t>();
        const auto half = reader.fixed<std::uint32_t>();
        const bool ours = !reader.failed() && tenure_.number != 0 &&
                          tenure_.epoch.value == *epoch && tenure_.asked() == *half;
        if (!ours) {
            return link.refuse(
                {.code = Errc::not_active, .detail = "not the active of that epoch"});
        }
        Buffer answer;
        ByteWriter(answer).fixed(tenure_.answered());
        link.welcome(answer);
        tell(link);
    }
    void link_welcome(link::Link&, Bytes) override {}
    void link_message(link::Link&, wire::MessageType, Bytes) override {}
    void link_drained(link::Link& link) override { tell(link); }
    void link_closed(link::Link& link, const Error&) override {
        std::erase_if(links_, [&](const auto& each) { return each.get() == &link; });
    }

    Runtime& runtime_;
    Tenure tenure_;
    Index committed_;
    TurnEnd tell_all_;
    std::unique_ptr<Timer> owed_;
    std::vector<std::unique_ptr<link::Link>> links_;
    std::unique_ptr<Listener> listener_;
};

/// The part of a standby.
class SharedPrompts::Hearer final : public link::Link::Observer {
public:
    Hearer(Runtime& runtime, Log& log, std::optional<TlsOptions> tls)
        : runtime_(runtime), refusals_(runtime, log), tls_(std::move(tls)) {}
    ~Hearer() override = default;
    Hearer(const Hearer&) = delete;
    Hearer& operator=(const Hearer&) = delete;

    void set_directory(std::string directory) { directory_ = std::move(directory); }
    void set_ear(journal::SharedJournal::Ear ear) {
        ear_ = std::move(ear);
        // A prompt may have arrived while the journal was opening.
        if (told_ != Index{}) ear_.prompt(told_, tenure_.epoch);
    }

    void follow(const Tenure& tenure) {
        if (tenure == tenure_) return;
        tenure_ = tenure;
        told_ = {};
        retry_.reset();
        drop();
        wait_ = retry_min;
        if (tenure_.number != 0) find();
    }

    [[nodiscard]] bool prompted() const { return link_ && welcomed_; }

private:
    using Found = Result<std::optional<journal::Contact>>;

    /// Ends the connection and the attempt to connect.
    void drop() {
        link_.reset();
        attempt_.reset();
        welcomed_ = false;
    }

    void find() {
        auto found = std::make_shared<std::optional<Found>>();
        runtime_.worker("stamp").submit(
            [found, &disk = runtime_.disk(), directory = directory_, tenure = tenure_] {
                found->emplace(
                    journal::read_contact(disk, directory, tenure.epoch, tenure.number));
            },
            [this, found, tenure = tenure_, here = life_.watch()] {
                if (!here.ended() && tenure == tenure_) dial(**found);
            });
    }

    void dial(const Found& found) {
        if (!found || !*found) return retry();
        const journal::Contact& contact = **found;
        const bool elsewhere =
            contact.process && contact.process->boot != runtime_.host().self().boot;
        if (elsewhere && is_loopback(contact.address.host)) return;  // Not our host, so we poll.
        dialled_ = contact.address;
        attempt_ = runtime_.network().connect(
            contact.address, tls_, connect_timeout,
            [this](Result<std::unique_ptr<Connection>> connection) {
                if (!connection) {
                    if (link::blames_peer(connection.error())) {
                        refusals_.heard("prompts.stranger", kv("peer", to_string(dialled_)),
                                        connection.error());
                    }
                    return retry();
                }
                link_ = std::make_unique<link::Link>(runtime_, *std::move(connection),
                                                     wire::Side::connecting,
                                                     link::Link::Options{}, *this);
                Buffer hello;
                ByteWriter writer(hello);
                writer.fixed(tenure_.epoch.value);
                writer.fixed(tenure_.asked());
                link_->hello(hello);
            });
    }

    void retry() {
        retry_ = runtime_.at(runtime_.now() + wait_, [this] { find(); });
        wait_ = std::min(2 * wait_, retry_max);
    }

    void link_hello(link::Link&, Bytes) override {}
    void link_welcome(link::Link& link, Bytes opaque) override {
        ByteReader reader(opaque);
        const auto half = reader.fixed<std::uint32_t>();
        if (half != tenure_.answered()) {
            refusals_.heard("prompts.stranger", link.peer(),
                            {.code = Errc::refused, .detail = "it answers for another tenure"});
            drop();
            return retry();
        }
        welcomed_ = true;
        wait_ = retry_min;
    }
    void link_message(link::Link&, wire::MessageType type, Bytes body) override {
        if (!welcomed_ || type != wire::MessageType::prompt) return;
        ByteReader reader(body);
        const auto epoch = reader.fixed<std::uint64_t>();
        const auto index = reader.fixed<std::uint64_t>();
        if (reader.failed() || *epoch != tenure_.epoch.value) return;
        told_ = {*index};
        ear_.prompt(told_, tenure_.epoch);
    }
    void link_drained(link::Link&) override {}
    void link_closed(link::Link&, const Error&) override {
        const bool was_told = welcomed_;
        drop();
        retry();
        if (was_told) ear_.suspect();
    }

    Runtime& runtime_;
    link::Refusals refusals_;
    const std::optional<TlsOptions> tls_;
    std::string directory_;
    journal::SharedJournal::Ear ear_;
    Tenure tenure_;
    Index told_;
    bool welcomed_ = false;
    Duration wait_ = retry_min;
    std::unique_ptr<Timer> retry_;
    std::unique_ptr<Attempt> attempt_;
    Address dialled_;
    std::unique_ptr<link::Link> link_;
    Lifetime life_;
};

SharedPrompts::SharedPrompts(Runtime& runtime, Log& log, Options options)
    : runtime_(runtime),
      log_(log),
      teller_(std::make_unique<Teller>(runtime, log, options)),
      hearer_(std::make_unique<Hearer>(runtime, log, std::move(options.tls))) {}

SharedPrompts::~SharedPrompts() = default;

journal::Open SharedPrompts::opener(journal::SharedJournal::Options options,
                                    std::function<void(journal::SharedJournal&)> made) {
    hearer_->set_directory(options.directory);
    options.prompts_at = teller_->address();
    options.on_commit = [this](Index committed, Epoch) { teller_->committed(committed); };
    options.on_standing = [this](const journal::Standing& standing, std::uint64_t tenure) {
        const Tenure now{.epoch = standing.epoch, .number = tenure};
        const bool active = standing.role == Role::active;
        teller_->serve(active ? now : Tenure{});
        hearer_->follow(active ? Tenure{} : now);
    };
    return journal::SharedJournal::opener(
        runtime_, log_, std::move(options),
        [this, made = std::move(made)](journal::SharedJournal& journal) {
            hearer_->set_ear(journal.ear());
            if (made) made(journal);
        });
}

std::optional<Address> SharedPrompts::address() const { return teller_->address(); }
std::size_t SharedPrompts::standbys() const { return teller_->standbys(); }
bool SharedPrompts::prompted() const { return hearer_->prompted(); }

}  // namespace understudy::hosting
