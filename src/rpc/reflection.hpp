// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/methods.hpp"

namespace google::protobuf {
class DescriptorPool;
class FileDescriptor;
}  // namespace google::protobuf

namespace skerry::rpc {

// The services of `methods` and the descriptions of their messages, as they are at the time of each question. A service that is
// registered under a second name has no description of its own: one is made from its methods.
class ServiceCatalog {
 public:
  explicit ServiceCatalog(const Methods& methods);   // methods must outlive this
  ~ServiceCatalog();

  std::vector<std::string> services() const;   // full names, sorted
  // Null when there is none.
  const google::protobuf::FileDescriptor* file_named(const std::string& name) const;
  const google::protobuf::FileDescriptor* file_with_symbol(const std::string& symbol) const;
  const google::protobuf::DescriptorPool& pool() const;   // the compiled messages and what was made for second names

 private:
  void describe_aliases() const;

  const Methods& methods_;
  mutable std::size_t described_ = 0;   // methods, when the aliases were last looked for
  mutable std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  mutable std::map<std::string, std::string, std::less<>> alias_files_;   // by service
};

// grpc.reflection.v1.ServerReflection, and the same under v1alpha: what tools like grpcurl ask before they list, describe and
// call. Answers from the methods that it is registered in, itself among them. One core's; outlives the methods.
class Reflection {
 public:
  // `methods` is where it answers from, and where it is added: later services are seen, too.
  void add_to(Methods& methods);
  Reflection();
  ~Reflection();

 private:
  template <class Request, class Response>
  Task<Status> answer(Requests<Request>& requests, Replies<Response>& replies);
  template <class Request, class Response>
  void add_version(Methods& methods, const std::string& service);

  std::unique_ptr<ServiceCatalog> catalog_;
};

}  // namespace skerry::rpc
