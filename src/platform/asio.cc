#include "platform/asio.h"

#include <boost/asio/impl/src.hpp>
