// SPDX-License-Identifier: Apache-2.0
#include "runtime/stall_detector.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <pthread.h>
#include <csignal>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "runtime/signals.hpp"

namespace skerry {
namespace {

// Where the signal handler leaves the backtrace. One for the process, since a handler can be given nothing of its own; `state`
// passes it between the watcher and the one thread that was asked.
struct Snapshot {
  enum State : int { free, asked, taken };
  std::atomic<int> state{free};
  std::array<void*, 48> frames{};
  int count = 0;
};
Snapshot snapshot;
std::mutex snapshot_mutex;   // between detectors of several Apps in one process, as tests have them

int stall_signal() { return SIGRTMIN + 6; }

void take_backtrace(int) {
  const int error = errno;
  if (snapshot.state.load(std::memory_order_acquire) == Snapshot::asked) {
    snapshot.count = ::backtrace(snapshot.frames.data(), static_cast<int>(snapshot.frames.size()));
    snapshot.state.store(Snapshot::taken, std::memory_order_release);
  }
  errno = error;
}

void install_handler() {
  void* frames[2];
  ::backtrace(frames, 2);   // loads the unwinder now: loading it in a signal handler would allocate
  struct sigaction action{};
  action.sa_handler = &take_backtrace;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(stall_signal(), &action, nullptr);
}

// "name+0x12" where the dynamic symbols tell, otherwise "file+0x1234" for addr2line.
std::string describe(void* frame) {
  Dl_info info{};
  if (::dladdr(frame, &info) == 0 || info.dli_fname == nullptr) return fmt::format("{}", frame);
  const auto offset_from = [frame](const void* base) { return static_cast<const char*>(frame) - static_cast<const char*>(base); };
  const std::string_view path = info.dli_fname;
  std::string place = fmt::format("{}+{:#x}", path.substr(path.rfind('/') + 1), offset_from(info.dli_fbase));
  if (info.dli_sname == nullptr) return place;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(::abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status),
                                                        &std::free);
  return fmt::format("{}({})", status == 0 ? readable.get() : info.dli_sname, place);
}

// Nothing when the thread doesn't answer, being stuck in the kernel.
std::string backtrace_of(pthread_t thread) {
  const std::lock_guard lock(snapshot_mutex);
  int expected = Snapshot::free;
  if (!snapshot.state.compare_exchange_strong(expected, Snapshot::asked)) return {};
  if (::pthread_kill(thread, stall_signal()) != 0) {
    snapshot.state.store(Snapshot::free);
    return {};
  }
  for (int i = 0; i < 100 && snapshot.state.load(std::memory_order_acquire) != Snapshot::taken; ++i) {
    std::this_thread::sleep_for(1ms);
  }
  expected = Snapshot::asked;
  if (snapshot.state.compare_exchange_strong(expected, Snapshot::free)) return {};   // a late handler finds nothing asked
  while (snapshot.state.load(std::memory_order_acquire) != Snapshot::taken) std::this_thread::yield();
  std::string text;
  // The first two frames are the handler and the signal's trampoline.
  for (int i = 2; i < snapshot.count; ++i) {
    text += fmt::format("{}{}", text.empty() ? "" : " < ", describe(snapshot.frames[static_cast<std::size_t>(i)]));
  }
  snapshot.state.store(Snapshot::free);
  return text;
}

}  // namespace

StallDetector::StallDetector(const CoreThreads& threads, Duration limit, Logger log)
    : threads_(threads), limit_(limit), log_(log), reported_(threads.size()) {
  install_handler();
  const SignalsBlocked blocked;
  watcher_ = std::thread([this] { watch(); });
}

StallDetector::~StallDetector() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ending_.notify_all();
  watcher_.join();
}

void StallDetector::watch() {
  ::pthread_setname_np(::pthread_self(), "stall-watch");
  // Often enough that a stall is met before it has lasted twice the limit; rarely while the process sleeps.
  const Duration often = limit_ / 2, rarely = 4 * limit_;
  int idle_looks = 0;
  std::unique_lock lock(mutex_);
  while (!end_) {
    ending_.wait_for(lock, idle_looks > 40 ? rarely : often, [this] { return end_; });
    lock.unlock();
    idle_looks = look(std::chrono::steady_clock::now()) ? 0 : idle_looks + 1;
    lock.lock();
  }
}

bool StallDetector::look(TimePoint now) {
  bool at_work = false;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const LoopFigures& figures = threads_.figures(CoreId(static_cast<std::uint32_t>(i)));
    const std::int64_t began = figures.turn_began.load(std::memory_order_relaxed);
    if (began == 0 || !figures.alive.load()) continue;
    at_work = true;
    const Duration length = now - TimePoint(Duration(began));
    if (length <= limit_ || reported_[i] == began) continue;
    reported_[i] = began;
    if (may_report(now)) report(i, length);
  }
  return at_work;
}

bool StallDetector::may_report(TimePoint now) {
  while (!reports_.empty() && now - reports_.front() >= 1min) reports_.pop_front();
  if (reports_.size() >= reports_per_minute) return false;
  reports_.push_back(now);
  return true;
}

void StallDetector::report(std::size_t core, Duration length) {
  const std::string backtrace = backtrace_of(threads_.figures(CoreId(static_cast<std::uint32_t>(core))).thread.load());
  log_.warn("a loop turn holds up its core", {{"stalled_core", core}, {"for", length}, {"backtrace", backtrace}});
}

}  // namespace skerry
