// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/stream.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::node {

// What is asked of a running `skerry cluster up`.
struct ControlRequest {
  enum class Word { kill, pause, resume, restart, partition, heal };
  enum class Direction { both, in, out };   // of a partition, as seen from the member
  Word word = Word::kill;
  std::string member;               // number or name; empty: all, for heal
  Direction direction = Direction::both;
  std::vector<std::string> peers;   // of a partition; none: everybody

  std::string to_line() const;
  static Result<ControlRequest> from_line(std::string_view line);   // fails with invalid_argument
  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

// Takes requests on a port of this machine, from who can read a file of its owner's: that has the port and a secret. One core's.
class ControlServer {
 public:
  using Handler = std::function<Task<Result<std::string>>(ControlRequest)>;   // the text tells what was done
  ControlServer(Core& core, net::Network& network, std::string file, Handler handler);
  Result<> start();   // writes the file
  Task<> stop();      // removes it

 private:
  Task<> accept();
  Task<> serve(std::unique_ptr<net::Stream> stream);
  Task<Result<std::string>> answer(std::string line);

  Core& core_;
  net::Network& network_;
  const std::string file_;
  Handler handler_;
  std::string secret_;
  std::unique_ptr<net::Listener> listener_;
  TaskScope tasks_;
};

// One request to the one whose file it is. Fails as the handler does, and with unavailable where nobody answers.
Result<std::string> send_control(const std::string& file, const ControlRequest& request);

}   // namespace skerry::node
