// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "oxia/admin.pb.h"

// What the admin subcommands print, with the last newline. Pure.
namespace skerry::node {

enum class AdminFormat { table, json, yaml, name };
AdminFormat parse_admin_format(std::string_view name);   // table for what it does not know

// Rows; or a list of all; or the names.
std::string namespaces_text(const std::vector<io::oxia::proto::v1::NamespaceView>& namespaces, AdminFormat format);
// One of them, with its shards.
std::string namespace_text(const io::oxia::proto::v1::NamespaceView& space, AdminFormat format);

// NAME PUBLIC INTERNAL STATE; or a list of all; or the names.
std::string data_servers_text(const std::vector<io::oxia::proto::v1::DataServerView>& servers, AdminFormat format);
// One of them, with its labels.
std::string data_server_text(const io::oxia::proto::v1::DataServerView& server, AdminFormat format);

// Columns as wide as their widest cell, two spaces between them. The first row is the head.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace skerry::node
