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
#include <filesystem>

#include "node/cli_command.hpp"
#include "runtime/setting_value.hpp"

namespace skerry::node {
namespace {

std::vector<std::string> split_addresses(const std::string& text) {
  std::vector<std::string> addresses;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) addresses.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return addresses;
}

Result<std::string> read_token(const std::string& path) {
  TRY(std::string token, read_all(path));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
  if (token.empty()) return fail(Errc::invalid_argument, fmt::format("{} holds no token", path));
  return token;
}

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
  options.addresses = split_addresses(flags.address);
  options.name_space = flags.name_space;
  TRY(options.request_timeout, parse_duration(flags.request_timeout));
  if (!flags.auth_token.empty() && !flags.auth_token_file.empty()) {
    return fail(Errc::invalid_argument, "--auth-token and --auth-token-file exclude each other");
  }
  options.auth_token = flags.auth_token;
  if (!flags.auth_token_file.empty()) {
    TRY(options.auth_token, read_token(flags.auth_token_file));
  }
  options.key_order = flags.key_sorting == "natural" ? client::KeyOrder::natural : client::KeyOrder::hierarchical;
  options.on_unreachable = [](const std::string& trouble) { fmt::print(stderr, "Waiting for a server: {}\n", trouble); };
  return options;
}

Result<std::string> read_all(const std::string& path) {
  const bool standard = path == "-";
  const auto failed = [&] {
    return fail(Errc::io_failed, fmt::format("cannot read {}: {}", standard ? "standard input" : path, std::strerror(errno)));
  };
  if (!standard && std::filesystem::is_directory(path))
    return fail(Errc::io_failed, fmt::format("cannot read {}: it is a folder", path));
  std::FILE* file = standard ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return failed();
  std::string all;
  char buffer[64 << 10];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof buffer, file)) > 0;) all.append(buffer, count);
  const bool bad = std::ferror(file) != 0;
  if (!standard) std::fclose(file);
  if (bad) return failed();
  return all;
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

Interrupts::Interrupts() : wake_(::eventfd(0, EFD_CLOEXEC)) {
  const sigset_t set = stop_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
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
}

}  // namespace skerry::node
