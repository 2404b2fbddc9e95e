#include "node/immortal/immortal_client.h"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/lifetime.h"
#include "immortal/machine.h"
#include "node/immortal/courier.h"
#include "understudy/limits.h"

namespace understudy::node {

using immortal::Batch;
using immortal::Message;
using immortal::MessageKind;
using immortal::Outbox;

namespace {

constexpr std::size_t window_bytes = 1 * MiB;
/// After this time a message that was sent and never acknowledged may have been carried out and
/// forgotten: half of the time for which the service keeps a silent session.
constexpr Duration unheard_max = immortal::Machine::client_idle_max / 2;

std::uint64_t new_session(Random& random) {
    std::uint64_t session = 0;
    while (session == 0) session = random.next();
    return session;
}

class Client final : public ImmortalClient, private Courier::Owner {
public:
    Client(Runtime& runtime, Log& log, Options options, hosting::Locator& locator)
        : runtime_(runtime),
          options_(std::move(options)),
          session_(options_.session != 0 ? options_.session : new_session(runtime.random())),
          name_(fmt::format("{}{:016x}", immortal::client_mark, session_)),
          numbered_(options_.session == 0),
          ready_(numbered_),
          heard_(runtime.now()),
          courier_(runtime, log,
                   {.name = name_,
                    .tls = options_.tls,
                    .connect_timeout = options_.connect_timeout,
                    .window_bytes = window_bytes},
                   locator, *this) {
        if (!ready_) courier_.output_ready(options_.service);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() override { life_.end(); }

    void on_ready(std::function<void()> ready) override { on_ready_ = std::move(ready); }
    [[nodiscard]] bool ready() const override { return ready_; }
    [[nodiscard]] std::uint64_t next_number() const override {
        US_ASSERT(ready_);
        return out_.next().value;
    }

    std::uint64_t call(std::string_view handler, Bytes arguments, Answered answered) override {
        Result<void> checked = check(handler, arguments);
        if (checked && waiting_.size() >= outstanding_max) checked = full();
        if (!checked) {
            answer_later(std::move(answered), checked.error());
            return 0;
        }
        const std::uint64_t number = out_.next().value;
        waiting_.emplace(number, Waiting{.answered = std::move(answered)});
        append({.kind = MessageKind::call, .id = number, .name = handler, .body = arguments});
        return number;
    }
    std::uint64_t send(std::string_view handler, Bytes arguments) override {
        if (!check(handler, arguments)) return 0;
        const std::uint64_t number = out_.next().value;
        append({.kind = MessageKind::one_way, .name = handler, .body = arguments});
        return number;
    }
    void resume(std::uint64_t number, Answered answered) override {
        if (auto error = gone(number)) return answer_later(std::move(answered), *error);
        waiting_.insert_or_assign(number,
                                  Waiting{.answered = std::move(answered), .resumed = true});
    }
    void release(std::uint64_t number) override {
        const auto found = kept_.find(number);
        if (found == kept_.end()) return;
        held_.erase(found->second);
        kept_.erase(found);
        courier_.tell_durable(options_.service);
    }
    void on_room(std::function<void()> room) override { on_room_ = std::move(room); }

    [[nodiscard]] std::uint64_t session() const override { return session_; }
    [[nodiscard]] std::size_t outstanding() const override { return waiting_.size(); }
    [[nodiscard]] bool all_durable() const override { return out_.empty(); }
    void close(std::function<void()> done) override {
        const Lifetime::Watch here = life_.watch();
        expire({.code = Errc::closed, .effect = Effect::unknown, .detail = "the client is closed"});
        if (!here.ended()) courier_.end_session(options_.service, std::move(done));
    }

private:
    struct Waiting {
        Answered answered;
        bool resumed = false;  ///< An earlier process made the call.
    };

    [[nodiscard]] Result<void> check(std::string_view handler, Bytes arguments) {
        if (over_) return Error{.code = over_->code, .detail = over_->detail};
        if (!ready_) {
            return Error{.code = Errc::not_active,
                         .detail = "the position of session " + name_ + " is not known yet"};
        }
        US_CHECK(check_call_name(handler));
        if (arguments.size() > immortal::message_size_max) {
            return Error{.code = Errc::limit_exceeded, .detail = "arguments too long"};
        }
        if (out_.bytes() + arguments.size() > outstanding_bytes_max) return full();
        return {};
    }
    [[nodiscard]] Error full() {
        wants_room_ = true;
        return {.code = Errc::limit_exceeded,
                .detail = options_.service + " has not taken earlier calls yet"};
    }
    void append(const Message& message) {
        out_.append(message);
        courier_.output_ready(options_.service);
    }
    void answer_later(Answered answered, Error error) {
        runtime_.post(
            [here = life_.watch(), answered = std::move(answered), error = std::move(error)] {
                if (!here.ended() && answered) answered(error);
            });
    }
    void make_room() {
        if (!wants_room_ || waiting_.size() > outstanding_max / 2 ||
            out_.bytes() > outstanding_bytes_max / 2) {
            return;
        }
        wants_room_ = false;
        runtime_.post([this, here = life_.watch()] {
            if (here.ended()) return;
            if (const auto room = on_room_) room();
        });
    }

    /// No call is made from now on. `this` may be destroyed within.
    void expire(Error error) {
        if (!over_) over_ = error;
        const Lifetime::Watch here = life_.watch();
        out_ = Outbox();
        for (auto& [number, waiting] : std::exchange(waiting_, {})) {
            if (waiting.answered) waiting.answered(error);
            if (here.ended()) return;
        }
    }

    // --- Calls of the courier ---

    ImmortalHello hello(const std::string& service) override {
        return {.service = service,
                .name = name_,
                .instance = session_,
                .known = instance_,
                .received = numbered_ ? durable_here(service) : MessageNo{},
                .confirmed = out_.confirmed(),
                .resuming = !numbered_};
    }
    void link_wanted(Courier::GuestId, const ImmortalHello&) override {}
    bool wants_link(const std::string&) override {
        return !over_ && (!ready_ || !out_.empty() || !waiting_.empty());
    }
    Result<void> link_taken(const std::string&, const ImmortalWelcome& welcome) override {
        const bool unheard = out_.confirmed().value == 0 && received_.value == 0 &&
                             runtime_.now() - heard_ > unheard_max;
        const bool others = numbered_ && welcome.received >= out_.next();
        if ((instance_ != 0 && welcome.instance != instance_) || (sent_ && unheard) || others) {
            Error error{.code = Errc::session_expired,
                        .effect = Effect::unknown,
                        .detail = options_.service + " no longer knows this session"};
            expire(error);
            return error;
        }
        instance_ = welcome.instance;
        heard_ = runtime_.now();
        if (numbered_) {
            sent_ = true;
            return durable_there(options_.service, welcome.received, 0);
        }
        numbered_ = true;
        out_.restore(welcome.received, welcome.received.next(), 0);
        first_ = out_.next();
        received_ = welcome.confirmed;
        made_before_ = welcome.made;
        runtime_.post([this, here = life_.watch()] {
            if (!here.ended()) become_ready();
        });
        return {};
    }
    /// Numbers that never arrived are free again; callers that wait for them are told before.
    void become_ready() {
        const Lifetime::Watch here = life_.watch();
        settle_resumed();
        if (here.ended() || over_) return;
        ready_ = true;
        if (const auto ready = std::exchange(on_ready_, nullptr)) ready();
    }
    /// The reason why the answer to a call of an earlier process will not come, if it is known.
    [[nodiscard]] std::optional<Error> gone(std::uint64_t number) const {
        if (!numbered_) return std::nullopt;
        if (number >= first_.value) {
            return Error{.code = Errc::not_found, .detail = "the call never arrived"};
        }
        if (received_ < made_before_) return std::nullopt;
        return Error{.code = Errc::session_expired,
                     .effect = Effect::unknown,
                     .detail = "the answer is no longer kept"};
    }
    /// `this` may be destroyed within.
    void settle_resumed() {
        std::vector<std::pair<Answered, Error>> told;
        for (auto each = waiting_.begin(); each != waiting_.end();) {
            const auto next = std::next(each);
            const auto error = each->second.resumed ? gone(each->first) : std::nullopt;
            if (error) {
                told.emplace_back(std::move(each->second.answered), *error);
                waiting_.erase(each);
            }
            each = next;
        }
        const Lifetime::Watch here = life_.watch();
        for (const auto& [answered, error] : told) {
            if (answered) answered(error);
            if (here.ended()) return;
        }
    }
    void link_lost(const std::string&) override { heard_ = runtime_.now(); }
    void link_refused(const std::string&, const Error& reason) override {
        if (reason.code != Errc::session_expired) return;
        expire({.code = reason.code, .effect = Effect::unknown, .detail = reason.detail});
    }

    Outbox::ChunkPtr chunk(const std::string&, MessageNo from) override {
        sent_ = true;
        return out_.at(std::max(from, out_.confirmed().next()));
    }
    Result<void> durable_there(const std::string&, MessageNo upto, std::size_t) override {
        if (upto >= out_.next()) {
            return Error{.code = Errc::corrupt, .detail = "the peer confirms more than was sent"};
        }
        out_.confirm(upto);
        make_room();
        return {};
    }
    MessageNo durable_here(const std::string&) override {
        return held_.empty() ? received_ : MessageNo{held_.begin()->value - 1};
    }
    Result<void> batch_received(const std::string& service, const Batch& batch) override {
        if (batch.first > received_.next()) {
            return Error{.code = Errc::corrupt, .detail = service + " left out answers"};
        }
        const Lifetime::Watch here = life_.watch();
        ByteReader in(batch.messages);
        MessageNo number = batch.first;
        for (std::uint64_t i = 0; i < batch.count; ++i, number = number.next()) {
            const auto message = immortal::decode_message(in);
            if (!message) break;
            if (number <= received_) continue;
            received_ = number;
            answered(number, *message);
            if (here.ended()) return {};
        }
        if (received_ >= made_before_ && made_before_.value != 0) {
            made_before_ = {};
            settle_resumed();
            if (here.ended()) return {};
        }
        courier_.tell_durable(service);
        make_room();
        return {};
    }
    void answered(MessageNo number, const Message& message) {
        const auto found = waiting_.find(message.id);
        const bool reply = message.kind == MessageKind::reply;
        if (found == waiting_.end() || (!reply && message.kind != MessageKind::refusal)) return;
        const Answered tell = std::move(found->second.answered);
        waiting_.erase(found);
        if (options_.answers == Answers::until_released) {
            held_.insert(number);
            kept_[message.id] = number;
        }
        if (!tell) return;
        if (reply) return tell(message.body);
        tell(immortal::decode_refusal(message.body));
    }

    Runtime& runtime_;
    const Options options_;
    const std::uint64_t session_;
    const std::string name_;
    bool numbered_;  ///< It is known which numbers are free.
    bool ready_;     ///< The owner was told so.
    bool sent_ = false;  ///< Something may have arrived at the service.
    TimePoint heard_;    ///< The service knew the session then.
    std::optional<Error> over_;
    std::uint64_t instance_ = 0;  ///< Of the service; 0: not known.
    Outbox out_;
    std::map<std::uint64_t, Waiting> waiting_;  ///< By number of the call.
    MessageNo received_;                        ///< From the service's stream.
    MessageNo first_{1};                        ///< The first number that this process assigns.
    MessageNo made_before_;     ///< The end of the service's stream when the session was ready.
    std::set<MessageNo> held_;  ///< Answers that were delivered here and not released.
    std::map<std::uint64_t, MessageNo> kept_;   ///< The same by number of the call.
    bool wants_room_ = false;
    std::function<void()> on_ready_;
    std::function<void()> on_room_;
    Courier courier_;
    Lifetime life_;
};

}  // namespace

std::unique_ptr<ImmortalClient> ImmortalClient::make(Runtime& runtime, Log& log, Options options,
                                                     hosting::Locator& locator) {
    return std::make_unique<Client>(runtime, log, std::move(options), locator);
}

}  // namespace understudy::node
