// SPDX-License-Identifier: Apache-2.0
#include "control/node_greeting.hpp"

#include <fmt/format.h>

namespace skerry::control {

Result<v1::Greeting> greeting_of(const v1::NodeRecord& record, const v1::Hello& hello) {
  const bool bound = !record.instance().empty();
  if (bound && hello.instance() != record.instance()) {
    return fail(Errc::invalid_argument,
                fmt::format("this node belongs to the cluster {}, the coordinator to {}: an address in its "
                            "configuration is wrong, or the node's data folder is another cluster's",
                            record.instance(), hello.instance()));
  }
  v1::Greeting greeting;
  greeting.set_incarnation(record.incarnation());
  greeting.set_bound(bound);
  greeting.set_node(record.node());
  return greeting;
}

}  // namespace skerry::control
