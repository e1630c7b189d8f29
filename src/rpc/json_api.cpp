// SPDX-License-Identifier: Apache-2.0
#include "rpc/json_api.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.hpp"
#include "rpc/call_span.hpp"
#include "rpc/json_text.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "runtime/quoting.hpp"
#include "runtime/tracing.hpp"

namespace skerry::rpc {
namespace {

constexpr std::string_view root = "/api/";

net::HttpResponse json(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body) + "\n"};
}

// Counts a call for as long as it lives.
class Count {
 public:
  explicit Count(std::size_t& count) : count_(count) { ++count_; }
  Count(const Count&) = delete;
  ~Count() { --count_; }

 private:
  std::size_t& count_;
};

// Tells the end of a call, also of one that is cancelled.
struct Observed {
  MethodObserver* observer;
  Core& core;
  TimePoint began;
  Code code = Code::cancelled;
  ~Observed() {
    if (observer != nullptr) observer->on_end(code, core.clock().now() - began);
  }
};

Task<> handle(const Method& method, JsonCall& call, std::optional<Status>& status, Event& over) {
  status = co_await method.run(call, call, call);
  over.set();
}

Task<> either(Event& first, Event& second) {
  co_await first.wait();
  second.set();
}

}  // namespace

// A call whose handler runs.
struct JsonApi::Running {
  const JsonCall& call;
  std::optional<Status> status;   // once it is decided how the call ends
  Event over;
};

struct JsonApi::Entry {
  Entry(Core& core, const JsonService& about) : service(about), closing(core), call_ended(core) {}
  JsonService service;
  Event closing;
  Signal call_ended;
  std::size_t calls = 0;
  std::list<Running*> running;
};

JsonApi::JsonApi(Core& core, JsonApiOptions options) : core_(core), options_(options) {}
JsonApi::~JsonApi() = default;

void JsonApi::route_in(net::HttpServer& http) {
  http.route("GET", "/api", [this](net::HttpRequest request) { return get(std::move(request)); });
  http.route("GET", std::string(root), [this](net::HttpRequest request) { return get(std::move(request)); });
  http.route_long("POST", std::string(root),
                  [this](net::HttpRequest request, net::HttpReply& reply) { return post(std::move(request), reply); });
}

void JsonApi::add(const JsonService& service) { services_.push_back(std::make_shared<Entry>(core_, service)); }

Task<> JsonApi::remove(const Methods& methods) {
  const auto found = std::ranges::find(services_, &methods, [](const auto& entry) { return entry->service.methods; });
  if (found == services_.end()) co_return;
  const std::shared_ptr<Entry> entry = std::move(*found);
  services_.erase(found);
  entry->closing.set();
  while (entry->calls > 0) co_await entry->call_ended.wait();
}

void JsonApi::recheck_callers() {
  for (const auto& entry : services_) {
    if (entry->service.guard == nullptr) continue;
    for (Running* each : entry->running) {
      if (each->status) continue;
      each->status = entry->service.guard->revoke(each->call);
      if (each->status) each->over.set();
    }
  }
}

void JsonApi::add_view(std::string name, View view) { views_[std::move(name)] = std::move(view); }
void JsonApi::remove_view(const std::string& name) { views_.erase(name); }

std::optional<JsonApi::Found> JsonApi::find(std::string_view name) const {
  for (const auto& entry : services_) {
    if (const Method* method = entry->service.methods->find(name)) return Found{entry, method};
  }
  return std::nullopt;
}

// --- what there is

std::string JsonApi::methods_of(std::string_view service) const {
  std::string out;
  for (const auto& entry : services_) {
    for (const auto& [name, method] : entry->service.methods->all()) {
      if (service_of(name) == service) out += (out.empty() ? "\n  " : ",\n  ") + summary_json(method);
    }
  }
  return out;
}

std::string JsonApi::listing() const {
  std::vector<std::string> names;
  for (const auto& entry : services_) {
    for (const auto& [name, method] : entry->service.methods->all()) names.emplace_back(service_of(name));
  }
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  std::string out = R"({"services":[)";
  const char* comma = "";
  for (const std::string& name : names) {
    out +=
        fmt::format("{}\n {{\"service\":{},\"methods\":[{}]}}", std::exchange(comma, ","), json_quoted(name), methods_of(name));
  }
  out += R"(],"views":[)";
  comma = "";
  for (const auto& [name, view] : views_) {
    out += fmt::format("{}{}", std::exchange(comma, ","), json_quoted(std::string(root) + name));
  }
  return out + "]}";
}

Status JsonApi::unknown(std::string_view path) const {
  std::vector<std::string> known;
  for (const auto& entry : services_) {
    for (const auto& [name, method] : entry->service.methods->all()) known.push_back(name.substr(1));
  }
  return {Code::unimplemented,
          "there is no " + printable(path, 256) + did_you_mean(path, known) + "; paths look like /api/package.Service/Method",
          {}};
}

Task<net::HttpResponse> JsonApi::get(net::HttpRequest request) {
  std::string_view rest = std::string_view(request.path).substr(std::min(request.path.size(), root.size()));
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty()) co_return json(200, listing());
  if (const auto view = views_.find(rest); view != views_.end()) {
    const View show = view->second;   // it may be removed meanwhile
    const Result<std::string> shown = co_await show(std::move(request));
    if (shown) co_return json(200, *shown);
    const Status why = Status::from(shown.error());
    co_return json(http_status(why.code), error_json(why));
  }
  if (const auto found = find("/" + std::string(rest))) co_return json(200, description_json(*found->method));
  if (const std::string methods = methods_of(rest); !methods.empty()) {
    co_return json(200, fmt::format("{{\"service\":{},\"methods\":[{}]}}", json_quoted(rest), methods));
  }
  co_return json(404, error_json(unknown(rest)));
}

// --- calls

Task<> JsonApi::post(net::HttpRequest request, net::HttpReply& reply) {
  if (!request.header("origin").empty()) {
    const Status refused{Code::permission_denied, "this comes from a page in a browser, and pages may not call", {}};
    static_cast<void>(co_await reply.send(json(403, error_json(refused))));
    co_return;
  }
  const std::string_view name = std::string_view(request.path).substr(root.size() - 1);
  const auto found = find(name);
  if (!found) {
    static_cast<void>(co_await reply.send(json(404, error_json(unknown(name.substr(1))))));
    co_return;
  }
  co_await call(found->entry, *found->method, request, reply);
}

Task<> JsonApi::call(std::shared_ptr<Entry> entry, const Method& method, const net::HttpRequest& request, net::HttpReply& reply) {
  struct Leave {
    ~Leave() { entry.call_ended.notify_all(); }
    Entry& entry;
  } const leave{*entry};
  const Count counted(entry->calls);
  const JsonService& service = entry->service;
  JsonCall call(method, request, reply);
  if (!service.authority.empty()) call.set_authority(service.authority);
  Status status = call.read(core_.now(), options_.unary_timeout, options_.messages_max);
  if (status.ok() && service.guard != nullptr) {
    if (auto admitted = service.guard->admit(call)) {
      call.set_caller(*std::move(admitted));
    } else {
      status = std::move(admitted).error();
    }
  }
  MethodObserver* observer = service.stats != nullptr ? service.stats->observer(method.name) : nullptr;
  if (observer != nullptr) observer->on_start();
  Observed observed{observer, core_, core_.clock().now()};
  if (status.ok()) status = co_await run(*entry, method, call);
  observed.code = status.code;
  co_await call.finish(std::move(status));
}

Task<Status> JsonApi::run(Entry& entry, const Method& method, JsonCall& call) {
  const bool streams = method.client_streams || method.server_streams;
  std::optional<Count> counted;
  if (streams) {
    if (streams_ >= options_.streams_max) {
      co_return Status{Code::resource_exhausted,
                       fmt::format("there are {} calls of streaming methods already (streams_max)", options_.streams_max),
                       {}};
    }
    counted.emplace(streams_);
  }
  Tracer* tracer = entry.service.tracer;
  if (tracer != nullptr) {
    const auto parent = call.metadata().find(traceparent_name);
    call.set_span(
        tracer->begin(method.name.substr(1), Span::Kind::server,
                      parent ? parse_traceparent(*parent, call.metadata().find(tracestate_name).value_or("")) : std::nullopt,
                      core_.clock().now()),
        tracer);
  }
  // Until the handler has returned, or its methods are taken away.
  Running running{call, std::nullopt, Event(core_)};
  std::optional<Status>& status = running.status;
  struct Listed {
    ~Listed() { list.erase(at); }
    std::list<Running*>& list;
    std::list<Running*>::iterator at;
  } const listed{entry.running, entry.running.insert(entry.running.end(), &running)};
  std::vector<Task<>> both;
  both.push_back(handle(method, call, status, running.over));
  both.push_back(either(entry.closing, running.over));
  Task<> until_over = run_beside(core_, running.over.wait(), run_all(core_, std::move(both)));
  Ended ended = Ended::itself;
  if (call.deadline() == no_deadline) {
    co_await std::move(until_over);
  } else {
    ended = co_await run_until(core_, std::move(until_over), call.deadline());
  }
  if (!status && ended == Ended::by_deadline) {
    status = Status{Code::deadline_exceeded, "the deadline passed before the call had ended", {}};
  } else if (!status) {
    status = Status{Code::unavailable, "the server is stopping; try again elsewhere", {}};
  }
  if (Span* span = call.span()) {
    describe_call(*span, method.name, status->code, status->message);
    span->set("network.peer.address", call.peer().host);
    span->end = core_.clock().now();
    tracer->record(std::move(*span));
    call.set_span(nullptr, nullptr);
  }
  co_return *std::move(status);
}

}  // namespace skerry::rpc
