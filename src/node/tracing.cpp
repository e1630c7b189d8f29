// SPDX-License-Identifier: Apache-2.0
#include "node/tracing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "node/http_post.hpp"
#include "runtime/join.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t batch_spans_max = 512;   // of each core
constexpr Duration request_timeout = 10s;
constexpr Duration retry_min = 1s, retry_max = 30s;
constexpr Duration farewell = 2s;              // for what is left at the end
constexpr Duration complaint_interval = 1min;
constexpr Duration anchor_drift_max = 100ms;   // a wall clock that was set anew

// Later the same may be taken; the others never will.
bool is_transient(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

}  // namespace

Tracing::Tracing(AppletContext& context, TracingOptions options)
    : context_(context), log_(context.log("tracing")), options_(std::move(options)), network_(context.core),
      anchor_{context.core.clock().now(), context.core.clock().wall()}, tasks_(context.core) {
  if (!options_.endpoint) return;
  tracer_.emplace(context.core.random().next(), TracerOptions{options_.ratio, options_.spans_max});
  Metrics& metrics = context.metrics();
  const auto lost = [&](const char* why) {
    return metrics.counter("skerry_trace_spans_dropped_total", "Spans that were lost", {{"because", why}});
  };
  recorded_ = metrics.counter("skerry_trace_spans_recorded_total", "Spans that were recorded");
  waiting_ = metrics.gauge("skerry_trace_spans_waiting", "Spans that have not been taken for sending");
  dropped_ = lost("full");
  refused_ = lost("refused");
  sent_ = metrics.counter("skerry_trace_spans_sent_total", "Spans that the collector has taken");
  failures_ = metrics.counter("skerry_trace_requests_failed_total", "Requests that the collector has not answered with success");
  metrics.add(*this);
}

Tracing::~Tracing() = default;

void Tracing::collect() {
  recorded_.set(static_cast<double>(tracer_->recorded()));
  dropped_.set(static_cast<double>(tracer_->dropped()));
  waiting_.set(static_cast<double>(tracer_->waiting()));
}

Task<Result<>> Tracing::start() {
  if (!tracer_ || context_.core.id() != CoreId{0}) co_return Result<>{};
  if (options_.endpoint->tls) {
    auto loaded = net::TlsContext::load({.trusted_ca_file = options_.certificate_file}, net::TlsRole::client);
    if (!loaded) co_return fail(loaded.error().code, "tracing: " + loaded.error().message());
    secure_network_ = std::make_unique<net::TlsNetwork>(
        context_.core, network_, net::TlsNetworkOptions{.contexts = [context = *std::move(loaded)] { return context; }});
  }
  log_.info("sends spans", {{"to", options_.endpoint->text()}, {"ratio", options_.ratio}});
  tasks_.spawn(export_all());
  co_return Result<>{};
}

Task<> Tracing::stop() {
  co_await tasks_.cancel_and_join();
  if (!tracer_ || context_.core.id() != CoreId{0}) co_return;
  struct Last {
    static Task<> deliver(Tracing& self) {
      for (;;) {
        if (self.batch_.empty()) co_await self.gather();
        if (self.batch_.empty() || !co_await self.deliver()) co_return;
      }
    }
  };
  co_await run_until(context_.core, Last::deliver(*this), context_.core.now() + farewell);
  if (!batch_.empty()) drop_batch("the process ends", {});
}

Task<> Tracing::export_all() {
  Duration wait = options_.interval;
  for (Duration retry = retry_min;;) {
    co_await context_.core.sleep_for(wait);
    if (batch_.empty()) co_await gather();
    const bool full = batch_.size() >= batch_spans_max;
    if (batch_.empty() || co_await deliver()) {
      retry = retry_min;
      wait = full ? Duration::zero() : options_.interval;
    } else {
      wait = retry;
      retry = std::min(2 * retry, retry_max);
    }
  }
}

// From all cores.
Task<> Tracing::gather() {
  const auto join = [](std::vector<Span> all, std::vector<Span> more) {
    std::ranges::move(more, std::back_inserter(all));
    return all;
  };
  batch_ = co_await context_.sharded<Tracing>().map_reduce(std::vector<Span>(), join, &Tracing::take, batch_spans_max);
  const Clock& clock = context_.core.clock();
  const auto wall_by_anchor = anchor_.wall + std::chrono::floor<std::chrono::milliseconds>(clock.now() - anchor_.monotonic);
  if (std::chrono::abs(clock.wall() - wall_by_anchor) > anchor_drift_max) anchor_ = {clock.now(), clock.wall()};
}

Task<bool> Tracing::deliver() {
  const OtlpEndpoint& endpoint = *options_.endpoint;
  net::Network& network = secure_network_ ? static_cast<net::Network&>(*secure_network_) : network_;
  HttpPost post{.address = endpoint.address,
                .path = endpoint.path,
                .content_type = "application/json",
                .headers = options_.headers,
                .body = otlp_json(batch_, options_.resource, anchor_)};
  const auto answer = co_await http_post(context_.core, network, std::move(post), context_.core.now() + request_timeout);
  if (answer && answer->status / 100 == 2) {
    sent_.add(batch_.size());
    batch_.clear();
    co_return true;
  }
  failures_.add();
  if (!answer || is_transient(answer->status)) {
    complain(answer ? fmt::format("status {} {}", answer->status, printable(answer->text, 200)) : answer.error().message());
    co_return false;
  }
  drop_batch("the collector refused them", fmt::format("status {} {}", answer->status, printable(answer->text, 200)));
  co_return true;
}

void Tracing::drop_batch(const char* why, const std::string& detail) {
  refused_.add(batch_.size());
  complain(fmt::format("{} spans are lost: {} {}", batch_.size(), why, detail));
  batch_.clear();
}

void Tracing::complain(const std::string& what) {
  const TimePoint now = context_.core.now();
  if (complained_at_ != TimePoint::min() && now - complained_at_ < complaint_interval) return;
  complained_at_ = now;
  log_.warn("the collector does not take spans; requests go on without, and what is lost is counted",
            {{"collector", options_.endpoint->text()}, {"reason", what}});
}

}  // namespace skerry::node
