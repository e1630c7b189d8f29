// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace skerry::node {

// Another process of this very program, which writes its log to a file. It is killed when this one ends, however that is, and
// when it is destroyed. Signals of the terminal don't reach it.
class ChildProcess {
 public:
  ChildProcess() = default;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  // Requires: it does not run. Fails with io_failed.
  Result<> start(std::vector<std::string> words, const std::string& log_file);
  bool running();   // looks whether it has ended
  pid_t pid() const { return pid_; }   // while it runs
  bool paused() const { return paused_; }
  // Of the last end: "status 1", "signal 9"; empty: none yet.
  const std::string& how_it_ended() const { return how_it_ended_; }

  void terminate();   // as a person would; one that is paused goes on
  void kill();
  void pause();
  void resume();

 private:
  void send(int signal) const;
  pid_t pid_ = 0;   // 0: it does not run
  bool paused_ = false;
  std::string how_it_ended_;
};

// Which of these processes has the TCP connection from 127.0.0.1:`port` to 127.0.0.1:`to_port`, by position; nothing: none of
// them.
std::optional<std::size_t> owner_of_connection(std::span<const pid_t> processes, std::uint16_t port, std::uint16_t to_port);

// The last line of a file that is not empty; empty: there is none.
std::string last_line(const std::string& path);

}   // namespace skerry::node
