// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>

#include "control/node_record.hpp"
#include "rpc/methods.hpp"

namespace skerry::control {

// What a node of a cluster does that can't open what it keeps: it says so to its coordinator, and waits to be given up. Does
// nothing else. One core's, the node's; outlives the server in which it is registered.
class DamagedNode {
 public:
  struct Parts {
    const NodeRecord* record;   // bound; null: who the node is was damaged too, and its coordinator knows by the address
    std::string pool;   // of this process
    std::string version;   // of this program
    std::string damage;
    std::function<void()> on_given_up;
  };
  explicit DamagedNode(Parts parts) : parts_(std::move(parts)) {}
  void register_in(rpc::Methods& methods);

 private:
  Task<Result<>> answer(const v1::Order& order, v1::Report& report) const;
  Result<v1::Greeting> greet(const v1::Hello& hello) const;
  bool is_meant(const v1::Order& order) const;

  const Parts parts_;
};

}   // namespace skerry::control
