# SPDX-License-Identifier: Apache-2.0
# skerry_room(NAME SOURCES … [TESTS …] [BENCHES …] [DEPS …] [LINK …] [TEST_DEPS …] [PCH …] [TEST_TIMEOUT n] [BATCH n])
#   DEPS are rooms, LINK are outside libraries. BATCH: so many files are compiled as one. Makes
#     skerry_NAME        the library, alias skerry::NAME
#     NAME_link_test     a program of nothing but this library, whole: fails to link when a dependency is undeclared
#     NAME_test          one program of all the room's unit tests, each registered with ctest, label = room
#     NAME_bench         one program of the room's microbenchmarks
set(SKERRY_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-align
  -Wunused -Woverloaded-virtual -Wconversion -Wno-sign-conversion -Wnull-dereference -Werror)

# In a batch it would tell of files that have nothing to do with each other.
set(SKERRY_BATCH_WARNINGS ${SKERRY_WARNINGS})
list(REMOVE_ITEM SKERRY_BATCH_WARNINGS -Wshadow)
if(CMAKE_UNITY_BUILD)
  set(SKERRY_WARNINGS ${SKERRY_BATCH_WARNINGS})
endif()

add_library(skerry_options INTERFACE)
target_include_directories(skerry_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(skerry_options INTERFACE -Xclang -fno-pch-timestamp)
target_link_options(skerry_options INTERFACE -fuse-ld=lld-19)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -fno-omit-frame-pointer -march=x86-64-v2")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer -march=x86-64-v2")
if(SKERRY_SANITIZE)
  target_compile_options(skerry_options INTERFACE -fsanitize=${SKERRY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(skerry_options INTERFACE -fsanitize=${SKERRY_SANITIZE})
  target_compile_definitions(skerry_options INTERFACE SKERRY_SANITIZED=1)
  if(SKERRY_FUZZ)
    set(SKERRY_FUZZED -fsanitize=fuzzer-no-link)   # what fuzz targets run through; tests would only compile longer with it
  endif()
endif()

# Compiles that many files as one, where the preset does not choose: small enough to be waited for after a change.
function(skerry_batch target count)
  if(NOT CMAKE_UNITY_BUILD)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${count})
  endif()
endfunction()

function(skerry_room NAME)
  cmake_parse_arguments(ROOM "" "TEST_TIMEOUT;BATCH" "SOURCES;TESTS;BENCHES;DEPS;LINK;TEST_DEPS;PCH" ${ARGN})
  set(library skerry_${NAME})
  add_library(${library} STATIC ${ROOM_SOURCES})
  add_library(skerry::${NAME} ALIAS ${library})
  target_link_libraries(${library} PUBLIC skerry_options ${ROOM_LINK})
  target_compile_options(${library} PRIVATE ${SKERRY_FUZZED})
  foreach(dep IN LISTS ROOM_DEPS)
    target_link_libraries(${library} PUBLIC skerry::${dep})
  endforeach()
  if(ROOM_BATCH)
    skerry_batch(${library} ${ROOM_BATCH})
    target_compile_options(${library} PRIVATE ${SKERRY_BATCH_WARNINGS})
  else()
    target_compile_options(${library} PRIVATE ${SKERRY_WARNINGS})
  endif()
  if(ROOM_PCH)
    target_precompile_headers(${library} PRIVATE ${ROOM_PCH})
  endif()

  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/link_test.cpp "int main() { return 0; }\n")
  add_executable(${NAME}_link_test ${CMAKE_CURRENT_BINARY_DIR}/link_test.cpp)
  target_link_libraries(${NAME}_link_test PRIVATE
    -Wl,--whole-archive $<TARGET_FILE:${library}> -Wl,--no-whole-archive ${library})
  add_dependencies(${NAME}_link_test ${library})

  if(ROOM_TESTS)
    add_executable(${NAME}_test ${ROOM_TESTS})
    target_link_libraries(${NAME}_test PRIVATE ${library} GTest::gtest GTest::gtest_main GTest::gmock)
    foreach(dep IN LISTS ROOM_TEST_DEPS)
      target_link_libraries(${NAME}_test PRIVATE ${dep})
    endforeach()
    skerry_batch(${NAME}_test 3)
    target_compile_options(${NAME}_test PRIVATE ${SKERRY_BATCH_WARNINGS})
    target_compile_options(${NAME}_test PRIVATE $<$<CONFIG:Release>:-O1>)   # less to wait for; the code under test stays -O2
    target_compile_definitions(${NAME}_test PRIVATE SKERRY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    if(ROOM_PCH)
      target_precompile_headers(${NAME}_test PRIVATE ${ROOM_PCH} <gtest/gtest.h>)
    endif()
    if(NOT ROOM_TEST_TIMEOUT)
      set(ROOM_TEST_TIMEOUT 120)
    endif()
    include(GoogleTest)
    gtest_discover_tests(${NAME}_test TEST_PREFIX "${NAME}." DISCOVERY_MODE PRE_TEST
      PROPERTIES LABELS "${NAME};unit" TIMEOUT ${ROOM_TEST_TIMEOUT})
  endif()

  if(ROOM_BENCHES)
    add_executable(${NAME}_bench ${ROOM_BENCHES})
    target_link_libraries(${NAME}_bench PRIVATE ${library} benchmark::benchmark benchmark::benchmark_main)
    target_compile_options(${NAME}_bench PRIVATE ${SKERRY_WARNINGS})
  endif()
endfunction()
