// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace skerry::node {
namespace {

constexpr const char* this_program = "/proc/self/exe";

// In the child, between fork and exec: nothing here may allocate or take a lock.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);   // it has ended already
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  ::execv(this_program, arguments);
  ::_exit(127);
}

// /proc/net/tcp writes addresses as the hexadecimal of their bytes in the machine's order.
std::string row_address(std::uint16_t port) { return fmt::format("0100007F:{:04X}", port); }

// "socket:[1234]" of the connection's own end; empty: there is no such connection.
std::string socket_of(std::uint16_t port, std::uint16_t to_port) {
  std::ifstream table("/proc/net/tcp");
  const std::string local = row_address(port), remote = row_address(to_port);
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string number, from, to, skipped, inode;
    fields >> number >> from >> to;
    if (from != local || to != remote) continue;
    for (int n = 0; n < 6; ++n) fields >> skipped;
    fields >> inode;
    return "socket:[" + inode + "]";
  }
  return "";
}

bool has_open(pid_t process, const std::string& socket) {
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", process), ignored)) {
    if (std::filesystem::read_symlink(each.path(), ignored) == socket) return true;
  }
  return false;
}

}  // namespace

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  kill();
  ::waitpid(pid_, nullptr, 0);
}

Result<> ChildProcess::start(std::vector<std::string> words, const std::string& log_file) {
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return fail(Errc::io_failed, fmt::format("{} can't be opened: {}", log_file, std::strerror(errno)));
  words.insert(words.begin(), "skerry");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) become(arguments.data(), log, parent);
  const int error = errno;
  ::close(log);
  if (child < 0) return fail(Errc::io_failed, fmt::format("no process could be started: {}", std::strerror(error)));
  pid_ = child;
  paused_ = false;
  return {};
}

bool ChildProcess::running() {
  int status = 0;
  if (pid_ == 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return pid_ != 0;
  how_it_ended_ =
      WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status)) : fmt::format("status {}", WEXITSTATUS(status));
  pid_ = 0;
  paused_ = false;
  return false;
}

void ChildProcess::send(int signal) const {
  if (pid_ != 0) ::kill(pid_, signal);   // not reaped yet: nobody else can have the number
}

void ChildProcess::terminate() {
  send(SIGTERM);
  resume();
}
void ChildProcess::kill() { send(SIGKILL); }
void ChildProcess::pause() {
  send(SIGSTOP);
  paused_ = true;
}
void ChildProcess::resume() {
  send(SIGCONT);
  paused_ = false;
}

std::optional<std::size_t> owner_of_connection(std::span<const pid_t> processes, std::uint16_t port, std::uint16_t to_port) {
  const std::string socket = socket_of(port, to_port);
  if (socket.empty()) return std::nullopt;
  for (std::size_t position = 0; position < processes.size(); ++position) {
    if (processes[position] != 0 && has_open(processes[position], socket)) return position;
  }
  return std::nullopt;
}

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace skerry::node
