#include "immortal/coordinator_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"

namespace understudy::immortal {

namespace {

constexpr std::size_t image_backlog_max = 4 * MiB;
constexpr std::size_t image_slice_about = 256 * KiB;

// A linked application's image consists of pieces that it needs back unchanged. Each piece is
// preceded by its length.
constexpr std::size_t piece_head_size = 4;

}  // namespace

CoordinatorClient::CoordinatorClient(Runtime& runtime, Log& log, Options options, Make make)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      make_(std::move(make)),
      retry_(options_.retry_min) {
    US_ASSERT(!options_.versions.empty());
    connect();
}

CoordinatorClient::~CoordinatorClient() { life_.end(); }

void CoordinatorClient::on_situation(std::function<void(const Situation&)> changed) {
    on_situation_ = std::move(changed);
}

void CoordinatorClient::on_trouble(std::function<void(const Error&)> heard) {
    on_trouble_ = std::move(heard);
}

/// May destroy this.
void CoordinatorClient::tell_situation() {
    const Situation now = situation_;
    if (const auto changed = on_situation_) changed(now);
}

// --- The connection ------------------------------------------------------------------------------

void CoordinatorClient::connect() {
    retry_timer_.reset();
    attempt_ = runtime_.network().connect(
        options_.coordinator, std::nullopt, options_.connect_timeout,
        [this](Result<std::unique_ptr<Connection>> result) {
            if (result) return connected(*std::move(result));
            lose(result.error());
        });
}

void CoordinatorClient::connect_later() {
    retry_timer_ = runtime_.at(runtime_.now() + retry_, [this] { connect(); });
    retry_ = std::min(2 * retry_, options_.retry_max);
}

void CoordinatorClient::connected(std::unique_ptr<Connection> connection) {
    connection_ = std::move(connection);
    connection_->start(*this);
    stream_ = {};
    put_frame(HelloFrame{.service = options_.service,
                         .application = options_.application,
                         .versions = options_.versions},
              out_);
    flush();
}

void CoordinatorClient::closed(const Error& reason) { lose(reason); }

/// The connection and the application may call this, so it destroys neither of them now.
void CoordinatorClient::lose(const Error& reason) {
    if (std::exchange(losing_, true)) return;
    runtime_.post([this, reason, here = life_.watch()] {
        if (here.ended()) return;
        losing_ = false;
        connection_.reset();
        attempt_.reset();
        application_.reset();
        image_.reset();
        out_.clear();
        given_up_ = false;
        performed_new_ = false;
        const bool was_welcomed = situation_.welcomed;
        situation_ = {};
        connect_later();
        for (auto& [id, answered] : std::exchange(asked_, {})) {
            answered(Error{.code = Errc::unavailable,
                           .effect = Effect::unknown,
                           .detail = "the coordinator has gone"});
            if (here.ended()) return;
        }
        if (was_welcomed) log_.warn("coordinator.lost", {kv("error", reason)});
        if (was_welcomed) tell_situation();
        if (here.ended()) return;
        if (const auto heard = on_trouble_) heard(reason);
    });
}

/// This application cannot be used any more; the coordinator ends the connection.
void CoordinatorClient::give_up(const Error& error) {
    if (std::exchange(given_up_, true)) return;
    log_.error("application.broken", {kv("error", error)});
    settle_performed();
    put_frame(BrokenFrame{error}, out_);
    flush();
}

void CoordinatorClient::flush() {
    if (connection_ != nullptr && !out_.empty()) connection_->send(out_);
    out_.clear();
}

void CoordinatorClient::settle_performed() {
    if (std::exchange(performed_new_, false)) put_frame(PerformedFrame{performed_}, out_);
}

// --- Frames from the coordinator -----------------------------------------------------------------

void CoordinatorClient::received(Bytes data) {
    stream_.received(data);
    work();
}

void CoordinatorClient::drained() {
    if (image_ != nullptr) send_image();
    work();
}

void CoordinatorClient::work() {
    const Lifetime::Watch here = life_.watch();
    while (!given_up_ && image_ == nullptr) {
        const auto raw = stream_.next(frame_size_max);
        if (!raw) {
            give_up(raw.error());
            break;
        }
        if (!*raw) break;
        const auto frame = decode_frame((*raw)->type, (*raw)->body);
        if (!frame) {
            give_up(frame.error());
            break;
        }
        std::visit([this](const auto& each) { on(each); }, *frame);
        if (here.ended()) return;
    }
    settle_performed();
    flush();
}

void CoordinatorClient::on(const WelcomeFrame& welcome) {
    if (situation_.welcomed || welcome.protocol != coordinator_protocol) {
        return give_up({.code = Errc::corrupt, .detail = "an unexpected welcome"});
    }
    retry_ = options_.retry_min;
    situation_ = {.welcomed = true,
                  .mode = welcome.mode,
                  .service = std::string(welcome.service),
                  .member = std::string(welcome.member),
                  .role = Role::joining,
                  .epoch = {}};
    application_ = make_();
    US_ASSERT(application_->immediate());
    log_.info("coordinator.found",
              {kv("service", welcome.service), kv("member", welcome.member)});
    tell_situation();
}

void CoordinatorClient::on(const RestoreFrame& restore) {
    if (application_ == nullptr) return on<RestoreFrame>(restore);
    if (restore.first) {
        restore_stream_.clear();
        restore_first_ = true;
    }
    restore_stream_.insert(restore_stream_.end(), restore.piece.begin(), restore.piece.end());
    const Bytes all = restore_stream_;
    std::size_t used = 0;
    while (all.size() - used >= piece_head_size) {
        std::uint32_t size = 0;
        std::memcpy(&size, all.data() + used, piece_head_size);
        if (all.size() - used - piece_head_size < size) break;
        const Bytes piece = all.subspan(used + piece_head_size, size);
        used += piece_head_size + size;
        const PiecePlace place{.first = std::exchange(restore_first_, false),
                               .last = restore.last && used == all.size()};
        if (auto taken = application_->restore_piece(piece, place, restore.version, *this);
            !taken) {
            return give_up(taken.error());
        }
    }
    restore_stream_.erase(restore_stream_.begin(),
                          restore_stream_.begin() + static_cast<std::ptrdiff_t>(used));
    if (!restore.last) return;
    if (!restore_stream_.empty()) {
        return give_up({.code = Errc::corrupt, .detail = "an image that does not end"});
    }
    performed_new_ = false;
    put_frame(RestoredFrame{restore.position}, out_);
}

void CoordinatorClient::on(const Input& input) {
    if (application_ == nullptr) return on<Input>(input);
    application_->perform(input, *this);
    performed_ = input.position;
    performed_new_ = !given_up_;
}

void CoordinatorClient::on(const RoleFrame& role) {
    situation_.role = role.role;
    situation_.epoch = role.epoch;
    tell_situation();
}

void CoordinatorClient::on(const TakeImageFrame& take) {
    if (application_ == nullptr) return on<TakeImageFrame>(take);
    settle_performed();
    image_ = application_->begin_image();
    image_at_ = take.at;
    image_stream_.clear();
    send_image();
}

void CoordinatorClient::send_image() {
    while (image_ != nullptr && connection_ != nullptr &&
           connection_->backlog_bytes() < image_backlog_max) {
        const std::size_t head = image_stream_.size();
        image_stream_.resize(head + piece_head_size);
        Buffer piece;
        const bool last = !image_->next(piece, image_slice_about);
        const auto size = static_cast<std::uint32_t>(piece.size());
        std::memcpy(image_stream_.data() + head, &size, piece_head_size);
        image_stream_.insert(image_stream_.end(), piece.begin(), piece.end());
        Bytes rest = image_stream_;
        do {
            const Bytes part = rest.first(std::min(rest.size(), image_piece_max));
            rest = rest.subspan(part.size());
            put_frame(ImageFrame{.at = image_at_, .last = last && rest.empty(), .piece = part},
                      out_);
        } while (!rest.empty());
        image_stream_.clear();
        if (last) image_.reset();
        flush();
    }
}

void CoordinatorClient::on(const DoneFrame& done) {
    const auto found = asked_.find(done.id);
    if (found == asked_.end()) return;
    const Answered answered = std::move(found->second);
    asked_.erase(found);
    answered(done.error ? Result<void>(*done.error) : Result<void>());
}

void CoordinatorClient::on(const EndFrame& end) {
    log_.warn("coordinator.ends", {kv("error", end.reason)});
    given_up_ = true;
    lose(end.reason);
}

template <class Frame>
void CoordinatorClient::on(const Frame&) {
    give_up({.code = Errc::corrupt, .detail = "a frame that is not valid here"});
}

// --- Outputs of the application ------------------------------------------------------------------

void CoordinatorClient::output(const Output& output) {
    if (!given_up_) put_frame(output, out_);
}

void CoordinatorClient::performed(Position) {
    assert_failed("the application is immediate", __FILE__, __LINE__);
}

void CoordinatorClient::imaged(Position, std::shared_ptr<const Buffer>) {
    assert_failed("the application is immediate", __FILE__, __LINE__);
}

void CoordinatorClient::broken(const Error& error) { give_up(error); }

// --- Calls from outside --------------------------------------------------------------------------

void CoordinatorClient::impulse(std::string_view handler, Bytes arguments, Answered answered) {
    const std::uint64_t id = next_ask_++;
    ask(ImpulseFrame{.id = id, .name = handler, .arguments = arguments}, id, std::move(answered));
}

void CoordinatorClient::upgrade(std::uint32_t version, Answered answered) {
    if (!std::binary_search(options_.versions.begin(), options_.versions.end(), version)) {
        return answer_later(std::move(answered),
                            {.code = Errc::bad_config,
                             .detail = "there is no code of version " + std::to_string(version)});
    }
    const std::uint64_t id = next_ask_++;
    ask(UpgradeFrame{.id = id, .version = version}, id, std::move(answered));
}

void CoordinatorClient::ask(const AnyFrame& frame, std::uint64_t id, Answered answered) {
    if (!situation_.welcomed || given_up_) {
        return answer_later(std::move(answered),
                            {.code = Errc::unavailable, .detail = "there is no coordinator"});
    }
    if (asked_.size() == impulses_max) {
        return answer_later(std::move(answered),
                            {.code = Errc::limit_exceeded, .detail = "too many impulses wait"});
    }
    asked_.emplace(id, std::move(answered));
    // It is not sent between the outputs of a running handler.
    connection_->send(encode_frame(frame));
}

void CoordinatorClient::answer_later(Answered answered, Error error) {
    runtime_.post([answered = std::move(answered), error = std::move(error), here = life_.watch()] {
        if (!here.ended()) answered(error);
    });
}

}  // namespace understudy::immortal
