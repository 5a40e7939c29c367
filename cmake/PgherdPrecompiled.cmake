# Two precompiled headers for the whole program: one for modules that speak JSON, one for those that also use Asio. They only
# save time: the header checks and clang-tidy compile without them, so every file still includes what it uses.
function(pgherd_precompiled name)
  cmake_parse_arguments(P "" "" "THIRD_PARTY;HEADERS" ${ARGN})
  add_library(${name} OBJECT ${CMAKE_SOURCE_DIR}/cmake/pch.cc)
  target_link_libraries(${name} PRIVATE pgherd_warnings)
  foreach(dep ${P_THIRD_PARTY})
    target_link_libraries(${name} PRIVATE third_party_${dep})
  endforeach()
  target_precompile_headers(${name} PRIVATE ${P_HEADERS})
endfunction()

set(common <algorithm> <chrono> <expected> <functional> <map> <memory> <optional> <set> <span> <string> <string_view> <variant> <vector>
           <fmt/format.h>)
pgherd_precompiled(pgherd_pch_json THIRD_PARTY fmt json HEADERS ${common} <boost/json.hpp>)
pgherd_precompiled(pgherd_pch_asio THIRD_PARTY fmt json asio
  HEADERS ${common} <boost/json.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
          <boost/asio/ip/tcp.hpp> <boost/asio/posix/stream_descriptor.hpp> <boost/asio/ssl.hpp> <boost/asio/steady_timer.hpp>
          <boost/asio/use_awaitable.hpp>)
pgherd_precompiled(pgherd_pch_test THIRD_PARTY fmt json HEADERS ${common} <boost/json.hpp> <gtest/gtest.h>)
target_link_libraries(pgherd_pch_test PRIVATE GTest::gtest)

# Gives `target` the one that fits what its module uses, if any.
function(pgherd_use_precompiled target)
  cmake_parse_arguments(P "" "LAYER" "DEPS;THIRD_PARTY" ${ARGN})
  if("asio" IN_LIST P_THIRD_PARTY)
    target_precompile_headers(${target} REUSE_FROM pgherd_pch_asio)
  elseif("model" IN_LIST P_DEPS OR "json" IN_LIST P_THIRD_PARTY)
    target_precompile_headers(${target} REUSE_FROM pgherd_pch_json)
  endif()
endfunction()
