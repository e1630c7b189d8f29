// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "net/stream.hpp"
#include "rpc/call_guard.hpp"
#include "rpc/status.hpp"
#include "runtime/task.hpp"

namespace google::protobuf {
class MessageLite;
class Message;
class ServiceDescriptor;
}  // namespace google::protobuf

namespace skerry {
struct Span;
struct WriteStages;
}   // namespace skerry

namespace skerry::rpc {

// "package.Service" of "/package.Service/Method".
inline std::string_view service_of(std::string_view method) { return method.substr(1, method.rfind('/') - 1); }

// What a handler may know of its call. Lives until the handler has returned.
class ServerCall {
 public:
  virtual ~ServerCall() = default;
  virtual const Metadata& metadata() const = 0;      // request headers, without gRPC's own
  virtual std::string_view method() const = 0;       // "/package.Service/Method"
  virtual std::string_view authority() const = 0;
  virtual Deadline deadline() const = 0;             // no_deadline when the client set none
  virtual net::Address peer() const = 0;
  virtual void add_trailer(std::string name, std::string value) = 0;

  // One field of the metadata, as it came; cheaper than metadata() for who wants no other.
  virtual std::optional<std::string_view> header(std::string_view name) const { return metadata().find(name); }
  // Who the guard says it is; null where nobody was asked.
  virtual const auth::Caller* caller() const { return nullptr; }
  // What the client proved itself with to TLS; null without.
  virtual const net::PeerCertificate* certificate() const { return nullptr; }
  virtual Span* span() const { return nullptr; }     // null: this call is not traced
  // Of a write that this call asked for: becomes a part of its span, if there is one.
  virtual void record_stages(const WriteStages& stages) { static_cast<void>(stages); }
};

// Messages as bytes; the typed faces below parse and serialise. A handler whose client goes away is cancelled.
class MessageSource {
 public:
  virtual ~MessageSource() = default;
  // The next message, valid until the next call; nothing when the client has half-closed.
  virtual Task<Result<std::optional<BytesView>>> next() = 0;
  // The same, parsed: false at the end.
  virtual Task<Result<bool>> next_into(google::protobuf::MessageLite& into);
  // The same without waiting: nothing when it would have to wait.
  virtual std::optional<Result<bool>> try_next_into(google::protobuf::MessageLite& into) {
    static_cast<void>(into);
    return std::nullopt;
  }
  // The bytes of the next message when it is there, which stays the next; valid until this coroutine waits for anything.
  virtual std::optional<BytesView> peek() const { return std::nullopt; }
  virtual void skip() {}   // takes what peek() showed
};
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // Queues the message; returns at once while little is queued, otherwise when the client has taken enough (back-pressure).
  virtual Task<Result<>> write(const google::protobuf::MessageLite& message) = 0;
  // Queues it whatever is queued already, for the last message of a call. False when only write() can.
  virtual bool try_write(const google::protobuf::MessageLite& message) {
    static_cast<void>(message);
    return false;
  }
  // The same for a message that is encoded already.
  virtual bool try_write_encoded(BytesView message) {
    static_cast<void>(message);
    return false;
  }
  // For who has queued without waiting: returns at once while little is queued, otherwise when the client has taken enough.
  virtual Task<Result<>> room() { co_return Result<>(); }
};

// Fails with invalid_argument, and says whether the bytes are malformed or which field is not UTF-8.
Result<> parse(BytesView bytes, google::protobuf::MessageLite& into);

template <class Request>
class Requests {
 public:
  explicit Requests(MessageSource& source) : source_(source) {}
  // False at the end of the stream. Malformed messages end the call with invalid_argument.
  Task<Result<bool>> next(Request& into) { return source_.next_into(into); }

 private:
  MessageSource& source_;
};
template <class Reply>
class Replies {
 public:
  explicit Replies(MessageSink& sink) : sink_(sink) {}
  Task<Result<>> write(const Reply& reply) { return sink_.write(reply); }
  bool try_write_encoded(BytesView reply) { return sink_.try_write_encoded(reply); }
  Task<Result<>> room() { return sink_.room(); }

 private:
  MessageSink& sink_;
};

// One method: its handler over bytes, and what is known of its messages.
struct Method {
  std::string name;                                // "/package.Service/Method"
  bool client_streams = false;
  bool server_streams = false;
  const google::protobuf::Message* request = nullptr;   // prototypes
  const google::protobuf::Message* reply = nullptr;
  std::function<Task<Status>(ServerCall&, MessageSource&, MessageSink&)> run;
  std::size_t index = 0;                           // dense, in order of registration
};

// The methods that a server answers. Filled at start, shared by all connections of a core.
// Handlers are coroutines; references are valid until they return. Registering a name twice is a bug.
class Methods {
 public:
  template <class Request, class Reply>
  using Unary = std::function<Task<Status>(ServerCall&, const Request&, Reply&)>;
  template <class Request, class Reply>
  using ServerStream = std::function<Task<Status>(ServerCall&, const Request&, Replies<Reply>&)>;
  template <class Request, class Reply>
  using ClientStream = std::function<Task<Status>(ServerCall&, Requests<Request>&, Reply&)>;
  template <class Request, class Reply>
  using Bidirectional = std::function<Task<Status>(ServerCall&, Requests<Request>&, Replies<Reply>&)>;

  // Tries to answer a call from its only message without parsing it to an object and without waiting. Nothing, and nothing
  // written: the handler has to do it.
  using AtOnce = std::function<std::optional<Status>(ServerCall&, BytesView request, MessageSink&)>;

  template <class Request, class Reply>
  void unary(std::string method, Unary<Request, Reply> handler);
  template <class Request, class Reply>
  void server_stream(std::string method, ServerStream<Request, Reply> handler, AtOnce at_once = {});
  template <class Request, class Reply>
  void client_stream(std::string method, ClientStream<Request, Reply> handler);
  template <class Request, class Reply>
  void bidirectional(std::string method, Bidirectional<Request, Reply> handler);

  // A second name for every method of a service, answered by the same handlers: alias("a.Old", "b.New") makes
  // "/a.Old/Get" do what "/b.New/Get" does. Call it after the service's methods are registered.
  void alias(std::string_view alias_service, std::string_view service);
  // Fails, naming the method, unless exactly the methods of `service` are registered under its full name, with its
  // message types and kinds of streaming.
  Result<> check(const google::protobuf::ServiceDescriptor& service) const;
  // check(), then an alias for each name given.
  Result<> service(const google::protobuf::ServiceDescriptor& service, std::initializer_list<std::string_view> aliases = {});

  const Method* find(std::string_view name) const;
  const std::map<std::string, Method, std::less<>>& all() const { return methods_; }

 private:
  void add(Method method);

  std::map<std::string, Method, std::less<>> methods_;
};

namespace detail {
template <class Message>
Task<Result<>> take_only_message(MessageSource& source, Message& into) {
  auto taken = source.try_next_into(into);
  if (!taken) taken = co_await source.next_into(into);
  if (!*taken) co_return std::unexpected(std::move(*taken).error());
  if (!**taken) co_return fail(Errc::unsupported, "the method takes exactly one message; the client sent none");
  co_return Result<>();
}

template <class Message>
Task<Status> put_only_message(MessageSink& sink, const Message& message) {
  auto written = co_await sink.write(message);
  co_return written ? Status() : Status::from(written.error());
}

// The handlers live in Methods, which outlives every call, so the coroutines may refer to them.
template <class Request, class Reply>
Task<Status> run_unary(const Methods::Unary<Request, Reply>& handler, ServerCall& call, MessageSource& source,
                       MessageSink& sink) {
  Request request;
  const auto taken = source.try_next_into(request);   // the server starts a unary handler when its message is there
  if (!taken || !*taken || !**taken) [[unlikely]] {
    if (taken && !*taken) co_return Status::from(taken->error());
    const auto waited = co_await take_only_message(source, request);
    if (!waited) co_return Status::from(waited.error());
  }
  Reply reply;
  Status status = co_await handler(call, request, reply);
  if (status.ok() && !sink.try_write(reply)) status = co_await put_only_message(sink, reply);
  co_return status;
}

template <class Request, class Reply>
Task<Status> run_server_stream(const Methods::ServerStream<Request, Reply>& handler, const Methods::AtOnce& at_once,
                               ServerCall& call, MessageSource& source, MessageSink& sink) {
  if (const auto bytes = at_once ? source.peek() : std::nullopt) {
    if (auto status = at_once(call, *bytes, sink)) {
      source.skip();
      co_return *std::move(status);
    }
  }
  Request request;
  const auto taken = co_await take_only_message(source, request);
  if (!taken) co_return Status::from(taken.error());
  Replies<Reply> replies(sink);
  co_return co_await handler(call, request, replies);
}

template <class Request, class Reply>
Task<Status> run_client_stream(const Methods::ClientStream<Request, Reply>& handler, ServerCall& call, MessageSource& source,
                               MessageSink& sink) {
  Requests<Request> requests(source);
  Reply reply;
  Status status = co_await handler(call, requests, reply);
  if (status.ok()) status = co_await put_only_message(sink, reply);
  co_return status;
}

template <class Request, class Reply>
Task<Status> run_bidirectional(const Methods::Bidirectional<Request, Reply>& handler, ServerCall& call, MessageSource& source,
                               MessageSink& sink) {
  Requests<Request> requests(source);
  Replies<Reply> replies(sink);
  co_return co_await handler(call, requests, replies);
}

}  // namespace detail

template <class Request, class Reply>
void Methods::unary(std::string method, Unary<Request, Reply> handler) {
  add({.name = std::move(method),
       .request = &Request::default_instance(),
       .reply = &Reply::default_instance(),
       .run = [handler = std::move(handler)](ServerCall& call, MessageSource& source, MessageSink& sink) {
         return detail::run_unary<Request, Reply>(handler, call, source, sink);
       }});
}
template <class Request, class Reply>
void Methods::server_stream(std::string method, ServerStream<Request, Reply> handler, AtOnce at_once) {
  add({.name = std::move(method),
       .server_streams = true,
       .request = &Request::default_instance(),
       .reply = &Reply::default_instance(),
       .run = [handler = std::move(handler), at_once = std::move(at_once)](ServerCall& call, MessageSource& source,
                                                                           MessageSink& sink) {
         return detail::run_server_stream<Request, Reply>(handler, at_once, call, source, sink);
       }});
}
template <class Request, class Reply>
void Methods::client_stream(std::string method, ClientStream<Request, Reply> handler) {
  add({.name = std::move(method),
       .client_streams = true,
       .request = &Request::default_instance(),
       .reply = &Reply::default_instance(),
       .run = [handler = std::move(handler)](ServerCall& call, MessageSource& source, MessageSink& sink) {
         return detail::run_client_stream<Request, Reply>(handler, call, source, sink);
       }});
}
template <class Request, class Reply>
void Methods::bidirectional(std::string method, Bidirectional<Request, Reply> handler) {
  add({.name = std::move(method),
       .client_streams = true,
       .server_streams = true,
       .request = &Request::default_instance(),
       .reply = &Reply::default_instance(),
       .run = [handler = std::move(handler)](ServerCall& call, MessageSource& source, MessageSink& sink) {
         return detail::run_bidirectional<Request, Reply>(handler, call, source, sink);
       }});
}

}  // namespace skerry::rpc
