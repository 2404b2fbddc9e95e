#pragma once

namespace understudy::apps {

[[nodiscard]] const char* version();

}  // namespace understudy::apps
