// SPDX-License-Identifier: Apache-2.0
#include "control/damaged_node.hpp"

#include <functional>

#include "control/node_greeting.hpp"
#include "control/node_messages.hpp"
#include "rpc/status.hpp"

namespace skerry::control {

void DamagedNode::register_in(rpc::Methods& methods) {
  methods.bidirectional<v1::Order, v1::Report>(
      node_method("Attend"), [this](rpc::ServerCall&, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
        return answer_orders(orders, reports, std::bind_front(&DamagedNode::answer, this));
      });
}

Task<Result<>> DamagedNode::answer(const v1::Order& order, v1::Report& report) const {
  if (order.has_hello()) {
    CO_TRY(*report.mutable_greeting(), greet(order.hello()));
  }
  if (order.has_give_up() && is_meant(order)) parts_.on_given_up();
  co_return Result<>{};
}

bool DamagedNode::is_meant(const v1::Order& order) const {
  return parts_.record == nullptr || order.give_up().node() == parts_.record->value().node();
}

Result<v1::Greeting> DamagedNode::greet(const v1::Hello& hello) const {
  TRY(v1::Greeting greeting, greeting_of(parts_.record == nullptr ? v1::NodeRecord() : parts_.record->value(), hello));
  greeting.set_pool(parts_.pool);
  greeting.set_version(parts_.version);
  greeting.set_damage(parts_.damage);
  return greeting;
}

}  // namespace skerry::control
