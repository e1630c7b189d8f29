// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/core_threads.hpp"
#include "runtime/cores.hpp"
#include "runtime/metrics.hpp"

namespace skerry {

// What the process has used so far.
struct ProcessUsage {
  double processor_seconds = 0;
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
};
ProcessUsage process_usage();

// The figures of the process (memory, processor time, descriptors) and of its loops (turns, busy time, stalls, mailbox depth),
// read when metrics are asked for. Owned by App; made before the loops run, destroyed after they have ended.
class ProcessMetrics {
 public:
  ProcessMetrics(MetricsRegistry& registry, Cores& cores, const CoreThreads& threads);
  ~ProcessMetrics();

 private:
  class OfProcess;
  class OfLoop;
  std::unique_ptr<OfProcess> process_;
  std::vector<std::unique_ptr<OfLoop>> loops_;
};

}   // namespace skerry
