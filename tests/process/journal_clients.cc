#include "tests/process/journal_clients.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/random.h"

namespace understudy::process {

namespace json = boost::json;
using history::Event;
using history::Type;

namespace {

constexpr auto ask_limit = 1s;
constexpr auto pace = 2ms;
constexpr auto pause = 15ms;  // After all members have refused.
constexpr std::uint64_t operations_per_key = 60;
constexpr const char* list_key = "list";

void set_limit(int socket, int option, Clock::duration limit) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
    const timeval value{.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
    (void)::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value);
}

}  // namespace

// --- Caller --------------------------------------------------------------------------------------

Caller::Answer Caller::ask(const MemberSocket& member, std::string_view question,
                           Clock::duration limit) {
    Descriptor& connection = connections_[member.name];
    if (!connection.valid()) {
        connection = Descriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        set_limit(connection.get(), SO_SNDTIMEO, limit);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        member.path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof address) != 0) {
            connection.reset();
            return {.kind = Kind::refused, .text = "not there"};
        }
    }
    set_limit(connection.get(), SO_RCVTIMEO, limit);
    if (::send(connection.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
        connection.reset();
        return {.kind = Kind::refused, .text = "gone"};
    }
    std::array<char, 4096> bytes{};
    const ssize_t size = ::recv(connection.get(), bytes.data(), bytes.size(), 0);
    if (size <= 0) {
        connection.reset();
        return {.kind = Kind::unknown, .text = "no answer"};
    }
    const std::string_view told(bytes.data(), static_cast<std::size_t>(size));
    if (told.starts_with("ok")) {
        return {.kind = Kind::ok, .text = std::string(told.substr(told.size() > 2 ? 3 : 2))};
    }
    std::istringstream words{std::string(told)};
    std::string error, code, effect;
    words >> error >> code >> effect;
    return {.kind = effect == "none" ? Kind::refused : Kind::unknown,
            .text = std::string(told.substr(std::min(told.size(), error.size() + 1)))};
}

// --- Recorder ------------------------------------------------------------------------------------

Recorder::Recorder(const std::string& file, Clock::duration gap_max)
    : out_(file),
      writer_(out_,
              {{"workload", "ledger"},
               {"clock", "harness-monotonic-ns"},
               {"model",
                {{"epochs", {{"one_service", true}}},
                 {"availability",
                  {{"gap_max_ns",
                    std::chrono::duration_cast<std::chrono::nanoseconds>(gap_max).count()}}}}}}) {}

std::int64_t Recorder::new_process() {
    const std::lock_guard lock(mutex_);
    return processes_++;
}

void Recorder::put(Event event) {
    event.time =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began_).count();
    writer_.write(std::move(event));
}

void Recorder::write(Event event) {
    const std::lock_guard lock(mutex_);
    if (event.witness.empty()) {
        if (event.type == Type::invoke) {
            open_[event.process] = ++begun_;
        } else if (event.type == Type::ok) {
            ++acknowledged_;
            newest_served_ = std::max(newest_served_, open_[event.process]);
            changed_.notify_all();
        }
    }
    put(std::move(event));
}

void Recorder::fault(const std::string& f, const std::string& node) {
    write({.process = -1,
           .witness = "nemesis",
           .type = Type::info,
           .f = f,
           .value = {{"node", node}}});
}

void Recorder::end(bool drained) {
    const std::lock_guard lock(mutex_);
    writer_.end(drained);
}

std::uint64_t Recorder::acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
}

void Recorder::await_service(Clock::duration limit) {
    std::unique_lock lock(mutex_);
    const std::uint64_t until_now = begun_;
    if (!changed_.wait_for(lock, limit, [&] { return newest_served_ > until_now; })) {
        throw Broken("nobody is served");
    }
}

void Recorder::complain(const std::string& what) {
    const std::lock_guard lock(mutex_);
    complaints_.push_back(what);
}

std::vector<std::string> Recorder::complaints() const {
    const std::lock_guard lock(mutex_);
    return complaints_;
}

std::string Recorder::next_key() {
    const std::lock_guard lock(mutex_);
    return "r" + std::to_string(operations_++ / operations_per_key);
}

std::string Recorder::next_value() {
    const std::lock_guard lock(mutex_);
    return "v" + std::to_string(++values_);
}

std::vector<std::string> Recorder::keys() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (std::uint64_t i = 0; i * operations_per_key < operations_; ++i) {
        out.push_back("r" + std::to_string(i));
    }
    return out;
}

// --- Clients -------------------------------------------------------------------------------------

class Clients::Client {
public:
    Client(Recorder& recorder, const std::vector<MemberSocket>& members, std::uint64_t seed)
        : recorder_(recorder), members_(members), random_(seed) {}

    /// False if no member opens a session yet.
    bool open_session() {
        for (std::size_t i = 0; i < members_.size(); ++i) {
            const auto answer = caller_.ask(target(), "session", ask_limit);
            if (answer.kind == Caller::Kind::ok) {
                session_ = answer.text;
                request_ = 0;
                process_ = recorder_.new_process();
                return true;
            }
            ++at_;
        }
        std::this_thread::sleep_for(pause);
        return false;
    }
    [[nodiscard]] bool has_session() const { return !session_.empty(); }

    void anything() {
        const std::uint64_t choice = random_.below(10);
        if (choice < 4) return append();
        const std::string key = recorder_.next_key();
        if (choice < 6) {
            const std::string value = recorder_.next_value();
            change("write", key, json::value(value), "write " + key + ' ' + value);
        } else if (choice < 8) {
            const std::string value = recorder_.next_value();
            const std::string expected = seen_key_ == key ? seen_ : std::string();
            const json::value old = expected.empty() ? json::value(nullptr) : json::value(expected);
            change("cas", key, json::array{old, json::value(value)},
                   "cas " + key + ' ' + (expected.empty() ? "-" : expected) + ' ' + value);
        } else {
            read(key);
        }
    }

    void append() {
        const std::string value = recorder_.next_value();
        change("append", list_key, json::value(value), "append " + value);
    }

    void read(const std::string& key) {
        begin("read", key, nullptr);
        const auto deadline = Clock::now() + operation_limit;
        std::size_t refusals = 0;
        while (Clock::now() < deadline) {
            const auto answer = caller_.ask(target(), "read " + key, ask_limit);
            if (answer.kind == Caller::Kind::ok) {
                seen_key_ = key;
                seen_ = answer.text.empty() ? std::string() : answer.text.substr(1);
                return finish({.type = Type::ok,
                               .value = seen_.empty() ? json::value(nullptr) : json::value(seen_),
                               .node = target().name});
            }
            next_target(refusals);
        }
        finish({.type = Type::fail, .error = "timeout"});  // It changes nothing.
    }

private:
    [[nodiscard]] const MemberSocket& target() const { return members_[at_ % members_.size()]; }

    void next_target(std::size_t& refusals) {
        ++at_;
        if (++refusals % members_.size() == 0) std::this_thread::sleep_for(pause);
    }

    void begin(const char* f, const std::string& key, json::value value) {
        f_ = f;
        key_ = key;
        recorder_.write({.process = process_,
                         .type = Type::invoke,
                         .f = f,
                         .key = key,
                         .value = std::move(value)});
    }

    void finish(Event event) {
        event.process = process_;
        event.f = f_;
        event.key = key_;
        if (event.type == Type::info) session_.clear();
        recorder_.write(std::move(event));
    }

    /// "COUNT", or "COUNT true|false".
    void done(std::string_view reply, std::uint64_t epoch) {
        std::istringstream words{std::string(reply)};
        Event event{.type = Type::ok, .epoch = epoch};
        std::string matched;
        words >> event.rev >> matched;
        if (f_ == "cas") event.value = matched == "true";
        if (epoch != 0) event.node = target().name;
        finish(std::move(event));
    }

    void change(const char* f, const std::string& key, json::value value,
                const std::string& command) {
        begin(f, key, std::move(value));
        const std::string id = session_ + ' ' + std::to_string(++request_);
        const auto deadline = Clock::now() + operation_limit;
        bool perhaps = false;  // An attempt may have arrived.
        std::size_t refusals = 0;
        while (Clock::now() < deadline) {
            // A client that does not know the outcome may send the request again, or ask for the
            // outcome.
            const bool asks = perhaps && random_.below(3) == 0;
            const auto answer = caller_.ask(
                target(), (asks ? "outcome " + id : "submit " + id + ' ' + command), ask_limit);
            if (answer.kind == Caller::Kind::ok && asks) {
                if (answer.text.starts_with("applied ")) {
                    return done(std::string_view(answer.text).substr(8), 0);
                }
                if (answer.text == "not_applied") {
                    return finish({.type = Type::fail, .error = "abandoned"});
                }
                recorder_.complain("a reply that is needed is not kept: " + id);
                return finish({.type = Type::info, .error = "unknown"});
            }
            if (answer.kind == Caller::Kind::ok) {
                const std::size_t space = answer.text.find(' ');
                // A repeated answer may come from an earlier epoch.
                const std::uint64_t epoch = perhaps ? 0 : std::stoull(answer.text);
                return done(std::string_view(answer.text).substr(space + 1), epoch);
            }
            if (answer.text.starts_with("session_expired")) {
                recorder_.complain("a session that was acknowledged is not there: " + id);
                return finish({.type = Type::info, .error = answer.text});
            }
            // Because of an outcome() of this client.
            if (perhaps && answer.text.starts_with("refused")) {
                return finish({.type = Type::fail, .error = "abandoned"});
            }
            if (answer.kind == Caller::Kind::unknown) perhaps = true;
            next_target(refusals);
        }
        finish({.type = perhaps ? Type::info : Type::fail, .error = "timeout"});
    }

    Recorder& recorder_;
    const std::vector<MemberSocket> members_;
    Random random_;
    Caller caller_;
    std::size_t at_ = 0;
    std::string session_;
    std::uint64_t request_ = 0;
    std::int64_t process_ = 0;
    std::string f_;
    std::string key_;
    std::string seen_key_;
    std::string seen_;
};

Clients::Clients(Recorder& recorder, std::vector<MemberSocket> members, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        threads_.emplace_back([this, &recorder, members, i] {
            Client client(recorder, members, 20261120 + i);
            while (!stopping_) {
                if (client.has_session()) {
                    client.anything();
                    std::this_thread::sleep_for(pace);
                } else {
                    (void)client.open_session();
                }
            }
        });
    }
}

Clients::~Clients() { stop(); }

void Clients::stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

void Clients::drain(Recorder& recorder, const std::vector<MemberSocket>& members) {
    Client client(recorder, members, 1);
    if (!eventually([&] { return client.open_session(); })) {
        throw Broken("nobody opens a session in the end");
    }
    for (const std::string& key : recorder.keys()) client.read(key);
    if (client.has_session()) client.append();
}

}  // namespace understudy::process
