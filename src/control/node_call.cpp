// SPDX-License-Identifier: Apache-2.0
#include "control/node_call.hpp"

namespace skerry::control {

Term NodeCall::term() const {
  const auto term_of = [](const auto& asked) {
    if constexpr (requires { asked.term.term; }) {
      return asked.term.term;
    } else if constexpr (requires { asked.reshape; }) {
      return asked.reshape.term;
    } else {
      return asked.term;
    }
  };
  return std::visit(term_of, what);
}

}  // namespace skerry::control
