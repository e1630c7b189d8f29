// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace skerry {

namespace asio = boost::asio;

// The concrete executor of a core: no type erasure between a coroutine and its loop.
using CoreExecutor = asio::io_context::executor_type;

// A coroutine that runs on one core. Lazy: it starts when awaited or spawned into a TaskScope. Parameters by value.
// Move-construct tasks, never assign them: Asio's assignment forgets the frame that was there.
template <class T = void>
using Task = asio::awaitable<T, CoreExecutor>;

}  // namespace skerry
