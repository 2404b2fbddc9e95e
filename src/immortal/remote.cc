#include "immortal/remote.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "immortal/message.h"
#include "understudy/limits.h"

namespace understudy::immortal {

namespace {

// An image begins with the position at which it was taken, which the application need not know.
constexpr std::uint32_t image_magic = 0x49415355;  // "USAI"
constexpr std::size_t image_head_size = 4 + 4 + 8;

// The time for sending the last frame.
constexpr Duration last_word_max = 1s;

constexpr int looks_per_stall = 8;

}  // namespace

RemoteApplication::RemoteApplication(Runtime& runtime, Log& log, Options options,
                                     std::unique_ptr<Connection> connection, Owner& owner)
    : runtime_(runtime),
      log_(log),
      options_(std::move(options)),
      owner_(&owner),
      connection_(std::move(connection)) {
    connection_->start(*this);
    watch_ = runtime_.at(runtime_.now() + options_.hello_max, [this] {
        end({.code = Errc::timed_out, .detail = "no hello arrived in time"});
    });
}

RemoteApplication::~RemoteApplication() = default;

std::uint32_t RemoteApplication::version_newest() const {
    if (options_.version != 0) return options_.version;
    return versions_.empty() ? 0 : versions_.back();
}

bool RemoteApplication::has_version(std::uint32_t version) const {
    return std::binary_search(versions_.begin(), versions_.end(), version);
}

Result<void> RemoteApplication::check_upgrade(std::uint32_t version) const {
    if (has_version(version)) return {};
    return Error{.code = Errc::bad_config,
                 .detail = "the application has no code of version " + std::to_string(version)};
}

void RemoteApplication::welcome() {
    US_ASSERT(greeted_);
    if (ended_) return;
    welcomed_ = true;
    send(WelcomeFrame{.mode = options_.mode,
                      .version = options_.version,
                      .service = options_.service,
                      .member = options_.member});
}

void RemoteApplication::set_role(Role role, Epoch epoch) {
    role_ = role;
    send(RoleFrame{.role = role, .epoch = epoch});
}

void RemoteApplication::answer(std::uint64_t id, const Result<void>& result) {
    US_ASSERT(asked_ > 0);
    --asked_;
    DoneFrame done{.id = id, .error = {}};
    if (!result) done.error = result.error();
    send(done);
}

void RemoteApplication::end(const Error& reason) {
    if (ended_) return;
    send(EndFrame{reason});
    ended_ = true;
    watch_.reset();
    connection_->finish(last_word_max);
    const bool orderly = reason.code == Errc::closed;
    log_.write(orderly ? LogLevel::info : LogLevel::warn, "application.ended",
               {kv("application", name_), kv("error", reason)});
    if (stage_ != nullptr) stage_->broken(reason);
    owner_->application_ended(*this, reason);
}

void RemoteApplication::contradiction(std::string detail) {
    end({.code = Errc::corrupt, .detail = "the application violates the protocol: " + detail});
}

void RemoteApplication::send(const AnyFrame& frame) {
    if (!ended_) connection_->send(encode_frame(frame));
}

// --- Inputs --------------------------------------------------------------------------------------

void RemoteApplication::perform(const Input& input, Stage& stage) {
    stage_ = &stage;
    if (ended_) return;
    if (std::exchange(image_wanted_, false)) begin_image_at({input.position.value - 1});
    Waiting waiting{.position = input.position, .frame = {}};
    if (input.kind == InputKind::start || input.kind == InputKind::upgrade) {
        waiting.version = static_cast<std::uint32_t>(input.id);
        if (const auto able = check_upgrade(waiting.version); !able) return end(able.error());
        version_ = waiting.version;
    }
    told_ = input.position;
    put_frame(input, waiting.frame);
    queue(std::move(waiting));
}

std::unique_ptr<Snapshot> RemoteApplication::begin_image() {
    assert_failed("an application in another process gives its image later", __FILE__, __LINE__);
}

void RemoteApplication::want_image() {
    if (ended_) return;
    if (stage_ == nullptr) {
        image_wanted_ = true;
    } else {
        begin_image_at(told_);
    }
}

void RemoteApplication::begin_image_at(Position at) {
    queue({.position = at, .input = false, .frame = encode_frame(TakeImageFrame{at})});
}

Result<void> RemoteApplication::restore_piece(Bytes piece, PiecePlace place, std::uint32_t,
                                              Stage& stage) {
    stage_ = &stage;
    if (ended_) return Error{.code = Errc::unavailable, .detail = "the application has ended"};
    bool first = false;
    if (place.first) {
        restore_head_.clear();
        restore_open_ = true;
        imaging_ = false;
        waiting_.clear();
        waiting_bytes_ = 0;
        flying_.clear();
        flying_bytes_ = 0;
    }
    if (restore_head_.size() < image_head_size) {
        const std::size_t size = std::min(piece.size(), image_head_size - restore_head_.size());
        restore_head_.insert(restore_head_.end(), piece.begin(),
                             piece.begin() + static_cast<std::ptrdiff_t>(size));
        piece = piece.subspan(size);
        if (restore_head_.size() < image_head_size) {
            if (!place.last) return {};
            return Error{.code = Errc::corrupt, .detail = "the application's image has no head"};
        }
        ByteReader head(restore_head_);
        if (head.fixed<std::uint32_t>() != image_magic) {
            return Error{.code = Errc::bad_config,
                         .detail = "the checkpoint is that of an application that was linked in"};
        }
        version_ = head.fixed<std::uint32_t>().value_or(0);
        told_ = {head.fixed<std::uint64_t>().value_or(0)};
        performed_ = told_;
        version_performed_ = version_;
        first = true;
        if (version_ != 0 && !has_version(version_)) {
            return Error{.code = Errc::bad_config,
                         .detail = "the application has no code of version " +
                                   std::to_string(version_)};
        }
    }
    do {
        const Bytes part = piece.first(std::min(piece.size(), image_piece_max));
        piece = piece.subspan(part.size());
        const bool last = place.last && piece.empty();
        if (part.empty() && !first && !last) break;
        send(RestoreFrame{.first = std::exchange(first, false),
                          .last = last,
                          .version = version_,
                          .position = told_,
                          .piece = part});
    } while (!piece.empty());
    if (place.last) {
        restore_open_ = false;
        ++restoring_;
        progressed();
    }
    return {};
}

void RemoteApplication::queue(Waiting waiting) {
    waiting_bytes_ += waiting.frame.size();
    if (waiting_bytes_ > options_.backlog_bytes_max) {
        return end({.code = Errc::limit_exceeded,
                    .detail = "the application lags by more than " +
                              std::to_string(options_.backlog_bytes_max / MiB) + " MiB"});
    }
    waiting_.push_back(std::move(waiting));
    pump();
}

void RemoteApplication::pump() {
    while (!waiting_.empty() && (flying_.empty() || flying_bytes_ < window_bytes) && !imaging_) {
        const Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_bytes_ -= next.frame.size();
        send_now(next);
    }
}

void RemoteApplication::send_now(const Waiting& waiting) {
    if (!has_work()) progressed();
    connection_->send(waiting.frame);
    if (!waiting.input) {
        // No input is sent after this until the image has arrived: the machine accepts no outputs
        // meanwhile.
        imaging_ = true;
        image_at_ = waiting.position;
        image_ = std::make_shared<Buffer>();
    } else {
        flying_.push_back({.position = waiting.position,
                           .version = waiting.version,
                           .bytes = waiting.frame.size()});
        flying_bytes_ += waiting.frame.size();
    }
    watch();
}

// --- Frames from the application -----------------------------------------------------------------

void RemoteApplication::received(Bytes data) {
    stream_.received(data);
    while (!ended_) {
        const auto raw = stream_.next(greeted_ ? frame_size_max : hello_frame_size_max);
        if (!raw) return contradiction(raw.error().detail);
        if (!*raw) return;
        const auto frame = decode_frame((*raw)->type, (*raw)->body);
        if (!frame) return contradiction(frame.error().detail);
        const bool is_hello = std::holds_alternative<HelloFrame>(*frame);
        if (is_hello == greeted_) {
            return contradiction(is_hello ? "a second hello" : "the first frame must be a hello");
        }
        if (!is_hello && !welcomed_) return contradiction("it must wait for its welcome");
        progressed();
        std::visit([this](const auto& each) { on(each); }, *frame);
    }
}

void RemoteApplication::drained() {}

void RemoteApplication::closed(const Error& reason) {
    if (ended_) return;
    ended_ = true;
    watch_.reset();
    const Error error{.code = Errc::unavailable,
                      .detail = "the application's connection ended: " + to_string(reason)};
    log_.warn("application.lost", {kv("application", name_), kv("error", reason)});
    if (stage_ != nullptr) stage_->broken(error);
    owner_->application_ended(*this, error);
}

void RemoteApplication::on(const HelloFrame& hello) {
    name_ = hello.application;
    if (hello.protocol != coordinator_protocol) {
        return end({.code = Errc::bad_config,
                    .detail = "this coordinator speaks version " +
                              std::to_string(coordinator_protocol) + " of the protocol"});
    }
    const bool any = hello.service.empty() || options_.service.empty();
    if (!any && hello.service != options_.service) {
        return end({.code = Errc::bad_config,
                    .detail = "this is the coordinator of " + options_.service});
    }
    versions_ = hello.versions;
    if (options_.version != 0 && !has_version(options_.version)) {
        return end(
            {.code = Errc::bad_config,
             .detail = "code of version " + std::to_string(options_.version) + " is wanted"});
    }
    greeted_ = true;
    watch_.reset();
    owner_->application_here(*this);
}

void RemoteApplication::on(const Output& output) {
    if (outdated()) return;
    if (flying_.empty()) return contradiction("an output while there was nothing to perform");
    if (output.body.size() > message_size_max || output.to.size() > identifier_size_max ||
        output.name.size() > name_size_max) {
        return contradiction("an output is too long");
    }
    stage_->output(output);
}

void RemoteApplication::on(const PerformedFrame& performed) {
    if (outdated()) return;
    if (flying_.empty() || performed.upto < flying_.front().position ||
        performed.upto > flying_.back().position) {
        return contradiction("position " + std::to_string(performed.upto.value) +
                             " is not one that it had to perform");
    }
    while (!flying_.empty() && flying_.front().position <= performed.upto) {
        if (flying_.front().version != 0) version_performed_ = flying_.front().version;
        flying_bytes_ -= flying_.front().bytes;
        flying_.pop_front();
    }
    performed_ = performed.upto;
    stage_->performed(performed.upto);
    if (!ended_) pump();
}

void RemoteApplication::on(const ImageFrame& image) {
    if (outdated()) return;
    if (!imaging_ || image.at != image_at_) return contradiction("an image that was not asked for");
    if (!flying_.empty())
        return contradiction("an image before the inputs that it contains were performed");
    if (image_->empty()) {
        ByteWriter head(*image_);
        head.fixed(image_magic);
        head.fixed(version_performed_);
        head.fixed(image_at_.value);
    }
    image_->insert(image_->end(), image.piece.begin(), image.piece.end());
    if (image_->size() > options_.image_bytes_max)
        return contradiction("an image that is too long");
    if (!image.last) return;
    imaging_ = false;
    stage_->imaged(image_at_, std::exchange(image_, nullptr));
    if (!ended_) pump();
}

bool RemoteApplication::may_ask(std::uint64_t id) {
    if (asked_ == impulses_max) {
        send(DoneFrame{.id = id,
                       .error = Error{.code = Errc::limit_exceeded,
                                      .detail = std::to_string(impulses_max) +
                                                " impulses wait for an answer"}});
        return false;
    }
    if (role_ != Role::active) {
        send(DoneFrame{.id = id,
                       .error = Error{.code = Errc::not_active,
                                      .detail = options_.member + " is " +
                                                std::string(understudy::name(role_))}});
        return false;
    }
    ++asked_;
    return true;
}

void RemoteApplication::on(const ImpulseFrame& impulse) {
    if (impulse.arguments.size() > message_size_max || impulse.name.size() > name_size_max) {
        return contradiction("an impulse is too long");
    }
    if (may_ask(impulse.id)) {
        owner_->application_impulse(*this, impulse.id, impulse.name, impulse.arguments);
    }
}

void RemoteApplication::on(const UpgradeFrame& upgrade) {
    if (!has_version(upgrade.version)) return contradiction("an upgrade to code it does not have");
    if (may_ask(upgrade.id)) owner_->application_upgrade(*this, upgrade.id, upgrade.version);
}

void RemoteApplication::on(const BrokenFrame& broken) { end(broken.reason); }

void RemoteApplication::on(const RestoredFrame& restored) {
    if (restoring_ == 0) return contradiction("there was nothing to restore");
    --restoring_;
    log_.info("application.restored",
              {kv("application", name_), kv("position", restored.position.value)});
}

template <class Frame>
void RemoteApplication::on(const Frame&) {
    contradiction("a frame that only coordinators send");
}

// --- Stall detection -----------------------------------------------------------------------------

void RemoteApplication::progressed() {
    progress_at_ = runtime_.now();
    if (has_work()) watch();
}

void RemoteApplication::watch() {
    if (watch_ != nullptr || ended_) return;
    backlog_seen_ = connection_->backlog_bytes();
    watch_ = runtime_.at(runtime_.now() + options_.stall_max / looks_per_stall, [this] { look(); });
}

void RemoteApplication::look() {
    watch_.reset();
    if (!has_work()) return;
    // The application still reads. Reading an image takes time.
    if (connection_->backlog_bytes() < backlog_seen_) progress_at_ = runtime_.now();
    if (runtime_.now() < progress_at_ + options_.stall_max) return watch();
    end({.code = Errc::timed_out,
         .detail = "the application has made no progress after position " +
                   std::to_string(performed_.value)});
}

}  // namespace understudy::immortal
