// SPDX-License-Identifier: Apache-2.0
#include "node/tracing_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"

namespace skerry::node {
namespace {

constexpr std::string_view traces_path = "/v1/traces";
constexpr std::string_view off = "none";

std::string variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) return entry.substr(name.size() + 1);
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "a=1,b=2", values with %XX, as W3C's baggage has them.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto digit = [&](std::size_t place) {
      const char c = place < text.size() ? text[place] : '?';
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    if (text[at] == '%' && digit(at + 1) >= 0 && digit(at + 2) >= 0) {
      out += static_cast<char>(digit(at + 1) * 16 + digit(at + 2));
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(std::string_view name, std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = trimmed(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return fail(Errc::invalid_argument, fmt::format("{}: {} is not NAME=value", name, printable(pair)));
    }
    pairs.emplace_back(trimmed(pair.substr(0, equals)), unescaped(trimmed(pair.substr(equals + 1))));
  }
  return pairs;
}

bool is_header(const std::pair<std::string, std::string>& header) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  return std::ranges::all_of(header.first, [&](char c) { return plain(c) && c != ' ' && c != ':'; }) &&
         std::ranges::all_of(header.second, plain);
}

void set(ResourceAttributes& attributes, const std::string& name, std::string value) {
  std::erase_if(attributes, [&](const auto& each) { return each.first == name; });
  attributes.emplace_back(name, std::move(value));
}

// The endpoint in words, and who said so; the last that speaks wins.
std::pair<std::string, std::string> choose_endpoint(const TracingWish& wish, const std::vector<std::string>& environment) {
  const auto with_path = [](std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url + std::string(traces_path);
  };
  if (!wish.endpoint.empty()) return {with_path(wish.endpoint), "tracing.endpoint"};
  if (auto whole = variable(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); !whole.empty()) {
    return {std::move(whole), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"};
  }
  if (auto base = variable(environment, "OTEL_EXPORTER_OTLP_ENDPOINT"); !base.empty()) {
    return {with_path(std::move(base)), "OTEL_EXPORTER_OTLP_ENDPOINT"};
  }
  return {};
}

}  // namespace

Result<OtlpEndpoint> OtlpEndpoint::parse(const std::string& url) {
  OtlpEndpoint endpoint;
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    endpoint.tls = true;
  } else {
    return fail(Errc::invalid_argument, fmt::format("{} is no address like http://localhost:4318", printable(url)));
  }
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string host(rest.substr(0, slash));
  endpoint.path = slash == rest.size() ? "/" : std::string(rest.substr(slash));
  const bool has_port = host.rfind(':') != std::string::npos && !host.ends_with(']');
  if (!has_port) host += endpoint.tls ? ":443" : ":80";
  auto address = net::Address::parse(host);
  if (!address) return fail(address.error().code, fmt::format("{}: {}", printable(url), address.error().message()));
  endpoint.address = *std::move(address);
  const bool plain = std::ranges::all_of(endpoint.path, [](char c) { return c > ' ' && c <= '~'; });
  if (endpoint.address.host.empty() || endpoint.address.port == 0 || !plain) {
    return fail(Errc::invalid_argument, fmt::format("{} is no address like http://localhost:4318", printable(url)));
  }
  return endpoint;
}

std::string OtlpEndpoint::text() const { return (tls ? "https://" : "http://") + address.text() + path; }

Result<TracingOptions> tracing_options(const TracingWish& wish, const std::vector<std::string>& environment) {
  TracingOptions options;
  options.ratio = wish.ratio;
  if (wish.endpoint == off || (wish.endpoint.empty() && variable(environment, "OTEL_SDK_DISABLED") == "true")) return options;
  const auto [url, origin] = choose_endpoint(wish, environment);
  if (url.empty()) return options;
  auto endpoint = OtlpEndpoint::parse(url);
  if (!endpoint) return fail(endpoint.error().code, fmt::format("{}: {}", origin, endpoint.error().message()));
  options.endpoint = *std::move(endpoint);
  constexpr const char* headers = "OTEL_EXPORTER_OTLP_HEADERS";
  TRY(options.headers, parse_pairs(headers, variable(environment, headers)));
  if (!std::ranges::all_of(options.headers, is_header)) {
    return fail(Errc::invalid_argument, fmt::format("{}: names and values of headers are plain ASCII on one line", headers));
  }
  options.certificate_file = variable(environment, "OTEL_EXPORTER_OTLP_CERTIFICATE");
  constexpr const char* attributes = "OTEL_RESOURCE_ATTRIBUTES";
  TRY(options.resource, parse_pairs(attributes, variable(environment, attributes)));
  if (std::string name = variable(environment, "OTEL_SERVICE_NAME"); !name.empty()) {
    set(options.resource, "service.name", std::move(name));
  } else if (std::ranges::find(options.resource, "service.name", &std::pair<std::string, std::string>::first) ==
             options.resource.end()) {
    set(options.resource, "service.name", "skerry");
  }
  return options;
}

}  // namespace skerry::node
