#include "replicated/entry_body.h"

namespace understudy::replicated {

Buffer encode_body(BodyKind kind, Buffer content) {
    if (kind == BodyKind::command && (content.empty() || content.front() != escape_byte)) {
        return content;
    }
    const std::byte head[] = {escape_byte, static_cast<std::byte>(kind)};
    content.insert(content.begin(), std::begin(head), std::end(head));
    return content;
}

Result<EntryBody> decode_body(Bytes body) {
    if (body.empty() || body.front() != escape_byte) return EntryBody{.content = body};
    if (body.size() < 2 || body[1] > static_cast<std::byte>(BodyKind::mark)) {
        return Error{.code = Errc::corrupt, .detail = "kind of an entry's body"};
    }
    return EntryBody{.kind = static_cast<BodyKind>(body[1]), .content = body.subspan(2)};
}

}  // namespace understudy::replicated
