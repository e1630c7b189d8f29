// SPDX-License-Identifier: Apache-2.0
#include "control/damaged_node.hpp"

#include "control/node_greeting.hpp"
#include "control/node_messages.hpp"
#include "rpc/status.hpp"

namespace skerry::control {

void DamagedNode::register_in(rpc::Methods& methods) {
  methods.bidirectional<v1::Order, v1::Report>(
      node_method("Attend"), [this](rpc::ServerCall& call, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
        return attend(call, orders, reports);
      });
}

Task<rpc::Status> DamagedNode::attend(rpc::ServerCall&, rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& reports) {
  v1::Order order;
  bool greeted = false;
  for (;;) {
    const auto more = co_await orders.next(order);
    if (!more) co_return rpc::Status::from(more.error());
    if (!*more) co_return rpc::Status();
    v1::Report answer;
    answer.set_number(order.number());
    if (order.has_hello()) {
      auto greeting = greet(order.hello());
      if (!greeting) co_return rpc::Status{rpc::Code::failed_precondition, greeting.error().message(), {}};
      *answer.mutable_greeting() = *std::move(greeting);
      greeted = true;
    }
    if (!greeted) co_return rpc::Status{rpc::Code::invalid_argument, "the first order must be a hello", {}};
    if (order.has_give_up() && is_meant(order)) parts_.on_given_up();
    if (auto written = co_await reports.write(answer); !written) co_return rpc::Status::from(written.error());
  }
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
