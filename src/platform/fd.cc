#include "platform/fd.h"

#include <system_error>

namespace understudy::platform {

Error system_error(Errc code, std::string_view what, int number, Effect effect) {
    return Error{code, effect, std::string(what) + ": " + std::system_category().message(number)};
}

}  // namespace understudy::platform
