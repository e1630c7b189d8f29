// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.hpp"
#include "client/blocking_client.hpp"
#include "node/cli_connection.hpp"

namespace skerry::node {

enum class Format { text, json };

// What the flags of `client` itself say, for whichever of its subcommands runs.
struct ClientFlags : ConnectionFlags {
  std::string name_space = "default";
  std::string key_sorting = "hierarchical";
  Format format = Format::text;
  // Gives the client that several subcommands share; none: each makes its own.
  std::function<Result<std::shared_ptr<client::BlockingClient>>()> kept_client = nullptr;
};
// Fails with invalid_argument, or io_failed where the token's file can't be read.
Result<client::ClientOptions> client_options(const ClientFlags& flags);

// Lines to standard output. A failed write is remembered and told once at the end.
class Output {
 public:
  void line(std::string_view text);
  void raw(std::string_view bytes);
  void flush();                        // for followers: after every line
  bool failed() const { return failed_; }
  int finish(int status);              // flushes; the status, or exit_failed when the output is not all there

 private:
  bool failed_ = false;
};

// Turns Ctrl-C and SIGTERM into a call of `on_interrupt`, for subcommands that run until told to stop; a second one ends the
// process at once. Make it before any thread is started, so that all of them leave the signals to it. Of several at a time the
// newest gets the signals.
class Interrupts {
 public:
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();
  void watch(std::function<void()> on_interrupt);
  bool happened() const { return happened_; }

 private:
  void serve(int signals, const std::function<void()>& on_interrupt);
  static std::atomic<const Interrupts*> newest_;
  const Interrupts* outer_;
  sigset_t mask_before_;
  int wake_ = -1;
  std::atomic<bool> happened_ = false;
  std::thread thread_;
};

}   // namespace skerry::node
