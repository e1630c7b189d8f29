// SPDX-License-Identifier: Apache-2.0
#include "runtime/process_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace skerry {
namespace {

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; }

std::size_t open_descriptors() {
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end; !error && each != end; each.increment(error))
    ++count;
  return count > 0 ? count - 1 : 0;   // without the one that reads the folder
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage used;
  std::uint64_t pages = 0, resident_pages = 0;
  if (std::ifstream file("/proc/self/statm"); file >> pages >> resident_pages) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    used.virtual_bytes = pages * page;
    used.resident_bytes = resident_pages * page;
  }
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) used.processor_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return used;
}

class ProcessMetrics::OfProcess final : public Collector {
 public:
  explicit OfProcess(Metrics& metrics)
      : resident_(metrics.gauge("process_resident_memory_bytes", "Resident memory.")),
        virtual_(metrics.gauge("process_virtual_memory_bytes", "Virtual memory.")),
        processor_(metrics.counter("process_cpu_seconds_total", "User and system processor time.")),
        open_(metrics.gauge("process_open_fds", "Open file descriptors.")),
        limit_(metrics.gauge("process_max_fds", "Most file descriptors that may be open.")),
        started_(metrics.gauge("process_start_time_seconds", "When the process started, in seconds since the epoch.")) {
    const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    started_.set(now);
    metrics.add(*this);
  }

  void collect() override {
    const ProcessUsage used = process_usage();
    virtual_.set(static_cast<double>(used.virtual_bytes));
    resident_.set(static_cast<double>(used.resident_bytes));
    processor_.set(used.processor_seconds);
    open_.set(static_cast<double>(open_descriptors()));
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) limit_.set(static_cast<double>(limit.rlim_cur));
  }

 private:
  Gauge resident_, virtual_;
  Counter processor_;
  Gauge open_, limit_, started_;
};

class ProcessMetrics::OfLoop final : public Collector {
 public:
  OfLoop(Metrics& metrics, Cores& cores, CoreId core, const LoopFigures& figures)
      : cores_(cores), core_(core), figures_(figures),
        turns_(metrics.counter("skerry_loop_turns_total", "Loop turns that ran something.")),
        stalls_(metrics.counter("skerry_loop_stalls_total", "Loop turns that lasted longer than the stall limit.")),
        busy_(
            metrics.counter("skerry_loop_busy_seconds_total", "Time spent in loop turns; its rate is the loop's utilisation.")) {
    for (const auto& from : cores.all()) {
      if (from->id() == core) continue;
      const auto depth = metrics.gauge("skerry_mailbox_depth", "Messages from another core that wait to be taken.",
                                       {{"from", std::to_string(from->id().value())}});
      depths_.emplace_back(from->id(), depth);
    }
    metrics.add(*this);
  }

  void collect() override {
    turns_.set(static_cast<double>(figures_.turns.load(std::memory_order_relaxed)));
    stalls_.set(static_cast<double>(figures_.stalls.load(std::memory_order_relaxed)));
    busy_.set(static_cast<double>(figures_.busy_nanos.load(std::memory_order_relaxed)) * 1e-9);
    for (const auto& [from, depth] : depths_) depth.set(static_cast<double>(cores_.mailboxes().depth(from, core_)));
  }

 private:
  Cores& cores_;
  const CoreId core_;
  const LoopFigures& figures_;
  Counter turns_, stalls_, busy_;
  std::vector<std::pair<CoreId, Gauge>> depths_;
};

ProcessMetrics::ProcessMetrics(MetricsRegistry& registry, Cores& cores, const CoreThreads& threads)
    : process_(std::make_unique<OfProcess>(registry.process())) {
  for (const auto& core : cores.all()) {
    loops_.push_back(std::make_unique<OfLoop>(registry.core(core->id()), cores, core->id(), threads.figures(core->id())));
  }
}

ProcessMetrics::~ProcessMetrics() = default;

}  // namespace skerry
