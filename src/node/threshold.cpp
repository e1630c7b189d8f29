// SPDX-License-Identifier: Apache-2.0
#include "node/threshold.hpp"

#include "net/tcp.hpp"
#include "runtime/random.hpp"

namespace skerry::node {

Threshold::Threshold(const Clock& clock) : core_(CoreId{0}, clock, Random::system_seed()), disk_(core_), tasks_(core_) {}

Result<> Threshold::check_free(const net::Address& address) {
  net::TcpNetwork network(core_);
  TRY(const auto probe, network.listen(address));
  return {};
}

}  // namespace skerry::node
