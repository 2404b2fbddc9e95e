#include "role/cause.h"

namespace understudy::role {

std::string_view name(Cause cause) {
    switch (cause) {
        case Cause::first_member:
            return "first_member";
        case Cause::process_gone:
            return "process_gone";
        case Cause::silence:
            return "silence";
        case Cause::new_incarnation:
            return "new_incarnation";
        case Cause::left:
            return "left";
        case Cause::switchover:
            return "switchover";
        case Cause::reported:
            return "reported";
        case Cause::never_returned:
            return "never_returned";
        case Cause::higher_epoch:
            return "higher_epoch";
        case Cause::elected:
            return "elected";
    }
    return "unknown";
}

}  // namespace understudy::role
