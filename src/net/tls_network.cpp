// SPDX-License-Identifier: Apache-2.0
#include "net/tls_network.hpp"

#include "runtime/core.hpp"

namespace skerry::net {
namespace {

class TlsListener final : public Listener {
 public:
  TlsListener(Core& core, std::unique_ptr<Listener> inner, TlsNetworkOptions options)
      : core_(core), inner_(std::move(inner)), options_(std::move(options)) {}

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    CO_TRY(auto stream, co_await inner_->accept());
    TlsStreamOptions of_stream{
        .context = options_.contexts(), .server = {}, .server_name = {}, .refuse_plain = options_.refuse_plain};
    co_return std::make_unique<TlsStream>(core_, std::move(stream), std::move(of_stream));
  }
  Address address() const override { return inner_->address(); }
  void close() override { inner_->close(); }

 private:
  Core& core_;
  std::unique_ptr<Listener> inner_;
  TlsNetworkOptions options_;
};

}  // namespace

TlsNetwork::TlsNetwork(Core& core, Network& inner, TlsNetworkOptions options)
    : core_(core), inner_(inner), options_(std::move(options)) {}

Result<std::unique_ptr<Listener>> TlsNetwork::listen(const Address& address) {
  TRY(auto listener, inner_.listen(address));
  return std::make_unique<TlsListener>(core_, std::move(listener), options_);
}

Task<Result<std::unique_ptr<Stream>>> TlsNetwork::connect(Address address, Deadline deadline) {
  CO_TRY(auto stream, co_await inner_.connect(address, deadline));
  TlsStreamOptions options{.context = options_.contexts(), .server = address.text(), .server_name = {}, .sessions = sessions_};
  const std::string& wanted = options.context->options().server_name;
  options.server_name = !wanted.empty() ? wanted : address.host.empty() ? "localhost" : address.host;
  auto secured = std::make_unique<TlsStream>(core_, std::move(stream), std::move(options));
  CO_TRYV(co_await secured->handshake(deadline));
  co_return secured;
}

TlsContexts reloading(std::shared_ptr<TlsFiles> files) {
  return [files = std::move(files)] {
    static_cast<void>(files->refresh());   // unusable files leave the context as it was; a server tells if that no longer does
    return files->current();
  };
}

}   // namespace skerry::net
