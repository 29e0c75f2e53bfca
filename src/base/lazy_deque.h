// A double-ended queue that takes no memory before something is in it: std::deque takes 640 bytes
// at once, and a replica that does nothing has nine of them.
#pragma once

#include <boost/container/deque.hpp>

namespace cairn::base {

template <typename T>
using LazyDeque = boost::container::deque<T>;

}  // namespace cairn::base
