#include "immortal/coordinator_frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/utf8.h"

namespace understudy::immortal {

namespace {

constexpr std::uint8_t flag_refused = 1;
constexpr std::uint8_t flag_first = 1;
constexpr std::uint8_t flag_last = 2;
constexpr std::size_t length_size = 4;
constexpr std::size_t reason_size_max = 1 * KiB;

/// Writes the body of one frame.
class BodyWriter {
public:
    explicit BodyWriter(Buffer& out) : bytes_(out) {}

    template <std::unsigned_integral Number>
    void number(Number value) {
        bytes_.fixed(value);
    }
    void text(std::string_view value) {
        US_ASSERT(value.size() <= frame_text_max);
        bytes_.fixed(static_cast<std::uint16_t>(value.size()));
        bytes_.raw(as_bytes(value));
    }
    /// Text for people: it is cut if it is too long, and reduced to valid text.
    void cut_text(std::string_view value) {
        value = value.substr(0, reason_size_max);
        while (!value.empty() && !is_utf8(value)) value.remove_suffix(1);
        text(value);
    }
    void rest(Bytes value) { bytes_.raw(value); }

private:
    ByteWriter bytes_;
};

FrameType write(BodyWriter& out, const HelloFrame& frame) {
    out.number(coordinator_magic);
    out.number(frame.protocol);
    out.text(frame.service);
    out.text(frame.application);
    out.number(static_cast<std::uint16_t>(frame.versions.size()));
    for (const std::uint32_t version : frame.versions) out.number(version);
    return FrameType::hello;
}

FrameType write(BodyWriter& out, const WelcomeFrame& frame) {
    out.number(frame.protocol);
    out.number(static_cast<std::uint8_t>(frame.mode));
    out.number(frame.version);
    out.text(frame.service);
    out.text(frame.member);
    return FrameType::welcome;
}

FrameType write(BodyWriter& out, const RestoreFrame& frame) {
    const unsigned flags = (frame.first ? flag_first : 0u) | (frame.last ? flag_last : 0u);
    out.number(static_cast<std::uint8_t>(flags));
    out.number(frame.version);
    out.number(frame.position.value);
    out.rest(frame.piece);
    return FrameType::restore;
}

FrameType write(BodyWriter& out, const Input& input) {
    out.number(input.position.value);
    out.number(static_cast<std::uint8_t>(input.kind));
    out.number(input.refused ? flag_refused : std::uint8_t{0});
    out.number(input.id);
    out.number(static_cast<std::uint64_t>(input.time.count()));
    out.number(input.wall_ms);
    out.number(input.random);
    out.text(input.source);
    out.text(input.name);
    out.rest(input.body);
    return FrameType::perform;
}

FrameType write(BodyWriter& out, const RoleFrame& frame) {
    out.number(static_cast<std::uint8_t>(frame.role));
    out.number(frame.epoch.value);
    return FrameType::role;
}

FrameType write(BodyWriter& out, const TakeImageFrame& frame) {
    out.number(frame.at.value);
    return FrameType::take_image;
}

FrameType write(BodyWriter& out, const DoneFrame& frame) {
    out.number(frame.id);
    out.number(frame.error ? static_cast<std::uint16_t>(frame.error->code) : std::uint16_t{0});
    out.number(static_cast<std::uint8_t>(frame.error && frame.error->effect == Effect::unknown));
    out.cut_text(frame.error ? std::string_view(frame.error->detail) : std::string_view());
    return FrameType::done;
}

void write_reason(BodyWriter& out, const Error& reason) {
    out.number(static_cast<std::uint16_t>(reason.code));
    out.cut_text(reason.detail);
}

FrameType write(BodyWriter& out, const EndFrame& frame) {
    write_reason(out, frame.reason);
    return FrameType::end;
}

FrameType write(BodyWriter& out, const Output& output) {
    out.number(static_cast<std::uint8_t>(output.kind));
    out.number(output.refused ? flag_refused : std::uint8_t{0});
    out.number(output.id);
    out.number(static_cast<std::uint64_t>(output.due.count()));
    out.text(output.to);
    out.text(output.name);
    out.rest(output.body);
    return FrameType::output;
}

FrameType write(BodyWriter& out, const PerformedFrame& frame) {
    out.number(frame.upto.value);
    return FrameType::performed;
}

FrameType write(BodyWriter& out, const ImageFrame& frame) {
    out.number(frame.at.value);
    out.number(frame.last ? flag_last : std::uint8_t{0});
    out.rest(frame.piece);
    return FrameType::image;
}

FrameType write(BodyWriter& out, const ImpulseFrame& frame) {
    out.number(frame.id);
    out.text(frame.name);
    out.rest(frame.arguments);
    return FrameType::impulse;
}

FrameType write(BodyWriter& out, const BrokenFrame& frame) {
    write_reason(out, frame.reason);
    return FrameType::broken;
}

FrameType write(BodyWriter& out, const RestoredFrame& frame) {
    out.number(frame.position.value);
    return FrameType::restored;
}

FrameType write(BodyWriter& out, const UpgradeFrame& frame) {
    out.number(frame.id);
    out.number(frame.version);
    return FrameType::upgrade;
}

/// Reads the body of one frame. It fails if a field is missing or out of range.
class BodyReader {
public:
    explicit BodyReader(Bytes body) : bytes_(body) {}

    template <std::unsigned_integral Number>
    Number number() {
        return bytes_.fixed<Number>().value_or(Number{});
    }
    /// One of 1 to `last`.
    template <class Enum>
    Enum one_of(Enum last) {
        const auto value = number<std::uint8_t>();
        if (value < 1 || value > static_cast<std::uint8_t>(last)) wrong_ = true;
        return static_cast<Enum>(value);
    }
    std::uint8_t flags(unsigned known) {
        const auto value = number<std::uint8_t>();
        if ((value & ~known) != 0) wrong_ = true;
        return value;
    }
    std::string_view text() {
        const auto size = number<std::uint16_t>();
        const auto raw = bytes_.raw(size);
        const std::string_view value = raw ? as_text(*raw) : std::string_view();
        if (!is_utf8(value)) wrong_ = true;
        return value;
    }
    Bytes rest() { return bytes_.raw(bytes_.rest().size()).value_or(Bytes()); }
    Duration duration() {
        const auto value = number<std::uint64_t>();
        if (value > INT64_MAX) wrong_ = true;
        return Duration(static_cast<std::int64_t>(value));
    }
    Error reason() {
        const auto code = static_cast<Errc>(number<std::uint16_t>());
        if (code == Errc{}) wrong_ = true;
        return {.code = code, .detail = std::string(text())};
    }
    void require(bool holds) { wrong_ = wrong_ || !holds; }
    [[nodiscard]] bool good() const { return bytes_.done() && !wrong_; }

private:
    ByteReader bytes_;
    bool wrong_ = false;
};

HelloFrame read_hello(BodyReader& in) {
    HelloFrame frame;
    in.require(in.number<std::uint32_t>() == coordinator_magic);
    frame.protocol = in.number<std::uint16_t>();
    frame.service = in.text();
    frame.application = in.text();
    const auto count = in.number<std::uint16_t>();
    in.require(count > 0);
    for (std::size_t i = 0; i < count && frame.versions.size() < hello_frame_size_max / 4; ++i) {
        const auto version = in.number<std::uint32_t>();
        in.require(version > (frame.versions.empty() ? 0 : frame.versions.back()));
        frame.versions.push_back(version);
    }
    return frame;
}

WelcomeFrame read_welcome(BodyReader& in) {
    WelcomeFrame frame;
    frame.protocol = in.number<std::uint16_t>();
    frame.mode = in.one_of(CoordinatorMode::replay);
    frame.version = in.number<std::uint32_t>();
    frame.service = in.text();
    frame.member = in.text();
    return frame;
}

RestoreFrame read_restore(BodyReader& in) {
    RestoreFrame frame;
    const auto flags = in.flags(flag_first | flag_last);
    frame.first = (flags & flag_first) != 0;
    frame.last = (flags & flag_last) != 0;
    frame.version = in.number<std::uint32_t>();
    frame.position = {in.number<std::uint64_t>()};
    frame.piece = in.rest();
    return frame;
}

Input read_perform(BodyReader& in) {
    Input input;
    input.position = {in.number<std::uint64_t>()};
    input.kind = in.one_of(InputKind::upgrade);
    input.refused = in.flags(flag_refused) != 0;
    input.id = in.number<std::uint64_t>();
    input.time = in.duration();
    input.wall_ms = in.number<std::uint64_t>();
    input.random = in.number<std::uint64_t>();
    input.source = in.text();
    input.name = in.text();
    input.body = in.rest();
    return input;
}

RoleFrame read_role(BodyReader& in) {
    RoleFrame frame;
    const auto role = in.number<std::uint8_t>();
    in.require(role <= static_cast<std::uint8_t>(Role::checkpointer));
    frame.role = static_cast<Role>(role);
    frame.epoch = {in.number<std::uint64_t>()};
    return frame;
}

DoneFrame read_done(BodyReader& in) {
    DoneFrame frame;
    frame.id = in.number<std::uint64_t>();
    const auto code = static_cast<Errc>(in.number<std::uint16_t>());
    const auto effect = in.number<std::uint8_t>();
    const auto detail = in.text();
    in.require(effect <= 1);
    if (code == Errc{}) {
        in.require(effect == 0 && detail.empty());
        return frame;
    }
    frame.error = Error{.code = code,
                        .effect = effect == 0 ? Effect::none : Effect::unknown,
                        .detail = std::string(detail)};
    return frame;
}

Output read_output(BodyReader& in) {
    Output output;
    output.kind = in.one_of(OutputKind::cancel);
    output.refused = in.flags(flag_refused) != 0;
    output.id = in.number<std::uint64_t>();
    output.due = in.duration();
    output.to = in.text();
    output.name = in.text();
    output.body = in.rest();
    in.require(output.kind != OutputKind::call || !output.to.empty());
    return output;
}

ImageFrame read_image(BodyReader& in) {
    ImageFrame frame;
    frame.at = {in.number<std::uint64_t>()};
    frame.last = (in.flags(flag_last)) != 0;
    frame.piece = in.rest();
    in.require(frame.piece.size() <= image_piece_max);
    return frame;
}

ImpulseFrame impulse_frame(BodyReader& in) {
    ImpulseFrame frame;
    frame.id = in.number<std::uint64_t>();
    frame.name = in.text();
    frame.arguments = in.rest();
    return frame;
}

std::optional<AnyFrame> read(FrameType type, BodyReader& in) {
    switch (type) {
        case FrameType::welcome: return read_welcome(in);
        case FrameType::restore: return read_restore(in);
        case FrameType::perform: return read_perform(in);
        case FrameType::role: return read_role(in);
        case FrameType::take_image: return TakeImageFrame{{in.number<std::uint64_t>()}};
        case FrameType::done: return read_done(in);
        case FrameType::end: return EndFrame{in.reason()};
        case FrameType::hello: return read_hello(in);
        case FrameType::output: return read_output(in);
        case FrameType::performed: return PerformedFrame{{in.number<std::uint64_t>()}};
        case FrameType::image: return read_image(in);
        case FrameType::impulse:
            return impulse_frame(in);
        case FrameType::broken: return BrokenFrame{in.reason()};
        case FrameType::restored: return RestoredFrame{{in.number<std::uint64_t>()}};
        case FrameType::upgrade: {
            UpgradeFrame frame;
            frame.id = in.number<std::uint64_t>();
            frame.version = in.number<std::uint32_t>();
            return frame;
        }
    }
    return std::nullopt;
}

}  // namespace

void put_frame(const AnyFrame& frame, Buffer& out) {
    const std::size_t begin = out.size();
    out.resize(begin + length_size + 1);
    BodyWriter body(out);
    const FrameType type = std::visit([&](const auto& each) { return write(body, each); }, frame);
    const std::size_t length = out.size() - begin - length_size;
    US_ASSERT(length <= frame_size_max);
    const auto length32 = static_cast<std::uint32_t>(length);
    std::memcpy(out.data() + begin, &length32, length_size);
    out[begin + length_size] = static_cast<std::byte>(type);
}

Buffer encode_frame(const AnyFrame& frame) {
    Buffer out;
    put_frame(frame, out);
    return out;
}

Result<AnyFrame> decode_frame(std::uint8_t type, Bytes body) {
    BodyReader in(body);
    auto frame = read(static_cast<FrameType>(type), in);
    if (frame && in.good()) return *std::move(frame);
    return Error{.code = Errc::corrupt,
                 .detail = frame ? "a frame of type " + std::to_string(type) + " is not valid"
                                 : "no frame is of type " + std::to_string(type)};
}

void FrameStream::received(Bytes data) {
    if (used_ == buffer_.size()) {
        buffer_.clear();
        used_ = 0;
    } else if (used_ > 64 * KiB && used_ > buffer_.size() / 2) {
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
    }
    buffer_.insert(buffer_.end(), data.begin(), data.end());
}

Result<std::optional<FrameStream::Raw>> FrameStream::next(std::size_t size_max) {
    const Bytes waiting = Bytes(buffer_).subspan(used_);
    std::uint32_t length = 0;
    if (waiting.size() < length_size) return std::optional<Raw>();
    std::memcpy(&length, waiting.data(), length_size);
    if (length == 0) return Error{.code = Errc::corrupt, .detail = "a frame without a type"};
    if (length > size_max) {
        return Error{.code = Errc::limit_exceeded,
                     .detail = "a frame of " + std::to_string(length) + " bytes; at most " +
                               std::to_string(size_max)};
    }
    if (waiting.size() < length_size + length) return std::optional<Raw>();
    used_ += length_size + length;
    return std::optional<Raw>(Raw{.type = std::to_integer<std::uint8_t>(waiting[length_size]),
                                  .body = waiting.subspan(length_size + 1, length - 1)});
}

}  // namespace understudy::immortal
