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

Task<rpc::Status> answer_orders(rpc::Requests<v1::Order>& orders, rpc::Replies<v1::Report>& answers, AnswerOrder answer) {
  v1::Order order;
  bool greeted = false;
  for (;;) {
    const auto more = co_await orders.next(order);
    if (!more) co_return rpc::Status::from(more.error());
    if (!*more) co_return rpc::Status();
    greeted = greeted || order.has_hello();
    if (!greeted) co_return rpc::Status{rpc::Code::invalid_argument, "the first order must be a hello", {}};
    v1::Report report;
    report.set_number(order.number());
    if (auto done = co_await answer(order, report); !done) {
      co_return rpc::Status{rpc::Code::failed_precondition, done.error().message(), {}};
    }
    if (auto written = co_await answers.write(report); !written) co_return rpc::Status::from(written.error());
  }
}

}  // namespace skerry::control
