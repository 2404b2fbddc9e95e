#include "apps/version.h"

namespace understudy::apps {

const char* version() { return UNDERSTUDY_VERSION; }

}  // namespace understudy::apps
