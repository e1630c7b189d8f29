# SPDX-License-Identifier: Apache-2.0
# The subcommands that act as clients of a running store.
skerry_room(cli
  BATCH   4
  SOURCES # those that declare flags, and so include CLI11, share batches
          cli_admin.cpp cli_admin_cluster.cpp cli_admin_dataserver.cpp cli_admin_namespace.cpp cli_backup.cpp cli_client.cpp
          cli_cluster.cpp cli_command.cpp cli_connection.cpp cli_health.cpp cli_perf.cpp cli_shell.cpp cli_token.cpp
          cli_top.cpp completion.cpp
          cli_admin_output.cpp cli_backup_files.cpp backup_file.cpp cli_batch.cpp cli_bulk.cpp cli_call.cpp
          cli_client_run.cpp cli_cluster_control.cpp cli_cluster_links.cpp cli_cluster_local.cpp cli_cluster_output.cpp
          cli_cluster_plan.cpp cli_cluster_process.cpp cli_cluster_up.cpp cli_dataserver_output.cpp cli_document.cpp cli_json_members.cpp
          cli_output.cpp cli_parse.cpp cli_parse_batch.cpp cli_prefix.cpp cli_perf_report.cpp cli_perf_run.cpp cli_session.cpp
          cli_shell_editor.cpp cli_shell_line.cpp cli_top_cluster.cpp cli_top_cluster_view.cpp cli_top_view.cpp
  TESTS   backup_file_test.cpp cli_cluster_links_test.cpp cli_cluster_output_test.cpp cli_cluster_plan_test.cpp cli_output_test.cpp cli_parse_test.cpp cli_prefix_test.cpp
          cli_perf_report_test.cpp cli_shell_line_test.cpp cli_top_view_test.cpp completion_test.cpp
  DEPS    base runtime net auth rpc store client
  TEST_DEPS skerry_net_testing
  LINK    CLI11::CLI11 skerry_proto_admin_v1 skerry_proto_control_v1 skerry_proto_health skerry_proto_oxia fmt::fmt PkgConfig::EDIT
  PCH     <boost/json.hpp> <fmt/format.h> <functional> <map> <memory> <string> <vector>)
# Commands run once: what costs time in them is compiling.
target_compile_options(skerry_cli PRIVATE $<$<CONFIG:Release>:-O1>)
