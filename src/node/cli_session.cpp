// SPDX-License-Identifier: Apache-2.0
#include "node/cli_session.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "node/cli_command.hpp"

namespace skerry::node {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Result<client::ClientOptions> client_options(const ClientFlags& flags) {
  client::ClientOptions options;
  TRY(options.addresses, addresses_of(flags));
  options.name_space = flags.name_space;
  TRY(options.request_timeout, request_timeout_of(flags));
  TRY(options.tls, tls_of(flags));
  TRYV(token_of(flags));   // refused here, before anything is connected
  options.auth_token = flags.auth_token;
  options.auth_token_file = flags.auth_token_file;   // a command that runs for long finds it renewed
  options.key_order = flags.key_sorting == "natural" ? client::KeyOrder::natural : client::KeyOrder::hierarchical;
  options.on_unreachable = [](const std::string& trouble) { fmt::print(stderr, "Waiting for a server: {}\n", trouble); };
  return options;
}

void Output::raw(std::string_view bytes) {
  if (!failed_ && std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) failed_ = true;
}

void Output::line(std::string_view text) {
  raw(text);
  raw("\n");
}

void Output::flush() {
  if (std::fflush(stdout) != 0) failed_ = true;
}

int Output::finish(int status) {
  flush();
  if (!failed_) return status;
  fmt::print(stderr, "Error: cannot write to standard output: {}\n", std::strerror(errno));
  return status == exit_ok ? exit_failed : status;
}

std::atomic<const Interrupts*> Interrupts::newest_ = nullptr;

Interrupts::Interrupts() : outer_(newest_.exchange(this)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, &mask_before_);
}

void Interrupts::watch(std::function<void()> on_interrupt) {
  const sigset_t set = stop_signals();
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  thread_ = std::thread([this, signals, call = std::move(on_interrupt)] { serve(signals, call); });
}

void Interrupts::serve(int signals, const std::function<void()>& on_interrupt) {
  for (;;) {
    pollfd watched[] = {{signals, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (::poll(watched, 2, -1) < 0 && errno != EINTR) break;
    if ((watched[1].revents & POLLIN) != 0) break;
    if ((watched[0].revents & POLLIN) == 0) continue;
    if (newest_ != this) {   // not ours: the newer one is about to read it
      ::poll(&watched[1], 1, 10);
      continue;
    }
    signalfd_siginfo signal{};
    if (::read(signals, &signal, sizeof signal) != sizeof signal) continue;
    if (happened_.exchange(true)) ::_exit(128 + static_cast<int>(signal.ssi_signo));
    on_interrupt();
  }
  ::close(signals);
}

Interrupts::~Interrupts() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
    thread_.join();
  }
  ::close(wake_);
  newest_ = outer_;
  pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

}  // namespace skerry::node
