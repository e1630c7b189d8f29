// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <boost/asio/ip/address.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace skerry {
class Core;
}

namespace skerry::net {

using IpAddresses = std::vector<asio::ip::address>;

// The address that `host` spells out, or the loopback addresses for "localhost"; empty for a name that must be looked up.
IpAddresses literal_addresses(const std::string& host);

// Looks names up on a thread of its own, since the C library's lookup blocks. The thread starts with the first name and
// is joined by the destructor, which waits for a lookup under way. One core's.
class Resolver {
 public:
  explicit Resolver(Core& core) : core_(core) {}
  ~Resolver();
  // Fails with unavailable when the name is not known, deadline_exceeded when the answer takes too long, and
  // resource_exhausted when too many wait.
  Task<Result<IpAddresses>> resolve(std::string host, Deadline deadline);

 private:
  struct Lookup;
  void run(const std::stop_token& stopping);

  static constexpr std::size_t waiting_max = 1'024;
  Core& core_;
  std::mutex mutex_;   // guards what follows; held for moments only
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<Lookup>> waiting_;
  std::jthread thread_;   // last: it uses what is above
};

}  // namespace skerry::net
