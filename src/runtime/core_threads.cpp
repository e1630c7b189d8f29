// SPDX-License-Identifier: Apache-2.0
#include "runtime/core_threads.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace skerry {
namespace {

constexpr std::size_t cores_max = 256;

std::vector<unsigned> usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> usable;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return usable;
  for (unsigned i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) usable.push_back(i);
  }
  return usable;
}

Result<unsigned> parse_number(std::string_view text, std::string_view whole) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return fail(Errc::invalid_argument,
                "cores: expected a count like 4 or a list of processors like 0,2 or 0-3, not '" + std::string(whole) + "'");
  }
  return value;
}

Result<std::vector<unsigned>> parse_list(std::string_view text) {
  std::vector<unsigned> processors;
  for (std::string_view rest = text;;) {
    const auto comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const auto dash = item.find('-');
    TRY(const unsigned first, parse_number(item.substr(0, dash), text));
    unsigned last = first;
    if (dash != std::string_view::npos) {
      TRY(last, parse_number(item.substr(dash + 1), text));
    }
    if (last < first || last - first >= cores_max || processors.size() + (last - first) >= cores_max) {
      return fail(Errc::invalid_argument, "cores: '" + std::string(item) + "' is no range of at most 256 processors");
    }
    for (unsigned i = first; i <= last; ++i) {
      if (std::ranges::find(processors, i) != processors.end()) {
        return fail(Errc::invalid_argument,
                    "cores: processor " + std::to_string(i) + " is named twice in '" + std::string(text) + "'");
      }
      processors.push_back(i);
    }
    if (comma == std::string_view::npos) return processors;
    rest.remove_prefix(comma + 1);
  }
}

void print_and_abort(CoreId core, const char* what) {
  std::fprintf(stderr, "core %u: an exception left the loop: %s\n", core.value(), what);
  std::abort();
}

}  // namespace

Result<CorePlacement> CorePlacement::parse(std::string_view text, bool pin) {
  const auto usable = usable_processors();
  CorePlacement placement;
  if (text.find_first_of(",-") == std::string_view::npos) {
    placement.count = std::max<std::size_t>(usable.size(), 1);
    if (!text.empty()) {
      TRY(placement.count, parse_number(text, text));
    }
    if (placement.count < 1 || placement.count > cores_max) {
      return fail(Errc::invalid_argument, "cores: the count must be from 1 to 256, not " + std::string(text));
    }
    if (pin && placement.count <= usable.size())
      placement.processors.assign(usable.begin(), usable.begin() + static_cast<std::ptrdiff_t>(placement.count));
    return placement;
  }
  TRY(placement.processors, parse_list(text));
  placement.count = placement.processors.size();
  for (const unsigned processor : placement.processors) {
    if (std::ranges::find(usable, processor) == usable.end()) {
      return fail(Errc::invalid_argument,
                  "cores: this process may not run on processor " + std::to_string(processor) + " (see taskset, cpusets)");
    }
  }
  if (!pin) placement.processors.clear();
  return placement;
}

std::vector<unsigned> CorePlacement::spare() const {
  std::vector<unsigned> left = processors.empty() ? std::vector<unsigned>() : usable_processors();
  std::erase_if(left, [this](unsigned each) { return std::ranges::find(processors, each) != processors.end(); });
  return left;
}

CoreThreads::CoreThreads(Cores& cores, CoreThreadOptions options) : options_(std::move(options)) {
  for (const auto& core : cores.all()) drivers_.push_back(std::make_unique<Driver>(*core));
}

Result<> CoreThreads::start() {
  for (std::size_t i = 0; i < drivers_.size(); ++i) {
    Driver& driver = *drivers_[i];
    driver.thread = std::thread([this, &driver] { drive(driver); });
    const std::string name = "core-" + std::to_string(i);
    ::pthread_setname_np(driver.thread.native_handle(), name.c_str());
    if (i >= options_.placement.processors.size()) continue;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options_.placement.processors[i], &set);
    if (const int error = ::pthread_setaffinity_np(driver.thread.native_handle(), sizeof set, &set); error != 0) {
      return fail(Errc::io_failed, "can't pin core " + std::to_string(i) + " to processor " +
                                       std::to_string(options_.placement.processors[i]) + ": " + std::strerror(error));
    }
  }
  return {};
}

void CoreThreads::stop() {
  for (auto& driver : drivers_) {
    if (driver->thread.joinable()) driver->core.post_from_outside([&stopping = driver->stopping] { stopping = true; });
  }
  for (auto& driver : drivers_) {
    if (driver->thread.joinable()) driver->thread.join();
  }
}

void CoreThreads::drive(Driver& driver) const {
  driver.figures.thread.store(::pthread_self());
  driver.figures.alive.store(true);
  try {
    TimePoint idle_since = driver.core.clock().now();
    while (!driver.stopping) {
      if (turn(driver)) {
        if (options_.busy_wait > Duration::zero()) idle_since = driver.core.clock().now();
      } else if (options_.busy_wait == Duration::zero() || driver.core.clock().now() - idle_since >= options_.busy_wait) {
        driver.core.wait(no_deadline);
        if (options_.busy_wait > Duration::zero()) idle_since = driver.core.clock().now();
      }
    }
  } catch (const std::exception& error) {
    print_and_abort(driver.core.id(), error.what());
  } catch (...) {
    print_and_abort(driver.core.id(), "of a type unknown to the standard library");
  }
  driver.figures.alive.store(false);
}

bool CoreThreads::turn(Driver& driver) const {
  // Written by this thread alone, so a relaxed load and store will do.
  const auto add = [](std::atomic<std::uint64_t>& figure, std::uint64_t by) {
    figure.store(figure.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  };
  LoopFigures& figures = driver.figures;
  const TimePoint began = driver.core.clock().now();
  figures.turn_began.store(began.time_since_epoch().count(), std::memory_order_relaxed);
  const bool ran = driver.core.run_turn();
  figures.turn_began.store(0, std::memory_order_relaxed);
  if (!ran) return false;
  const Duration length = driver.core.clock().now() - began;
  add(figures.turns, 1);
  add(figures.busy_nanos, static_cast<std::uint64_t>(length.count()));
  if (length > options_.stall_limit) add(figures.stalls, 1);
  return true;
}

}  // namespace skerry
