// SPDX-License-Identifier: Apache-2.0
#include "runtime/applets.hpp"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

#include "runtime/join.hpp"

namespace skerry {

Cores& AppletContext::cores() const { return applets_.services().cores; }
Blocking& AppletContext::blocking() const { return applets_.services().blocking; }
Metrics& AppletContext::metrics() const { return metrics_registry().core(core.id()); }
Metrics& AppletContext::process_metrics() const { return metrics_registry().process(); }
MetricsRegistry& AppletContext::metrics_registry() const { return applets_.services().metrics; }
LogRegistry& AppletContext::log_registry() const { return applets_.services().log; }

Task<> AppletContext::wait_hang_up(std::uint64_t seen) {
  while (hang_ups_ == seen) co_await hung_up_.wait();
}

Applets::Applets(AppletServices services) : services_(services) {
  for (const auto& core : services_.cores.all()) contexts_.push_back(std::make_unique<AppletContext>(*this, *core));
}

Applets::~Applets() {
  while (!kinds_.empty()) kinds_.pop_back();
}

Applets::Kind* Applets::find(std::type_index type) const {
  for (const auto& kind : kinds_) {
    if (kind->type() == type) return kind.get();
  }
  return nullptr;
}

void Applets::note_busy(std::string what) {
  const std::lock_guard lock(busy_mutex_);
  busy_ = std::move(what);
}

std::string Applets::busy_with() const {
  const std::lock_guard lock(busy_mutex_);
  return busy_;
}

namespace {

// An applet may be another room's code that throws; its exception is a failure to start like any other.
Task<Result<>> no_exceptions(Task<Result<>> start) {
  try {
    co_return co_await std::move(start);
  } catch (const std::exception& error) {
    co_return fail(Errc::internal, error.what());
  }
}

Task<> keep_result(Task<Result<>> task, Result<>& into) { into = co_await std::move(task); }

}  // namespace

Task<Result<>> Applets::start_one(Kind& kind) {
  note_busy("start of " + kind.name());
  std::vector<Result<>> results(services_.cores.size());
  std::vector<Task<>> calls;
  for (const auto& core : services_.cores.all()) {
    static constexpr auto begin = [](Kind* which, CoreId where) { return no_exceptions(which->start(where)); };
    calls.push_back(keep_result(services_.cores.call(core->id(), begin, &kind, core->id()), results[core->id().value()]));
  }
  co_await run_all(services_.cores.core(CoreId{0}), std::move(calls));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) continue;
    co_return fail(results[i].error().code,
                   fmt::format("{} could not start on core {}: {}", kind.name(), i, results[i].error().message()));
  }
  co_return Result<>();
}

Task<> Applets::stop_one(Kind& kind) {
  note_busy("stop of " + kind.name());
  std::vector<Task<>> calls;
  for (const auto& core : services_.cores.all()) {
    calls.push_back(services_.cores.call(core->id(), &Kind::stop, &kind, core->id()));
  }
  co_await run_all(services_.cores.core(CoreId{0}), std::move(calls));
}

Task<Result<>> Applets::build() {
  static constexpr auto build_one = [](Kind* kind, AppletContext* context) -> Result<> {
    try {
      kind->build(*context);
      return {};
    } catch (const std::exception& error) {
      return fail(Errc::internal,
                  fmt::format("{} could not be built on core {}: {}", kind->name(), context->core.id().value(), error.what()));
    }
  };
  for (const auto& kind : kinds_) {
    for (const auto& context : contexts_) {
      CO_TRYV(co_await services_.cores.call(context->core.id(), build_one, kind.get(), context.get()));
    }
  }
  co_return Result<>();
}

Task<Result<>> Applets::start() {
  Result<> outcome;
  try {
    outcome = co_await build();
    while (outcome && begun_ < kinds_.size()) outcome = co_await start_one(*kinds_[begun_++]);
  } catch (const boost::system::system_error&) {
    outcome = fail(Errc::cancelled, "told to stop while starting");
  }
  if (!outcome) {
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await stop();
    co_await asio::this_coro::throw_if_cancelled(throws);
  }
  note_busy("");
  co_return outcome;
}

Task<> Applets::stop() {
  while (begun_ > 0) co_await stop_one(*kinds_[--begun_]);
  // Calls whose callers have gone may still be running.
  note_busy("end of calls between cores");
  co_await services_.cores.end_calls();
  for (auto kind = kinds_.rbegin(); kind != kinds_.rend(); ++kind) {
    for (const auto& context : contexts_) {
      co_await services_.cores.call(context->core.id(), &Kind::destroy, kind->get(), context->core.id());
    }
  }
  note_busy("");
}

Task<> Applets::hang_up() {
  static constexpr auto wake = [](AppletContext* context) {
    ++context->hang_ups_;
    context->hung_up_.notify_all();
  };
  for (const auto& context : contexts_) co_await services_.cores.call(context->core.id(), wake, context.get());
}

}  // namespace skerry
