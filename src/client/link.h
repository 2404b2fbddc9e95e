#pragma once

#include "link/link.h"

namespace understudy::client {

using link::Link;

}  // namespace understudy::client
