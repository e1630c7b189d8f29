// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace skerry {

class Cores;

namespace detail {

// Written by one core, read by whoever exports: relaxed loads and stores, no locked instruction.
struct MetricCell {
  std::atomic<double> gauge{0};
  std::atomic<std::uint64_t> count{0};
};
struct HistogramCell {
  explicit HistogramCell(std::vector<double> upper_bounds) : bounds(std::move(upper_bounds)), counts(bounds.size() + 1) {}
  const std::vector<double> bounds;                  // ascending; above the last is +Inf
  std::vector<std::atomic<std::uint64_t>> counts;    // not cumulative: made so when exported
  std::atomic<double> sum{0};
};

}  // namespace detail

// Handles. Their core alone writes; a series is exported as long as a handle to it lives. Empty handles swallow what they get.
class Counter {
 public:
  Counter() = default;
  void add(std::uint64_t by = 1) const {
    if (cell_) cell_->count.store(cell_->count.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  // For figures that are counted elsewhere and only ever rise; instead of add().
  void set(double total) const {
    if (cell_) cell_->gauge.store(total, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return cell_ ? cell_->count.load(std::memory_order_relaxed) : 0; }

 private:
  friend class Metrics;
  explicit Counter(std::shared_ptr<detail::MetricCell> cell) : cell_(std::move(cell)) {}
  std::shared_ptr<detail::MetricCell> cell_;
};

class Gauge {
 public:
  Gauge() = default;
  void set(double value) const {
    if (cell_) cell_->gauge.store(value, std::memory_order_relaxed);
  }
  void add(double by) const {
    if (cell_) set(value() + by);
  }
  double value() const { return cell_ ? cell_->gauge.load(std::memory_order_relaxed) : 0; }

 private:
  friend class Metrics;
  explicit Gauge(std::shared_ptr<detail::MetricCell> cell) : cell_(std::move(cell)) {}
  std::shared_ptr<detail::MetricCell> cell_;
};

class Histogram {
 public:
  Histogram() = default;
  void observe(double value) const {
    if (!cell_) return;
    const auto bucket = std::ranges::lower_bound(cell_->bounds, value) - cell_->bounds.begin();   // bounds are inclusive
    auto& count = cell_->counts[static_cast<std::size_t>(bucket)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    cell_->sum.store(cell_->sum.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  void observe_millis(Duration length) const { observe(std::chrono::duration<double, std::milli>(length).count()); }

 private:
  friend class Metrics;
  explicit Histogram(std::shared_ptr<detail::HistogramCell> cell) : cell_(std::move(cell)) {}
  std::shared_ptr<detail::HistogramCell> cell_;
};

// Bucket bounds.
namespace buckets {
std::vector<double> one_two_five(double first, double last);    // 0.1 0.2 0.5 1 2 5 … `first` is a power of ten
std::vector<double> powers_of_two(double first, double last);
inline std::vector<double> latency_millis() { return one_two_five(0.1, 50'000); }
inline std::vector<double> sizes() { return powers_of_two(16, 8 << 20); }
inline std::vector<double> counts() { return one_two_five(1, 1e6); }
}  // namespace buckets

using Labels = std::vector<std::pair<std::string, std::string>>;

// Something whose figures are worked out when they are asked for, on its core. Leaves when destroyed.
class Collector : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual ~Collector() = default;
  virtual void collect() = 0;   // sets gauges and counters
};

// The metrics of one core, or of the process as a whole. Making a handle takes a lock: do it once, not per event. The same name
// and labels give the same series; one name has one kind and help. Names follow Prometheus: counters end in _total, units are
// part of the name.
class Metrics {
 public:
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter counter(const std::string& name, const std::string& help, Labels labels = {});
  Gauge gauge(const std::string& name, const std::string& help, Labels labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds, Labels labels = {});

  void add(Collector& collector) { collectors_.push_back(collector); }   // on its core
  void collect();                                                        // on its core

 private:
  friend class MetricsRegistry;
  enum class Kind { counter, gauge, histogram };
  struct Series {
    Labels labels;
    std::shared_ptr<detail::MetricCell> cell;
    std::shared_ptr<detail::HistogramCell> histogram;
  };
  struct Family {
    Kind kind;
    std::string help;
    std::vector<Series> series;
  };
  explicit Metrics(Labels fixed) : fixed_(std::move(fixed)) {}
  Series& series(const std::string& name, const std::string& help, Kind kind, Labels labels);

  const Labels fixed_;
  std::mutex mutex_;   // of families_
  std::map<std::string, Family> families_;
  boost::intrusive::list<Collector, boost::intrusive::constant_time_size<false>> collectors_;
};

// The metrics of all cores. Owned by App, outlives the applets.
class MetricsRegistry {
 public:
  explicit MetricsRegistry(std::size_t cores);
  ~MetricsRegistry();

  Metrics& core(CoreId core) { return *cores_.at(core.value()); }   // every series gets the label core
  Metrics& process() { return *process_; }                          // used by core 0

  // Prometheus' text format. Any thread; figures of different cores are not of the same instant.
  std::string text();
  // The same after every core has run its collectors.
  Task<std::string> collect_text(Cores& cores);

 private:
  std::unique_ptr<Metrics> process_;
  std::vector<std::unique_ptr<Metrics>> cores_;
};

}  // namespace skerry
